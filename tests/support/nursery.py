"""
Child processes that begin with the imports done: each is forked from one process that did them.

Starting Python and importing ``cio_events`` costs more than what most scripts of tests do. A child
from here is a process like any other: it runs its script in ``__main__`` with standard streams,
arguments, environment and directory of its own, and ends as the interpreter ends, but that only a
`whole` end takes all modules apart. What the first call imports is there as well; who needs more
imports done has them done in a process to fork from of its own. For a command of others, such as
a server, `programs` has their imports done and ours not. A test of what is imported when, or of
options of the interpreter, needs a new interpreter.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType

    from typing_extensions import Self

ROOT = Path(__file__).parents[2]

_MESSAGE_BYTES = 8
_SERVE = (
    "import sys; from tests.support import nursery\n"
    "try: exec(nursery.serve(int(sys.argv[1]), sys.argv[2] == 'soon', sys.argv[3:]))\n"
    "except SystemExit as end: nursery.end_soon(end.code); raise\n"
    "else: nursery.end_soon(0)"
)

# Among what is imported: without `cio_events`.
OTHERS = "-"


class Child:
    """A script in a process of its own, with what is needed of `subprocess.Popen`."""

    def __init__(
        self,
        code: str,
        arguments: Sequence[str] = (),
        *,
        env: Mapping[str, str],
        cwd: Path = ROOT,
        start_new_session: bool = False,
        imported: Sequence[str] = (),
        whole: bool = False,
    ) -> None:
        """
        Start it, with these modules *imported* besides.

        A *whole* end takes all modules apart, as the interpreter does, which takes longer than
        most scripts.
        """
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        ours_status, theirs_status = os.pipe()
        try:
            _nursery(*imported).ask(
                {
                    "code": code,
                    "arguments": list(arguments),
                    "env": dict(env),
                    "cwd": str(cwd),
                    "session": start_new_session,
                    "whole": whole,
                },
                [theirs_in, theirs_out, theirs_err, theirs_status],
            )
        finally:
            for descriptor in (theirs_in, theirs_out, theirs_err, theirs_status):
                os.close(descriptor)
        self.stdin: IO[str] = os.fdopen(ours_in, "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(ours_out, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(ours_err, encoding="utf-8")
        self._status = os.fdopen(ours_status, "rb", buffering=0)
        self.pid = int(self._status.read(_MESSAGE_BYTES))
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        for pipe in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                pipe.close()

    def poll(self) -> int | None:
        """Its exit code as soon as it has ended; negative for a signal."""
        return self._look(0)

    def _look(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
                self.returncode = int(self._status.read(_MESSAGE_BYTES))
                self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a child", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait until it has ended; returns what it printed and what it wrote to stderr."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        texts = ["", ""]

        def read(index: int, pipe: IO[str]) -> None:
            texts[index] = pipe.read()

        readers = [
            threading.Thread(target=read, args=each, daemon=True)
            for each in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        end = time.monotonic() + timeout
        for reader in readers:
            reader.join(max(0.0, end - time.monotonic()))
            if reader.is_alive():
                self.kill()
                raise subprocess.TimeoutExpired("a child", timeout)
        self.wait(max(0.0, end - time.monotonic()))
        return texts[0], texts[1]


class _Nursery:
    """The process that children are forked from."""

    def __init__(self, imported: tuple[str, ...], *, soon: bool) -> None:
        self._owner = os.getpid()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        env = {name: value for name, value in os.environ.items() if not name.startswith("CIO_")}
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _SERVE, str(theirs.fileno())),
                    *("soon" if soon else "later", *imported),
                ],
                cwd=ROOT,
                env={**env, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._lock = threading.Lock()

    def ask(self, what: dict[str, object], descriptors: list[int]) -> None:
        """Have a child started."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(what).encode()], descriptors)

    def is_own(self) -> bool:
        """Whether it is this process's, and not that of the one it was forked from."""
        return self._owner == os.getpid()

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


_running: dict[tuple[str, ...], _Nursery] = {}
_starting = threading.Lock()


def begin(*each: Sequence[str], soon: bool) -> None:
    """
    Start those with *each* imported, for the processes that are forked from this one.

    They import it *soon*, or only when somebody asks for a child.
    """
    for imported in each:
        _nursery(*imported, soon=soon)


def _nursery(*imported: str, soon: bool = True) -> _Nursery:
    with _starting:
        if imported not in _running:
            _running[imported] = _Nursery(imported, soon=soon)
        return _running[imported]


def close() -> None:
    """End the processes that children are forked from, if they are this one's own."""
    with _starting:
        for imported in [imported for imported, each in _running.items() if each.is_own()]:
            _running.pop(imported).close()


def serve(descriptor: int, soon: bool, imported: Sequence[str]) -> CodeType:
    """
    Fork a child for each request; returns, in the child, what it has to run.

    What else is *imported* is so in each child, *soon* or when the first is asked for.
    """
    from importlib import import_module

    if not soon:
        select.select([descriptor], [], [])
    if OTHERS not in imported:
        _import_ours()
    if OTHERS not in imported or "structlog" in imported:
        # It would import rich, which takes longer than all the rest.
        sys.modules["rich"] = None  # type: ignore[assignment]
        import_module("structlog")
        del sys.modules["rich"]
    for each in imported:
        if each != OTHERS:
            import_module(each)
    gc.collect()
    gc.freeze()
    return _Forking(descriptor).serve()


_whole = False


class _End:
    """Where an interpreter would begin to take modules apart, it takes the script's and ends."""

    def __init__(self, code: int) -> None:
        self._code = code

    def __del__(self) -> None:
        vars(sys.modules["__main__"]).clear()
        gc.collect()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # it has been flushed before, and said what it could not
                stream.flush()
        os._exit(self._code & 0xFF)


def end_soon(code: object) -> None:
    """
    Have the interpreter end as soon as it has done what concerns a script.

    By then it has waited for threads, called the hooks of the exit and stopped all other threads.
    """
    if not _whole and (code is None or isinstance(code, int)):
        # Of what `sys` has, the interpreter takes this among the first, before any module.
        sys.__interactivehook__ = _End(code or 0)  # type: ignore[assignment]


def _import_ours() -> None:
    import cio_events

    with cio_events.Pipeline(site_id="site", api_key="key") as pipeline:
        pipeline._track._transport()


class _Forking:
    """Forks a child for each request, and tells the end of each to who has asked for it."""

    def __init__(self, descriptor: int) -> None:
        self._requests = socket.socket(fileno=descriptor)
        self._statuses: dict[int, int] = {}
        # Readable once a child has ended.
        self._ended, self._ending = os.pipe()

    def serve(self) -> CodeType:
        """Do so until nobody asks any more; returns in a child, with what it has to run."""
        os.set_blocking(self._ending, False)
        signal.set_wakeup_fd(self._ending)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([self._requests, self._ended], [], [])
            if self._ended in ready:
                os.read(self._ended, 1 << 10)
                self._tell_ends()
            if self._requests not in ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(self._requests, 1 << 20, 4)
            if not message:
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                self._forget()
                return _begin(descriptors, **json.loads(message))
            for each in descriptors[:-1]:
                os.close(each)
            self._statuses[pid] = descriptors[-1]
            self._write(descriptors[-1], pid)

    def _forget(self) -> None:
        """Leave to the parent what is the parent's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._requests.close()
        for each in (self._ended, self._ending, *self._statuses.values()):
            os.close(each)

    def _tell_ends(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                descriptor = self._statuses.pop(ended[0])
                self._write(descriptor, os.waitstatus_to_exitcode(ended[1]))
                os.close(descriptor)

    def _write(self, descriptor: int, number: int) -> None:
        with suppress(OSError):  # nobody wants to know any more
            os.write(descriptor, b"%*d" % (_MESSAGE_BYTES, number))


def _begin(
    descriptors: list[int],
    code: str,
    arguments: list[str],
    env: dict[str, str],
    cwd: str,
    session: bool,
    whole: bool,
) -> CodeType:
    import warnings

    global _whole
    _whole = whole

    *streams, status = descriptors
    os.close(status)
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    if "cio_events" in sys.modules:
        from cio_events._process import exits

        exits.at_once = False  # to its script, this process was never forked
    if session:
        os.setsid()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    time.tzset()
    sys.argv[1:] = arguments
    if "PYTHONWARNINGS" in env:
        warnings._processoptions([env["PYTHONWARNINGS"]])  # type: ignore[attr-defined]
    else:
        warnings.simplefilter("error")
    return compile(code, "<string>", "exec")
