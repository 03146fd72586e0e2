"""What a forked child does with the library, and what it leaves to its parent."""

from __future__ import annotations

import os
import ssl
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.process.life import each_once, ended_well, live, names, start
from tests.support.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cio_events.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


# Finds every lock that the modules and the pipeline hold, wherever it lies.
LOCKS = """
import collections
from _thread import LockType, RLock
from weakref import WeakSet
from cio_events._process import forks

def locks_below(thing, seen):
    if id(thing) in seen or type(thing).__name__ == "Mailbox":  # its lock guards nothing
        return
    seen[id(thing)] = thing
    if isinstance(thing, (LockType, RLock)):
        yield thing
    elif isinstance(thing, (list, tuple, set, frozenset, collections.deque, WeakSet)):
        for one in list(thing):
            yield from locks_below(one, seen)
    elif isinstance(thing, dict):
        for one in list(thing.values()):
            yield from locks_below(one, seen)
    elif type(thing).__module__.startswith("cio_events"):
        yield from locks_below(getattr(thing, "__dict__", {}), seen)
        for slot in getattr(type(thing), "__slots__", ()):
            yield from locks_below(getattr(thing, slot, None), seen)

def all_locks():
    ours = [vars(sys.modules[name]) for name in sys.modules if name.startswith("cio_events")]
    found = list(locks_below(ours, {}))
    found += [logging._lock] + [handler.lock for handler in log.handlers if handler.lock]
    return found
"""


def test_every_lock_may_be_held_by_another_thread(sandbox: Sandbox) -> None:
    """
    The child gets locks of its own, so its first record is taken at once, and is delivered.

    A fork waits for what guards more than memory, such as an import, until it is whole.
    """
    life = live(
        LOCKS
        + """
pipeline = make(flush_interval=3600)
say("before")
locks = all_locks()
awaited = [lock for lock in locks if lock in [*forks._held, forks._guard, logging._lock]]
held, forking, release = threading.Event(), threading.Event(), threading.Event()

def hold():
    for lock in locks:
        lock.acquire()
    held.set()
    forking.wait()
    time.sleep(0.5)
    for lock in awaited:
        lock.release()
    release.wait()
    for lock in locks:
        if lock not in awaited:
            lock.release()

def child():
    started = time.monotonic()
    say("in the child")
    assert make(flush_interval=3600) is pipeline
    assert time.monotonic() - started < 5
    assert pipeline.flush(20)
    assert pipeline.stats().sent == pipeline.stats().received == 1

holder = threading.Thread(target=hold)
holder.start()
assert held.wait(20)
forking.set()
pid = fork(child)
print(len(locks) - len(awaited), len(awaited), ended(pid))
release.set()
holder.join()
assert pipeline.flush(20)
assert pipeline.stats().sent == pipeline.stats().received == 1
""",
        sandbox.url,
    )
    renewed, awaited, code = map(int, life.out.split())

    assert ended_well(life)
    assert code == 0
    # Those of the ledger, the worker (3), configure() and the handler.
    assert renewed >= 6
    # Those of the imports, and the one that logging holds over a fork itself.
    assert awaited >= 3
    assert sorted(names(sandbox)) == ["before", "in the child"]
    assert each_once(sandbox)


def test_the_backlog_stays_the_parents(sandbox: Sandbox) -> None:
    """The child sends none of it, not even at its exit, and begins with an empty ledger."""
    life = live(
        """
        pipeline = make(flush_interval=3600)
        for number in range(50):
            say(f"parent {number}")
        pid = os.fork()
        if not pid:
            assert pipeline.stats().pending == 0
            say("child")
            sys.exit(0)
        print(ended(pid))
        print(pipeline.stats().pending)
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == ["0", "50"]
    assert names(sandbox) == ["child", *(f"parent {number}" for number in range(50))]
    assert each_once(sandbox)


def test_children_of_children_deliver_too(sandbox: Sandbox) -> None:
    """Each of three generations delivers what is its own, and ids are never made twice."""
    life = live(
        """
        pipeline = make(flush_interval=3600)

        def generation(number):
            for _ in range(20):
                say(f"generation {number}")
            if number < 3:
                pid = os.fork()
                if not pid:
                    generation(number + 1)
                    sys.exit(0)
                assert ended(pid) == 0

        generation(1)
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert Counter(names(sandbox)) == {f"generation {number}": 20 for number in (1, 2, 3)}
    assert each_once(sandbox)


@pytest.mark.parametrize(
    ("way", "code", "arrives"),
    [
        ("sys.exit(3)", 3, True),
        ("raise ValueError", 1, True),
        ("os._exit(4)", 4, None),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15, None),
        ("cio_events.install_signal_handlers(); os.kill(os.getpid(), signal.SIGTERM)", -15, True),
        ("pipeline.flush(20); os._exit(5)", 5, True),
    ],
)
def test_a_child_may_end_in_any_way(
    sandbox: Sandbox, way: str, code: int, arrives: bool | None
) -> None:
    """An exit in good order delivers; one that runs no hooks may have been quicker."""
    life = live(
        f"""
        sys.excepthook = lambda *_: None
        pipeline = make(flush_interval=3600)
        say("parent")
        pid = os.fork()
        if not pid:
            say("child")
            {way}
        print(ended(pid))
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == [str(code)]
    came = sorted(names(sandbox))
    assert came == ["child", "parent"] or (arrives is None and came == ["parent"])


def test_a_request_under_way_stays_the_parents() -> None:
    """The child sends on a connection of its own while the parent waits for its answer."""
    with ScriptedServer([stall()]) as server:
        script = """
            pipeline = make(flush_interval=0, exit_timeout=0, timeout=45)
            say("parent")
            wait()

            def child():
                say("child")
                assert pipeline.flush(20)

            print(forked(child), pipeline.stats().pending)
            """
        with start(script, server.url) as running:
            while not server.requests:
                time.sleep(0.01)
            running.go()
            life = running.end()
        sent = [one.json["batch"][0]["name"] for one in server.requests]
        ports = {one.port for one in server.requests}

    assert life.code == 0
    assert life.lines == ["0 1"]
    assert sent == ["parent", "child"]
    assert len(ports) == 2


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[ScriptedServer, str]]:
    """A server with a certificate, and the file of who has signed it."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    with ScriptedServer(tls=context) as server:
        yield server, str(file)


@pytest.mark.parametrize("ending", ["os._exit(0)", "sys.exit(0)"])
def test_the_parents_sockets_are_left_alone(
    tls_server: tuple[ScriptedServer, str], ending: str
) -> None:
    """Over TLS, parent and child go on at the same time; the parent on the connection it had."""
    server, ca_file = tls_server
    life = live(
        f"""
        pipeline = make(flush_interval=0)

        def send(who):
            for number in range(20):
                say(who)
                assert pipeline.flush(20)

        send("parent")
        pid = os.fork()
        if not pid:
            send("child")
            {ending}
        send("parent")
        assert ended(pid) == 0
        send("parent")
        """,
        server.url,
        REQUESTS_CA_BUNDLE=ca_file,
    )
    ports: dict[str, set[int]] = {"parent": set(), "child": set()}
    for one in server.requests:
        for operation in one.json["batch"]:
            ports[operation["name"]].add(one.port)

    assert ended_well(life)
    assert len(server.requests) == 80
    assert len(ports["parent"]) == len(ports["child"]) == 1
    assert ports["parent"].isdisjoint(ports["child"])


def test_what_a_child_takes_leaves_at_once(sandbox: Sandbox) -> None:
    """Nobody knows how it will end: here by os._exit, before its interval is over."""
    life = live(
        """
        pipeline = make(flush_interval=3600)
        say("parent")

        def child():
            say("child")
            while pipeline.stats().pending:
                time.sleep(0.01)

        assert forked(child) == 0
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert names(sandbox) == ["child", "parent"]
