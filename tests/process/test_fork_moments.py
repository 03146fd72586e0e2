"""Forks in the wrong moment: amid an import, a receiver, ``before_send``, and without hooks."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.process.life import each_once, ended_well, live, live_in_file, names
from tests.support.effort import THOROUGH

if TYPE_CHECKING:
    from pathlib import Path

    from cio_events.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


def test_a_fork_during_the_import_of_requests(sandbox: Sandbox, tmp_path: Path) -> None:
    """The flushing thread imports it when it first delivers; a child forked meanwhile is whole."""
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
        fresh=True,
    )

    assert ended_well(life)
    assert life.lines == ["0 True"]
    assert sorted(names(sandbox)) == ["child", "parent"]


def test_a_fork_during_the_first_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first record imports what none before needed; a child forked meanwhile is whole."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "quopri.py").write_text(
        "import sys, time, __main__\n"
        "__main__.importing.set()\n"
        "time.sleep(0.7)\n"
        "sys.path.remove(sys.path[0])\n"
        "del sys.modules['quopri']\n"
        "import quopri\n"
        "sys.modules['quopri'] = quopri\n"
    )
    life = live_in_file(
        f"""
        importing = threading.Event()
        assert not {{"quopri", "cio_events._pipeline.pipeline"}} & set(sys.modules)
        sys.path.insert(0, {str(folder)!r})
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
        tmp_path / "script.py",
        CIO_SITE_ID="site",
        CIO_API_KEY="key",
    )

    assert ended_well(life)
    assert life.lines == ["0"]
    assert sorted(names(sandbox)) == ["child", "parent"]


def test_a_fork_amid_a_dictconfig_that_makes_a_handler(sandbox: Sandbox) -> None:
    """Logging holds its lock meanwhile, and over the fork too: neither waits for the other."""
    life = live(
        """
        import logging.config

        pipeline = make()
        within, forking = threading.Event(), threading.Event()

        def made():
            within.set()
            assert forking.wait(20)
            # The fork has begun to take its locks, or is about to.
            time.sleep(0.3)
            return cio_events.CustomerIOHandler(site_id="other", api_key="key")

        os.register_at_fork(before=forking.set)
        config = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"ours": {"()": made}},
            "root": {"handlers": ["ours"]},
        }
        other = threading.Thread(target=logging.config.dictConfig, args=(config,), daemon=True)
        other.start()
        assert within.wait(20)

        def child():
            say("child")
            assert pipeline.flush(20)

        print(forked(child))
        other.join(20)
        print(other.is_alive())
        say("parent")
        """,
        sandbox.url,
    )

    assert ended_well(life)
    assert life.lines == ["0", "False"]
    assert sorted(names(sandbox)) == ["child", "parent"]


@pytest.mark.parametrize("package", ["requests", "redis"])
def test_a_fork_and_a_dictconfig_amid_an_import(
    package: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """What is imported asks for a logger, for which it waits: none of the three waits for good."""
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import logging, sys, time, __main__\n"
        "__main__.importing.set()\n"
        "assert __main__.forking.wait(20)\n"
        "time.sleep(0.3)\n"  # until each of the others has begun to wait
        f"logging.getLogger({package!r})\n"
        "sys.path.remove(sys.path[0])\n"
        f"del sys.modules[{package!r}]\n"
        f"import {package}\n"
    )
    life = live(
        f"""
        import logging.config

        importing, within, forking = (threading.Event() for _ in range(3))
        sys.path.insert(0, {str(tmp_path)!r})
        relay = "redis://127.0.0.1:1/0" if {package!r} == "redis" else None
        first = cio_events.Pipeline(site_id="a", api_key="b", relay=relay, flush_interval=0)
        first.send(cio_events.Track("5", "gone", {{}}))
        assert importing.wait(20)

        def made():
            within.set()
            assert forking.wait(20)
            time.sleep(0.1)
            return cio_events.CustomerIOHandler(site_id="other", api_key="key")

        os.register_at_fork(before=forking.set)
        config = {{
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {{"ours": {{"()": made}}}},
            "root": {{"handlers": ["ours"]}},
        }}
        other = threading.Thread(target=logging.config.dictConfig, args=(config,), daemon=True)
        other.start()
        assert within.wait(20)
        print(forked(lambda: None))
        other.join(20)
        print(other.is_alive(), {package!r} in sys.modules)
        first.close(0)
        """,
        sandbox.url,
        fresh=True,
    )

    assert (life.code, life.lines) == (0, ["0", "False True"])


def test_nothing_is_imported_after_the_first_import(sandbox: Sandbox, tmp_path: Path) -> None:
    """An import that a request would make is not guarded, and a fork amidst it could hang."""
    life = live_in_file(
        """
        from cio_events._wire.request import Request
        pipeline = make()
        pipeline._track._transport()
        before = set(sys.modules)
        say("parent")
        assert pipeline.flush(20)
        print(sorted(set(sys.modules) - before))
        """,
        sandbox.url,
        tmp_path / "script.py",
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


@pytest.mark.alone
def test_fork_while_other_threads_log(sandbox: Sandbox) -> None:
    """
    Ten children, forked amidst the logging of four threads, all deliver; nothing is doubled.
    """
    life = live(
        """
        pipeline = make(flush_interval=0.01)
        going = True

        def busy():
            while going:
                say("parent")
                time.sleep(float(os.environ["PAUSE"]))

        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads:
            thread.start()

        def child():
            say("child")
            assert pipeline.flush(20)

        codes = {forked(child) for _ in range(10)}
        going = False
        for thread in threads:
            thread.join()
        assert pipeline.flush(20)
        print(codes, pipeline.stats().sent)
        """,
        sandbox.url,
        PAUSE="0.0005" if THOROUGH else "0.002",
    )
    counts = Counter(names(sandbox))

    assert ended_well(life)
    assert life.lines == [f"{{0}} {counts['parent']}"]
    assert counts["child"] == 10
    assert each_once(sandbox)


def test_a_fork_without_hooks_is_noticed_where_servers_make_them(sandbox: Sandbox) -> None:
    """The workers of uWSGI are forked in C, which calls none of Python's hooks."""
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
