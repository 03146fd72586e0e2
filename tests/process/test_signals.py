"""What `install_signal_handlers` does when a signal comes to end the process."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

import cio_events
from tests.process.life import PRELUDE, Ended, live, names, start
from tests.support.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from pathlib import Path

    from cio_events.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="POSIX signals")


def killed(script: str, url: str, number: int) -> Ended:
    """Run a script until it prints "ready", send it a signal, and wait for its end."""
    with start(script, url) as running:
        assert running.line() == "ready"
        running.send(number)
        return running.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_signals_default_ends_the_process_after_delivery(
    sandbox: Sandbox, number: signal.Signals
) -> None:
    """Whoever has sent it sees the process die of it."""
    life = killed(
        f"""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        make(flush_interval=3600)
        cio_events.install_signal_handlers([{int(number)}])
        say("event")
        print("ready", flush=True)
        time.sleep(45)
        """,
        sandbox.url,
        number,
    )

    assert (life.code, life.err) == (-number, "")
    assert names(sandbox) == ["event"]


def test_without_them_sigterm_loses_what_is_pending(sandbox: Sandbox) -> None:
    """They are off unless asked for."""
    life = killed(
        'make(flush_interval=3600); say("event"); print("ready", flush=True); time.sleep(45)',
        sandbox.url,
        signal.SIGTERM,
    )

    assert life.code == -signal.SIGTERM
    assert names(sandbox) == []


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.17])
def test_a_busy_worker_delivers_before_it_dies(sandbox: Sandbox, delay: float) -> None:
    """The signal may interrupt any line of ours, or a log handler that holds its lock."""
    script = """
        class Slow(logging.Handler):
            def emit(self, record):
                for _ in range(300):
                    pass

        slow = Slow()
        log.addHandler(slow)
        logging.getLogger("urllib3").setLevel(logging.DEBUG)
        logging.getLogger("urllib3").addHandler(slow)
        make(flush_interval=0.01, max_pending=10 ** 6)
        cio_events.install_signal_handlers(timeout=20)
        print("ready", flush=True)
        count = 0
        while True:
            count += 1
            say(f"event {count}")
        """
    with start(script, sandbox.url) as running:
        assert running.line() == "ready"
        time.sleep(0.2 + delay)
        running.send(signal.SIGTERM)
        life = running.end()
    arrived = names(sandbox)

    assert (life.code, life.err) == (-signal.SIGTERM, "")
    assert arrived
    assert arrived == [f"event {count + 1}" for count in range(len(arrived))]


def test_an_earlier_handler_is_called_after_delivery(sandbox: Sandbox) -> None:
    """
    With the signal and the frame; the process goes on as it wants to, and so does the pipeline.
    """
    life = live(
        """
        calls = []

        def earlier(signum, frame):
            calls.append((signum, frame is not None, pipeline.stats().sent))

        signal.signal(signal.SIGTERM, earlier)
        pipeline = make(flush_interval=3600)
        cio_events.install_signal_handlers()
        for number in range(3):
            say("event")
            os.kill(os.getpid(), signal.SIGTERM)
            print(calls)
            calls.clear()
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == [f"[({int(signal.SIGTERM)}, True, {number})]" for number in (1, 2, 3)]


def test_an_earlier_handler_may_exit(sandbox: Sandbox) -> None:
    """Also without the interpreter's hooks."""
    life = live(
        """
        signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
        make(flush_interval=3600)
        cio_events.install_signal_handlers()
        say("event")
        os.kill(os.getpid(), signal.SIGTERM)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (9, "")
    assert names(sandbox) == ["event"]


def test_an_ignored_signal_stays_ignored(sandbox: Sandbox) -> None:
    """As for a process that nohup has started."""
    life = live(
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        make(flush_interval=3600)
        cio_events.install_signal_handlers()
        say("event")
        os.kill(os.getpid(), signal.SIGTERM)
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["True"]
    assert names(sandbox) == ["event"]


def test_keyboard_interrupt_comes_at_once(sandbox: Sandbox) -> None:
    """It leads to an exit in good order, where what is pending is delivered."""
    life = killed(
        """
        make(flush_interval=3600)
        cio_events.install_signal_handlers()
        say("event")
        try:
            print("ready", flush=True)
            time.sleep(45)
        except KeyboardInterrupt:
            print("interrupted")
        """,
        sandbox.url,
        signal.SIGINT,
    )

    assert (life.code, life.err) == (0, "")
    assert life.out == "interrupted\n"
    assert names(sandbox) == ["event"]


def test_the_budget_is_kept_and_the_loss_is_said() -> None:
    """A server that is silent does not keep the process alive."""
    with ScriptedServer([stall()]) as server:
        started = time.monotonic()
        life = killed(
            """
            make(flush_interval=0, timeout=40)
            cio_events.install_signal_handlers(timeout=0.3)
            say("lost")
            print("ready", flush=True)
            time.sleep(45)
            """,
            server.url,
            signal.SIGTERM,
        )

    assert life.code == -signal.SIGTERM
    assert time.monotonic() - started < 20
    assert "1 call could not be delivered before the exit and is lost" in life.err
    assert "Traceback" not in life.err


def test_a_second_signal_does_not_wait() -> None:
    """Whoever sends it again wants the process to end now."""
    script = """
        make(flush_interval=3600, timeout=45)
        cio_events.install_signal_handlers(timeout=45)
        say("lost")
        print("ready", flush=True)
        time.sleep(45)
        """
    with ScriptedServer([stall()]) as server, start(script, server.url) as running:
        started = time.monotonic()
        assert running.line() == "ready"
        running.send(signal.SIGTERM)
        # Two that come before the first is handled are one.
        while not server.requests:
            time.sleep(0.01)
        running.send(signal.SIGTERM)
        life = running.end()

    assert life.code == -signal.SIGTERM
    assert time.monotonic() - started < 20


def test_to_install_twice_is_to_install_once(sandbox: Sandbox) -> None:
    """The earlier handler is called once, and the newer timeout holds."""
    life = live(
        """
        calls = []
        signal.signal(signal.SIGTERM, lambda *_: calls.append(1))
        make(flush_interval=3600)
        cio_events.install_signal_handlers(timeout=0)
        cio_events.install_signal_handlers(timeout=20)
        say("event")
        os.kill(os.getpid(), signal.SIGTERM)
        print(calls, flush=True)
        os._exit(0)
        """,
        sandbox.url,
    )

    assert life.lines == ["[1]"]
    assert names(sandbox) == ["event"]


def test_a_handler_that_others_put_in_between_is_chained(sandbox: Sandbox) -> None:
    """Also when ours are installed again after it."""
    life = live(
        """
        calls = []
        signal.signal(signal.SIGTERM, lambda *_: calls.append("first"))
        make(flush_interval=3600)
        cio_events.install_signal_handlers()
        ours = signal.getsignal(signal.SIGTERM)

        def between(signum, frame):
            calls.append("between")
            ours(signum, frame)

        signal.signal(signal.SIGTERM, between)
        cio_events.install_signal_handlers()
        say("event")
        os.kill(os.getpid(), signal.SIGTERM)
        print(calls)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["['between', 'first']"]
    assert names(sandbox) == ["event"]


def test_several_pipelines_deliver(sandbox: Sandbox) -> None:
    """The handlers are for all of them."""
    life = killed(
        """
        for number in range(3):
            pipeline = cio_events.Pipeline(site_id="s", api_key="k", flush_interval=3600)
            pipeline.track("5", f"event {number}")
        cio_events.install_signal_handlers()
        print("ready", flush=True)
        time.sleep(45)
        """,
        sandbox.url,
        signal.SIGTERM,
    )

    assert (life.code, life.err) == (-signal.SIGTERM, "")
    assert sorted(names(sandbox)) == ["event 0", "event 1", "event 2"]


def test_only_the_main_thread_may_install_them(sandbox: Sandbox) -> None:
    """Python allows no other; the error says so."""
    life = live(
        """
        def install():
            try:
                cio_events.install_signal_handlers()
            except RuntimeError as error:
                print(error)

        thread = threading.Thread(target=install)
        thread.start()
        thread.join()
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["install_signal_handlers has to be called on the main thread", "True"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("signal.SIGTERM", "signals: must be signals"),
        ("[signal.SIGKILL]", "which no process can handle"),
        ("[signal.SIGCHLD]", "which does not end a process"),
        ("[4711]", "4711, which is no signal"),
        ("['SIGTERM']", "which is no signal"),
        ("timeout=-1", "timeout: must be a number of seconds"),
        ("timeout=True", "timeout: must be a number of seconds"),
        ("timeout=float('nan')", "timeout: must be a number of seconds"),
        ("[signal.SIGTERM, signal.SIGSTOP]", "which no process can handle"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_installed(
    monkeypatch: pytest.MonkeyPatch, arguments: str, words: str
) -> None:
    """The error says which argument, and what it should be."""
    installed: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda *args: installed.append(args))
    with pytest.raises(cio_events.ParamError) as raised:
        eval(f"cio_events.install_signal_handlers({arguments})", globals())

    assert words in str(raised.value)
    assert installed == []


@pytest.mark.skipif(
    os.system("unshare --fork --pid true 2>/dev/null") != 0,
    reason="needs to be allowed to make a PID namespace",
)
def test_the_first_process_of_a_container_ends_too(sandbox: Sandbox, tmp_path: Path) -> None:
    """
    The kernel spares it from a signal's default; it exits as a shell would report the signal.
    """
    file = tmp_path / "first.py"
    file.write_text(
        PRELUDE
        + """
assert os.getpid() == 1
make(flush_interval=3600)
cio_events.install_signal_handlers()
say("event")
os.kill(1, signal.SIGTERM)
"""
    )
    life = live(
        f"""
        import subprocess
        command = ["unshare", "--fork", "--pid", sys.executable, {str(file)!r}]
        print(subprocess.run(command, timeout=40).returncode)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == [str(128 + signal.SIGTERM)]
    assert names(sandbox) == ["event"]


def test_asyncio_is_told_once(sandbox: Sandbox) -> None:
    """What the event loop has for the signal is called once, and it may end in good order."""
    life = killed(
        """
        import asyncio
        calls = []

        async def main():
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, lambda: (calls.append(1), stop.set()))
            cio_events.install_signal_handlers()
            say("event")
            print("ready", flush=True)
            await stop.wait()
            await asyncio.sleep(0.2)

        make(flush_interval=3600)
        asyncio.run(main())
        print(calls)
        """,
        sandbox.url,
        signal.SIGTERM,
    )

    assert (life.code, life.err) == (0, "")
    assert life.out == "[1]\n"
    assert names(sandbox) == ["event"]


def test_after_the_first_signal_what_is_logged_leaves_at_once(sandbox: Sandbox) -> None:
    """A server that handles the signal serves what is open, and may then be ended by anything."""
    with start(
        """
        told = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: told.set())
        pipeline = make(flush_interval=3600)
        cio_events.install_signal_handlers()
        say("before")
        print("ready", flush=True)
        while not told.wait(0.01):
            pass
        say("after")
        while pipeline.stats().pending:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        sandbox.url,
    ) as running:
        assert running.line() == "ready"
        running.send(signal.SIGTERM)
        assert running.end().code == -signal.SIGKILL

    assert names(sandbox) == ["before", "after"]
