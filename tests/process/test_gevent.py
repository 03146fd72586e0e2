"""gevent's greenlets in place of threads, whenever it patches the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.process.life import PRELUDE, Ended, live_among, names
from tests.support.programs import GEVENT
from tests.support.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

pytest.importorskip("gevent")

PATCH = """
import gevent.events, gevent.monkey
# At each module that it patches, it looks among all that is installed for who wants to know.
gevent.events.notify_and_call_entry_points = gevent.events.notify
gevent.monkey.patch_all()
"""

TICKING = """
import gevent
ticks, longest = 0, 0.0

def tick():
    global ticks, longest
    last = time.monotonic()
    while True:
        gevent.sleep(0.005)
        now = time.monotonic()
        ticks, longest, last = ticks + 1, max(longest, now - last), now

ticking = gevent.spawn(tick)
"""

CONFIGURED = "pipeline = make(flush_interval=0.05, exit_timeout=20)\n"

ORDERS = {
    "patched first": (PATCH + PRELUDE, CONFIGURED),
    "patched after import": (PRELUDE + PATCH, CONFIGURED),
    "patched after configure": (PRELUDE + CONFIGURED + PATCH, ""),
}


def live(script: str, url: str) -> Ended:
    """Run *script*, which imports and patches in its own order, to its end."""
    return live_among(GEVENT, script, url)


@pytest.mark.parametrize("order", ORDERS)
def test_events_are_delivered_and_the_hub_goes_on(sandbox: Sandbox, order: str) -> None:
    """While a hundred greenlets log, while one flushes, and at the exit."""
    prelude, configure = ORDERS[order]
    sandbox.delay(0.2)
    life = live(
        prelude
        + configure
        + TICKING
        + """
def work(number):
    for step in range(5):
        say(f"event {number}")
        gevent.sleep(0.001)

gevent.joinall([gevent.spawn(work, number) for number in range(20)])
before = ticks
say("last")  # for which a request begins only now
print(pipeline.flush(20), ticks - before > 5, longest < 2, pipeline.stats().sent)
say("at exit")
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["True True True 101"]
    assert len(names(sandbox)) == 102


@pytest.mark.parametrize("order", ORDERS)
def test_a_silent_server_does_not_stop_the_hub(order: str) -> None:
    """Greenlets go on, flush() keeps its time, and the exit its budget."""
    prelude, configure = ORDERS[order]
    with ScriptedServer([stall()] * 3) as server:
        life = live(
            (prelude + configure).replace("exit_timeout=20", "exit_timeout=0.3")
            + TICKING
            + """
say("event")
gevent.sleep(0.3)
before = ticks
print(pipeline.flush(0.5), ticks - before > 20, longest < 2, pipeline.stats().pending)
""",
            server.url,
        )

    assert life.code == 0
    assert life.lines == ["False True True 1"]
    assert "1 call could not be delivered before the exit and is lost" in life.err
    assert "Traceback" not in life.err


def test_a_forked_child_delivers(sandbox: Sandbox) -> None:
    """What the hub knew of the parent's greenlets is no matter of the child's."""
    life = live(
        PATCH
        + PRELUDE
        + CONFIGURED
        + """
say("parent")
assert pipeline.flush(20)

def child():
    say("child")
    assert pipeline.flush(20)

print(forked(child))
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["0"]
    assert names(sandbox) == ["parent", "child"]


def test_a_greenlet_that_is_killed_is_replaced(sandbox: Sandbox) -> None:
    """Whoever kills all greenlets kills the flushing one, too; the next call starts another."""
    life = live(
        PATCH
        + PRELUDE
        + CONFIGURED
        + """
import gc, gevent
say("first")
gevent.sleep(0.3)
gevent.killall([one for one in gc.get_objects() if isinstance(one, gevent.Greenlet)])
say("second")
print(pipeline.flush(20), pipeline.stats().sent)
""",
        sandbox.url,
    )

    assert life.code == 0
    assert life.lines == ["True 2"]
