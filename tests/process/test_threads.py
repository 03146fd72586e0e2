"""Where no thread can be had; and what threads there are, and when, where they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.process.life import live, names
from tests.support.servers import ScriptedServer, answer, stall

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

REFUSING = """
refused = []

def refuse(self):
    refused.append(self.name)
    raise RuntimeError("can't start new thread")

threading.Thread.start, start = refuse, threading.Thread.start
"""

UWSGI = """
import types
uwsgi = sys.modules["uwsgi"] = types.ModuleType("uwsgi")
uwsgi.opt = {OPT}
"""


def test_without_threads_calls_are_sent_at_flush_and_at_exit(sandbox: Sandbox) -> None:
    """They wait until then; one warning says why, and names the option of uWSGI."""
    life = live(
        REFUSING
        + """
pipeline = make(flush_interval=0)
for number in range(20):
    say(f"flushed {number}")
print(pipeline.stats().pending)
print(pipeline.flush(20))
print(pipeline.stats().sent)
for number in range(20):
    say(f"at exit {number}")
""",
        sandbox.url,
    )

    assert life.code == 0
    assert life.lines == ["20", "True", "20"]
    assert names(sandbox) == [
        *(f"flushed {number}" for number in range(20)),
        *(f"at exit {number}" for number in range(20)),
    ]
    assert len(life.err.splitlines()) == 1
    assert "enable-threads" in life.err


def test_without_threads_what_sending_needs_is_imported_early(sandbox: Sandbox) -> None:
    """The exit hook may be too late for that, as uWSGI's is; it would crash in OpenSSL."""
    life = live(
        REFUSING
        + """
make()
print("requests" in sys.modules)
say("event")
print("requests" in sys.modules)
""",
        sandbox.url,
        fresh=True,
    )

    assert life.code == 0
    assert life.lines == ["False", "True"]


def test_without_threads_single_calls_are_sent_one_after_the_other(sandbox: Sandbox) -> None:
    """As with v1, where usually several are sent at once."""
    life = live(
        REFUSING
        + """
pipeline = make(api="v1")
for number in range(30):
    log.info("event", extra={"cio_customer": str(number)})
print(pipeline.flush(20), pipeline.stats().sent)
""",
        sandbox.url,
    )

    assert life.code == 0
    assert life.lines == ["True 30"]
    assert [event.customer for event in sandbox.events] == [str(number) for number in range(30)]


def test_without_threads_flush_keeps_its_time() -> None:
    """With a server that is down and one that is silent; what is pending stays."""
    script = (
        REFUSING
        + """
pipeline = make(exit_timeout=0)
say("event")
started = time.monotonic()
print(pipeline.flush(0.5), 0.4 < time.monotonic() - started < 10, pipeline.stats().pending)
"""
    )
    down = live(script, "http://127.0.0.1:1")
    with ScriptedServer([stall(), stall()]) as server:
        silent = live(script, server.url)

    for life in (down, silent):
        assert life.code == 0
        assert life.lines == ["False True 1"]


def test_without_threads_what_fails_is_tried_again_within_a_flush() -> None:
    """The caller's thread waits for the pause to be over."""
    with ScriptedServer([answer(503), answer(503)]) as server:
        life = live(
            REFUSING
            + """
pipeline = make(retry_base=0.05)
say("event")
print(pipeline.flush(20), pipeline.stats().retries)
""",
            server.url,
        )

    assert life.code == 0
    assert life.lines == ["True 2"]


def test_a_thread_is_started_as_soon_as_one_can_be_had(sandbox: Sandbox) -> None:
    """It is tried again every now and then."""
    life = live(
        REFUSING
        + """
from cio_events._delivery import worker
worker._SECONDS_BETWEEN_STARTS = 20.0
pipeline = make(flush_interval=0)
say("event 1")
say("event 2")
print(len(refused))
threading.Thread.start = start
pipeline._worker._start_again_at = time.monotonic()
say("event 3")
deadline = time.monotonic() + 20
while pipeline.stats().pending and time.monotonic() < deadline:
    time.sleep(0.01)
print(pipeline.stats().sent)
""",
        sandbox.url,
    )

    assert life.code == 0
    assert life.lines == ["1", "3"]
    assert names(sandbox) == ["event 1", "event 2", "event 3"]


@pytest.mark.parametrize(
    ("opt", "threads"),
    [
        ("{}", "1"),
        ("{'enable-threads': True}", "2"),
        ("{'threads': b'4'}", "2"),
    ],
)
def test_uwsgi_lets_threads_start_but_not_run(sandbox: Sandbox, opt: str, threads: str) -> None:
    """Unless it is told to; then none is started, and the warning names the option."""
    life = live(
        UWSGI.replace("{OPT}", opt)
        + """
make()
say("event")
print(threading.active_count())
""",
        sandbox.url,
    )

    assert life.code == 0
    assert life.lines == [threads]
    assert names(sandbox) == ["event"]
    assert ("enable-threads" in life.err) == (threads == "1")


def test_one_thread_for_each_pipeline_that_has_had_a_call(sandbox: Sandbox) -> None:
    """Not for one that is made, configured again with the same options, disabled, or closed."""
    life = live(
        """
        def running():
            return sum(thread.name.startswith("cio_events") for thread in threading.enumerate())

        options = dict(site_id="site", api_key="key", flush_interval=0)
        idle = cio_events.Pipeline(**options)
        disabled = cio_events.Pipeline(**options, enabled=False)
        assert not disabled.track("5", "event")
        unconfigured = cio_events.Pipeline(api_key="key")
        assert not unconfigured.track("5", "event")
        print(running())
        pipelines = [cio_events.Pipeline(**options) for _ in range(10)]
        for pipeline in pipelines:
            for _ in range(10):
                assert pipeline.track("5", "event")
        first = make()
        say("event")
        assert make() is first
        say("event")
        print(running())
        for pipeline in pipelines:
            assert pipeline.close(20)
        deadline = time.monotonic() + 20
        while running() > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        print(running())
        """,
        sandbox.url,
    )

    assert life.code == 0
    assert life.lines == ["0", "11", "1"]
    assert len(names(sandbox)) == 102


@pytest.mark.parametrize("before", ["", "say('event'); assert pipeline.flush(20)"])
def test_a_pipeline_with_nothing_to_do_does_not_wake_up(sandbox: Sandbox, before: str) -> None:
    """There is no polling: its thread sleeps until something is logged."""
    life = live(
        f"""
        def switches():
            counts = {{}}
            for task in os.listdir("/proc/self/task"):
                if int(task) != os.getpid():
                    with open(f"/proc/self/task/{{task}}/status") as status:
                        lines = [line.split() for line in status if "ctxt_switches" in line]
                    counts[task] = sum(int(count) for _, count in lines)
            return counts

        pipeline = make(flush_interval=0.001)
        {before}
        time.sleep(0.5)
        at_first = switches()
        time.sleep(1)
        print(len(at_first), switches() == at_first)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == [f"{int(bool(before))} True"]


def test_a_paused_pipeline_sleeps_until_the_pause_is_over() -> None:
    """Each of its wakings is for a look at the clock, not for a request."""
    with ScriptedServer([answer(429, headers={"Retry-After": "30"})]) as server:
        life = live(
            """
            pipeline = make(flush_interval=0.2, exit_timeout=0)
            say("event")
            time.sleep(0.7)
            before = time.process_time()
            time.sleep(1)
            print(time.process_time() - before < 0.2, pipeline.stats().pending)
            """,
            server.url,
        )
        requests = len(server.requests)

    assert life.code == 0
    assert life.lines == ["True 1"]
    assert requests == 1
