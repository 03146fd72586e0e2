"""The interpreter's end: what is pending is delivered within the budget, or said to be lost."""

from __future__ import annotations

import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cio_events import Pipeline, signals
from cio_events._process.clock import monotonic
from tests.process import life as lives
from tests.process.life import ROOT, Running, names
from tests.support.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from pathlib import Path

    from cio_events.sandbox import Sandbox

# It matters here what an interpreter does when all else is done.
live = partial(lives.live, whole=True)
start = partial(lives.start, whole=True)

# At which nobody listens.
NOWHERE = "http://127.0.0.1:1"

THREE_LINES = """
import cio_events, structlog
structlog.configure(processors=[cio_events.CustomerIOProcessor(), lambda *_: ""])
structlog.get_logger().info("bye", cio_customer="5")
"""


def test_three_lines_deliver(sandbox: Sandbox) -> None:
    """Configure, log, and fall off the end."""
    command = [sys.executable, "-c", THREE_LINES]
    environ = {"CIO_SITE_ID": "site", "CIO_API_KEY": "key"}
    with Running(command, sandbox.url, cwd=ROOT, environ=environ) as running:
        life = running.end()

    assert (life.code, life.err) == (0, "")
    assert names(sandbox) == ["bye"]


def test_what_cannot_be_delivered_is_said_to_be_lost() -> None:
    """
    With the server down, the exit takes no longer than its budget, and one line has the number.
    """
    life = live(
        """
        make(exit_timeout=0.3)
        for number in range(7):
            say("lost")
        """,
        NOWHERE,
    )
    lines = [line for line in life.err.splitlines() if "lost" in line]

    assert life.code == 0
    assert len(lines) == 1
    assert "7 calls" in lines[0]
    assert "Traceback" not in life.err


def test_the_budget_bounds_the_exit_while_a_request_hangs() -> None:
    """Whether the request was under way before the exit began, or began with it."""
    with ScriptedServer([stall()] * 2) as server:
        started = time.monotonic()
        script = "make(exit_timeout=0.5, flush_interval=0, timeout=45); say('lost'); "
        with start(script + "wait()", server.url) as running:
            while not server.requests:
                time.sleep(0.01)
            running.go()
            under_way = running.end()
        begun = live(script, server.url)
        taken = time.monotonic() - started

    assert (under_way.code, begun.code) == (0, 0)
    assert taken < 30
    for life in (under_way, begun):
        assert "1 call could not be delivered before the exit and is lost" in life.err
        assert "Traceback" not in life.err
        assert len(life.err.splitlines()) == 1


def test_a_receiver_that_hangs_does_not_put_the_exit_off(sandbox: Sandbox) -> None:
    """It has the budget like everything else."""
    life = live(
        """
        hanging = threading.Event()

        @cio_events.signals.sent.connect
        def hang(sender, report):
            hanging.set()
            time.sleep(45)

        make(exit_timeout=0.3, flush_interval=0)
        say("sent")
        assert hanging.wait(20)
        say("lost")
        """,
        sandbox.url,
    )

    assert life.code == 0
    assert "Traceback" not in life.err
    assert names(sandbox) == ["sent"]
    assert "1 call could not be delivered" in life.err


def test_pipelines_share_one_budget(sandbox: Sandbox) -> None:
    """One whose server is silent does not take the time of another, nor add to it."""
    with ScriptedServer([stall()] * 3) as server:
        started = time.monotonic()
        life = live(
            f"""
            options = dict(site_id="site", api_key="key", flush_interval=3600, exit_timeout=3)
            silent = [
                cio_events.Pipeline(**options, track_url={server.url!r}) for _ in range(3)
            ]
            good = cio_events.Pipeline(**options)
            for pipeline in (*silent, good):
                pipeline.track("5", "event")
            """,
            sandbox.url,
        )
        taken = time.monotonic() - started

    assert life.code == 0
    assert names(sandbox) == ["event"]
    assert life.err.count("1 call could not be delivered") == 3
    assert taken < 20


def test_a_pipeline_that_nobody_keeps_delivers(sandbox: Sandbox) -> None:
    """Also where no thread can be started, which would have kept it."""
    life = live(
        """
        def refuse(self):
            raise RuntimeError("can't start new thread")
        threading.Thread.start = refuse
        import gc
        cio_events.Pipeline(site_id="site", api_key="key").track("5", "event")
        gc.collect()
        """,
        sandbox.url,
        fresh=True,
    )

    assert life.code == 0
    assert names(sandbox) == ["event"]


def test_other_exit_hooks_may_log(sandbox: Sandbox) -> None:
    """Before ours and after it, several times, and also when that takes longer than the budget."""
    life = live(
        """
        import atexit
        clock = time.monotonic

        def after():
            time.monotonic = lambda: clock() + 1000
            say("after ours 1")
            say("after ours 2")
            print(pipeline.stats().sent, pipeline.stats().pending)

        atexit.register(after)
        pipeline = make()
        say("before the end")
        atexit.register(say, "before ours")
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert names(sandbox) == ["before the end", "before ours", "after ours 1", "after ours 2"]
    assert life.lines == ["4 0"]


@pytest.mark.parametrize("configured", [True, False], ids=["configured before", "in the hook"])
def test_the_first_event_may_come_from_an_exit_hook(sandbox: Sandbox, *, configured: bool) -> None:
    """No thread can be started then, and no hook registered: it is sent at once."""
    life = live(
        f"""
        import atexit

        def hook():
            if not {configured}:
                make()
            say("first")
            say("second")

        atexit.register(hook)
        if {configured}:
            make()
        """,
        sandbox.url,
        fresh=True,
    )

    assert (life.code, life.err) == (0, "")
    assert names(sandbox) == ["first", "second"]


def test_a_late_event_that_cannot_be_delivered_is_said_to_be_lost() -> None:
    """The budget is one for all of them."""
    life = live(
        """
        import atexit

        def hook():
            started = time.monotonic()
            for number in range(5):
                say("lost")
            stats = pipeline.stats()
            print(stats.received, dict(stats.dropped_by_reason), time.monotonic() - started < 5)

        atexit.register(hook)
        pipeline = make(exit_timeout=0.3)
        """,
        NOWHERE,
    )

    assert life.code == 0
    assert life.lines == ["5 {'exit': 5} True"]
    assert "1 call could not be delivered before the exit and is lost" in life.err
    assert "Traceback" not in life.err


def test_a_finalizer_that_logs_while_the_interpreter_is_taken_apart(sandbox: Sandbox) -> None:
    """Nothing can be sent then, which is said at once."""
    started = time.monotonic()
    life = live(
        """
        import gc

        class Late:
            def __del__(self):
                assert sys.is_finalizing()
                say("lost")

        gc.disable()
        late = Late()
        late.itself = late
        del late
        make(exit_timeout=45)
        say("event")
        """,
        sandbox.url,
    )

    assert life.code == 0
    assert time.monotonic() - started < 30
    assert names(sandbox) == ["event"]
    assert life.err.splitlines() == ["1 call could not be delivered before the exit and is lost"]


def test_exit_during_an_import(sandbox: Sandbox, tmp_path: Path) -> None:
    """A module that logs and exits while it is imported, with the import's locks held."""
    (tmp_path / "quitter.py").write_text("import __main__\n__main__.say('quit')\nexit(3)\n")
    life = live(f"make(); sys.path.insert(0, {str(tmp_path)!r}); import quitter", sandbox.url)

    assert (life.code, life.err) == (3, "")
    assert names(sandbox) == ["quit"]


@pytest.mark.parametrize("daemon", [False, True])
def test_sys_exit_in_a_thread(sandbox: Sandbox, *, daemon: bool) -> None:
    """It ends that thread only."""
    life = live(
        f"""
        make()

        def work():
            say("thread")
            sys.exit(1)

        thread = threading.Thread(target=work, daemon={daemon})
        thread.start()
        thread.join()
        say("main")
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert names(sandbox) == ["thread", "main"]


@pytest.mark.parametrize("first", ["main", "thread"])
def test_threads_may_outlive_the_main_thread(sandbox: Sandbox, first: str) -> None:
    """The interpreter waits for them, so that this is not the end: not even after its budget."""
    life = live(
        f"""
        pipeline = make(exit_timeout=0, flush_interval=0.05)

        def work():
            time.sleep(0.3)
            for number in range(5):
                say(f"thread {{number}}")
                time.sleep(0.02)
            assert pipeline.flush(20)
            print(pipeline.stats().dropped)

        threading.Thread(target=work).start()
        if {first!r} == "main":
            say("main")
        """,
        sandbox.url,
    )
    expected = [f"thread {number}" for number in range(5)]

    assert life.code == 0
    assert life.lines == ["0"]
    assert names(sandbox) == (["main", *expected] if first == "main" else expected)


def test_daemon_threads_that_go_on_logging_do_no_harm(sandbox: Sandbox) -> None:
    """They run until the interpreter stops them; neither a hang nor a traceback comes of it."""
    life = live(
        """
        make(exit_timeout=0.5, flush_interval=0.01)

        def work():
            while True:
                say("daemon")
                time.sleep(0.001)

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)
        """,
        sandbox.url,
    )

    assert life.code == 0
    assert "Traceback" not in life.err
    assert "Exception" not in life.err


def test_ctrl_c_ends_the_wait() -> None:
    """Who presses it a second time does not want to wait; the count is said, and no traceback."""
    script = """
        make(flush_interval=3600, exit_timeout=40, timeout=45)
        say("lost")
        print("ready", flush=True)
        """
    with ScriptedServer([stall()]) as server, start(script, server.url) as running:
        assert running.line() == "ready"
        while not server.requests:  # which comes of the exit alone
            time.sleep(0.01)
        running.send(signal.SIGINT)
        life = running.end()

    assert life.code == 0
    assert "1 call could not be delivered" in life.err
    assert "Traceback" not in life.err


def test_logging_shutdown_does_not_wait_and_does_not_close(sandbox: Sandbox) -> None:
    """All handlers are closed then; what is logged later still arrives."""
    life = live(
        """
        make(flush_interval=3600)
        say("before")
        logging.shutdown()
        say("after")
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert names(sandbox) == ["before", "after"]


def test_an_uncaught_exception_delivers_too(sandbox: Sandbox) -> None:
    """Its traceback is all that is written."""
    life = live("make(); say('event'); raise ValueError('mine')", sandbox.url)

    assert life.code == 1
    assert life.err.splitlines()[-1] == "ValueError: mine"
    assert life.err.count("Traceback") == 1
    assert names(sandbox) == ["event"]


def test_nothing_is_owed_at_the_exit_of_a_process_that_logs_nothing(sandbox: Sandbox) -> None:
    """A configured pipeline that had no call starts nothing and waits for nothing."""
    life = live(
        """
        import atexit
        registered = []
        atexit.register = registered.append
        make()
        print(registered, threading.active_count(), "requests" in sys.modules)
        """,
        sandbox.url,
        fresh=True,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["[] 1 False"]
    assert sandbox.requests == []


def test_the_spool_keeps_what_the_exit_could_not_deliver(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is lost then; late events are kept as well."""
    script = f"""
        import atexit
        pipeline = make(exit_timeout=0.3, spool={str(tmp_path)!r})
        atexit.register(say, "after ours")
        say("kept")
        """
    sandbox.fail_next(503, times=None)
    down = live(script, sandbox.url)
    sandbox.heal()
    up = live(f"assert make(spool={str(tmp_path)!r}).flush(20)", sandbox.url)

    assert (down.code, up.code) == (0, 0)
    assert "lost" not in down.err
    assert "Traceback" not in down.err
    assert sorted(names(sandbox)) == ["after ours", "kept"]


def test_receivers_of_what_is_given_up_are_inside_the_budget() -> None:
    """Some time is kept for them, and none is added."""
    budget = 2.0
    with Pipeline(
        site_id="site", api_key="key", track_url=NOWHERE, exit_timeout=budget, flush_interval=0
    ) as pipeline:
        told: list[float] = []

        def slow(_: object, **__: object) -> None:
            told.append(monotonic())
            time.sleep(0.05)

        with signals.dropped.connected_to(slow, pipeline):
            for number in range(200):
                pipeline.track("5", f"{number}")
            started = monotonic()
            pipeline.deliver_before_exit(started, None)

        assert pipeline.stats().dropped_by_reason == {"exit": 200}
        assert 0 < len(told) < 200
        assert max(told) < started + 1.2 * budget


def test_thirty_pipelines_share_one_budget_with_their_receivers(sandbox: Sandbox) -> None:
    """None stretches it, and who can deliver does so, wherever in the row it stands."""
    budget = 2.0
    told: list[float] = []

    def slow(_: object, **__: object) -> None:
        told.append(monotonic())
        time.sleep(0.05)

    def made(url: str) -> Pipeline:
        return Pipeline(
            site_id="site", api_key="key", track_url=url, exit_timeout=budget, flush_interval=0
        )

    pipelines = [made(sandbox.url if number == 29 else NOWHERE) for number in range(30)]
    with signals.dropped.connected_to(slow):
        for pipeline in pipelines:
            for number in range(5):
                pipeline.track("5", f"{number}")
        started = monotonic()
        for pipeline in pipelines:
            pipeline.wake()
        for pipeline in pipelines:
            pipeline.deliver_before_exit(started, None)
        taken = monotonic() - started
    for pipeline in pipelines:
        pipeline.close(0)

    assert pipelines[-1].stats().sent == 5
    assert sum(pipeline.stats().dropped for pipeline in pipelines) == 29 * 5
    assert 0 < len(told) < 29 * 5
    assert taken < 2 * budget
