"""
The table of endings: how a process may end that has just logged, and what becomes of the call.

It is the documentation's. Whoever runs its scripts gives them `work`, which logs one event and
may be told another name for it; `work_and_wait`, which flushes then; `work_in_time`, which has a
name of its own and waits until the event is gone, without a flush; `work_and_look`, which prints
the name if the event is not gone after a while; `importable`, which is `work` as other processes
import it; and what `MODULES` and
`FORKING` define.
"""

from __future__ import annotations

from typing import NamedTuple

MODULES = """
import concurrent.futures, faulthandler, multiprocessing, os, signal, sys, threading, time
import cio_events
"""

# `forked` runs a function in a child made by os.fork and returns its exit code, negative for a
# signal.
FORKING = """
def fork(function):
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        function()
        status = 0
    finally:
        if status:
            sys.excepthook(*sys.exc_info())
        os._exit(status)

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def forked(function):
    return ended(fork(function))
"""

# All of a start method, one after the other: each child of most methods is a new interpreter.
OF_METHOD = """
if __name__ in ("__main__", "endings"):
    context = multiprocessing.get_context({method!r})
    context.set_forkserver_preload(["__main__", "tests.process.preloaded"])
    process = context.Process(target=work, args=("`multiprocessing.Process`, {method}",))
    process.start()
    process.join()
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        executor.submit(work, "`ProcessPoolExecutor`, {method}").result()
    pool = context.Pool(1)
    pool.map(work, ["`Pool`, `close()` and `join()`, {method}"])
    pool.close()
    pool.join()
    with context.Pool(1) as pool:
        pool.map(work_and_wait, ["`with Pool()`, `flush()` at the end of the task, {method}"])
    with context.Pool(1) as pool:
        pool.map(work if {forked} else work_and_look, ["`with Pool()`, {method}"])
    if {forked}:
        with context.Pool(1) as pool:
            pool.map(work_in_time, ["`with Pool()`, {method}"])
"""

METHODS = {"fork": True, "spawn": False, "forkserver": False}
"""Each start method, and whether the child is forked from who has the pipeline."""

ALL, LOST, KEPT = {"arrives"}, {"lost"}, {"stays"}
ANY, SOMEWHERE = {"arrives", "lost"}, {"arrives", "stays"}


class Ending(NamedTuple):
    """
    A row of the table.

    Attributes:
        script: What ends so; ``""`` of one in `OF_METHOD`.

        memory: What may become of the call without a spool.

        spool: The same with one.

        at_once: Whether the call leaves at once, as what a forked child takes does: then another
            one, of `work_in_time`, arrives.
    """

    script: str
    memory: set[str]
    spool: set[str]
    at_once: bool = False


ENDINGS: dict[str, Ending] = {
    "a normal end": Ending("work()", ALL, ALL),
    "`python -c`, cron": Ending("work()", ALL, ALL),
    "`sys.exit()`": Ending("work(); sys.exit(3)", ALL, ALL),
    "an exception that nobody catches": Ending(
        "work(); raise SystemExit(ValueError('x'))", ALL, ALL
    ),
    "the end of a daemon thread": Ending(
        "t = threading.Thread(target=work, daemon=True); t.start(); t.join()",
        ALL,
        ALL,
    ),
    "`SIGTERM`": Ending(
        "work(); os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)", LOST, KEPT
    ),
    "`SIGTERM` with `install_signal_handlers()`": Ending(
        (
            "cio_events.install_signal_handlers(); work();"
            "os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)"
        ),
        ALL,
        ALL,
    ),
    "`SIGKILL`, out of memory": Ending("work(); os.kill(os.getpid(), signal.SIGKILL)", LOST, KEPT),
    "a crash of the interpreter, `os.abort()`": Ending(
        "faulthandler.disable(); work(); os.abort()",
        LOST,
        KEPT,
    ),
    "`os._exit()`": Ending("work(); os._exit(0)", LOST, KEPT),
    "`os.exec…()`": Ending(
        "work(); os.execv(sys.executable, [sys.executable, '-c', ''])", LOST, KEPT
    ),
    "`os.fork()` and `os._exit()` in the child": Ending(
        "forked(work); forked(work_in_time)",
        ANY,
        SOMEWHERE,
        at_once=True,
    ),
    "`os.fork()`, `flush()` and `os._exit()` in the child": Ending(
        "forked(work_and_wait)", ALL, ALL
    ),
    "`os.fork()` and `sys.exit()` in the child": Ending(
        "pid = os.fork()\nif not pid:\n    work()\n    sys.exit(0)\nended(pid)",
        ALL,
        ALL,
    ),
    "python-daemon, in the daemon": Ending(
        (
            "import daemon\npid = os.fork()\nif not pid:\n"
            "    with daemon.DaemonContext(detach_process=True):\n        work()\n"
            "    sys.exit(0)\nended(pid)"
        ),
        ALL,
        ALL,
    ),
    "python-daemon, before the daemon detaches": Ending(
        (
            "import daemon\nfor each in (work, work_in_time):\n"
            "    pid = os.fork()\n    if not pid:\n        each()\n"
            "        with daemon.DaemonContext(detach_process=True):\n            pass\n"
            "        sys.exit(0)\n    ended(pid)"
        ),
        ANY,
        SOMEWHERE,
        at_once=True,
    ),
    "joblib, backend multiprocessing": Ending(
        (
            "import joblib\nfor each in (work, work_in_time):\n"
            "    joblib.Parallel(2, backend='multiprocessing')([joblib.delayed(each)()])"
        ),
        ANY,
        SOMEWHERE,
        at_once=True,
    ),
    "joblib, backend multiprocessing, `flush()` at the end of the task": Ending(
        (
            "import joblib\njoblib.Parallel(2, backend='multiprocessing')"
            "(joblib.delayed(work_and_wait)() for _ in [1])"
        ),
        ALL,
        ALL,
    ),
    "joblib, backend loky": Ending(
        "import joblib\njoblib.Parallel(2)([joblib.delayed(importable)(ENDING)])",
        ANY,
        SOMEWHERE,
    ),
    **{
        name.format(method): Ending("", *expected)
        for method, forked in METHODS.items()
        for name, *expected in (
            ("`multiprocessing.Process`, {}", ALL, ALL),
            ("`ProcessPoolExecutor`, {}", ALL, ALL),
            ("`Pool`, `close()` and `join()`, {}", ALL, ALL),
            ("`with Pool()`, `flush()` at the end of the task, {}", ALL, ALL),
            ("`with Pool()`, {}", ANY, SOMEWHERE, forked),
        )
    },
}
"""All rows, by what the documentation calls them; with the start method, where one matters."""


def scripts() -> dict[str, str]:
    """What has to be run for all of them: the script of a row, or of a start method, by name."""
    return {
        **{name: ending.script for name, ending in ENDINGS.items() if ending.script},
        **{
            method: OF_METHOD.format(method=method, forked=forked)
            for method, forked in METHODS.items()
        },
    }
