"""What a forked child does with the library, and what it leaves alone."""

from __future__ import annotations

import os
import ssl
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.lifecycle.life import Ended, ids_sent, live, names, start
from tests.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cio_events.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


def ended_well(life: Ended) -> bool:
    """Whether it exited with 0 and nothing on stderr."""
    assert (life.code, life.err) == (0, "")
    return True


def each_once(sandbox: Sandbox) -> bool:
    """Whether no event was sent twice."""
    return set(Counter(ids_sent(sandbox)).values()) <= {1}


# Finds every lock that the modules and the pipeline hold, wherever it lies.
LOCKS = """
import collections
from _thread import LockType, RLock
from weakref import WeakSet
from cio_events import lifecycle

def locks_below(thing, seen):
    if id(thing) in seen:
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
awaited = [lock for lock in locks if lock in lifecycle._held or lock is logging._lock]
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
    # Those of the ledger, the flusher (3), configure() and the handler.
    assert renewed >= 6
    # Those of the imports, and the one that logging holds over a fork itself.
    assert awaited >= 3
    assert sorted(names(sandbox)) == ["before", "in the child"]
    assert each_once(sandbox)


def test_the_backlog_stays_the_parents(sandbox: Sandbox) -> None:
    """
    The child sends none of it, not even at its exit, and begins with an empty ledger.
    """
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
    """
    Each of three generations delivers what is its own, and ids are never made twice.
    """
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
        ("os._exit(4)", 4, False),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15, False),
        ("cio_events.install_signal_handlers(); os.kill(os.getpid(), signal.SIGTERM)", -15, True),
        ("pipeline.flush(20); os._exit(5)", 5, True),
    ],
)
def test_a_child_may_end_in_any_way(sandbox: Sandbox, way: str, code: int, arrives: bool) -> None:
    """
    An exit in good order delivers; one that runs no hooks has to flush before it.
    """
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
    assert sorted(names(sandbox)) == (["child", "parent"] if arrives else ["parent"])


def test_a_request_under_way_stays_the_parents() -> None:
    """
    The child sends on a connection of its own while the parent waits for its answer.
    """
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
    """
    A server with a certificate, and the file of who has signed it.
    """
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
    """
    Over TLS, parent and child go on at the same time; the parent on the connection it had.
    """
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


def test_a_fork_during_the_import_of_requests(sandbox: Sandbox, tmp_path: Path) -> None:
    """
    The flushing thread imports it when it first delivers; a child forked meanwhile is whole.
    """
    package = tmp_path / "requests"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import sys, time, __main__\n"
        "__main__.importing.set()\n"
        "time.sleep(0.7)\n"
        "sys.path.remove(sys.path[0])\n"
        "del sys.modules['requests']\n"
        "import requests\n"
    )
    life = live(
        f"""
        importing = threading.Event()
        sys.path.insert(0, {str(tmp_path)!r})
        pipeline = make(flush_interval=0)
        say("parent")
        assert importing.wait(20)

        def child():
            say("child")
            assert pipeline.flush(20)

        print(forked(child), pipeline.flush(20))
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == ["0 True"]
    assert sorted(names(sandbox)) == ["child", "parent"]


def test_a_fork_during_the_first_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """
    The first record imports what none before needed; a child forked meanwhile is whole.
    """
    (tmp_path / "queue.py").write_text(
        "import sys, time, __main__\n"
        "__main__.importing.set()\n"
        "time.sleep(0.7)\n"
        "sys.path.remove(sys.path[0])\n"
        "del sys.modules['queue']\n"
        "import queue\n"
        "sys.modules['queue'] = queue\n"
    )
    life = live(
        f"""
        importing = threading.Event()
        assert not {{"queue", "cio_events.pipeline"}} & set(sys.modules)
        sys.path.insert(0, {str(tmp_path)!r})
        first = threading.Thread(target=say, args=("parent",))
        first.start()
        assert importing.wait(20)

        def child():
            say("child")
            assert make().flush(20)

        print(forked(child))
        first.join()
        """,
        sandbox.url,
        CIO_SITE_ID="site",
        CIO_API_KEY="key",
    )

    assert ended_well(life)
    assert life.lines == ["0"]
    assert sorted(names(sandbox)) == ["child", "parent"]


def test_nothing_is_imported_after_the_first_import(sandbox: Sandbox) -> None:
    """
    An import that a request would make is not guarded, and a fork amidst it could hang.
    """
    life = live(
        """
        from cio_events.wire.request import Request
        pipeline = make()
        pipeline._track._transport()
        before = set(sys.modules)
        say("parent")
        assert pipeline.flush(20)
        print(sorted(set(sys.modules) - before))
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == ["[]"]


def test_a_receiver_may_fork(sandbox: Sandbox) -> None:
    """
    The child returns into the parent's delivery, and sends none of it; its own records count.
    """
    life = live(
        """
        pids = []

        def fork_once(sender, report):
            if not pids:
                pids.append(None)
                pids[0] = pid = os.fork()
                if not pid:
                    threading.Thread(target=child).start()

        def child():
            say("child")
            good = pipeline.flush(20) and pipeline.stats().received == 1
            time.sleep(0.7)
            os._exit(0 if good else 71)

        cio_events.signals.sent.connect(fork_once)
        pipeline = make(flush_interval=1, api="v1")
        for number in range(20):
            say(f"parent {number}", cio_data={})
        assert pipeline.flush(20)
        print(ended(pids[0]))
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == ["0"]
    assert Counter(names(sandbox)) == {"child": 1, **{f"parent {n}": 1 for n in range(20)}}
    assert len(sandbox.requests) == 21


def test_before_send_may_fork(sandbox: Sandbox) -> None:
    """
    The call that is being taken stays the parent's; what the child logs, even there, is its own.
    """
    life = live(
        """
        pids = []

        def before_send(call):
            if not pids:
                pids.append(None)
                pids[0] = os.fork()
                if not pids[0]:
                    say("child inside")
            return call

        pipeline = make(flush_interval=3600, before_send=before_send)
        say("parent")
        if not pids[0]:
            say("child after")
            print(pipeline.stats().received, flush=True)
            sys.exit(0)
        print(ended(pids[0]), pipeline.stats().received)
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == ["2", "0 1"]
    assert sorted(names(sandbox)) == ["child after", "child inside", "parent"]
    assert each_once(sandbox)


def test_fork_while_other_threads_log(sandbox: Sandbox) -> None:
    """
    Fifty children, forked amidst the logging of four threads, all deliver; nothing is doubled.
    """
    life = live(
        """
        pipeline = make(flush_interval=0.01)
        going = True

        def busy():
            while going:
                say("parent")
                time.sleep(0.0005)

        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads:
            thread.start()

        def child():
            say("child")
            assert pipeline.flush(20)

        codes = {forked(child) for _ in range(50)}
        going = False
        for thread in threads:
            thread.join()
        assert pipeline.flush(20)
        print(codes, pipeline.stats().sent)
        """,
        sandbox.url,
    )
    counts = Counter(names(sandbox))

    assert ended_well(life)
    assert life.lines == [f"{{0}} {counts['parent']}"]
    assert counts["child"] == 50
    assert each_once(sandbox)


def test_a_fork_without_hooks_is_noticed_where_servers_make_them(sandbox: Sandbox) -> None:
    """
    The workers of uWSGI are forked in C, which calls none of Python's hooks.
    """
    life = live(
        """
        import ctypes, types
        sys.modules["uwsgi"] = types.ModuleType("uwsgi")
        sys.modules["uwsgi"].opt = {"enable-threads": True}
        for name in [name for name in sys.modules if name.startswith("cio_events")]:
            del sys.modules[name]
        log.handlers.clear()
        import cio_events
        log.addHandler(cio_events.CustomerIOHandler())
        pipeline = make(flush_interval=3600)
        say("parent")
        pid = ctypes.CDLL(None).fork()
        if not pid:
            signal.alarm(40)
            say("child")
            good = pipeline.flush(20) and pipeline.stats().received == 1
            os._exit(0 if good else 71)
        print(ended(pid), pipeline.stats().pending)
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == ["0 1"]
    assert names(sandbox) == ["child", "parent"]
    assert each_once(sandbox)
