"""Children of multiprocessing, which leave by os._exit, deliver before they do."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.process.life import ids_sent, live, live_in_file, names

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

METHODS = multiprocessing.get_all_start_methods()

# What every process of a script runs that imports it; where it is spawned, its children, too.
CONFIGURED = """
import concurrent.futures, multiprocessing
from tests.support.asleep import wait_until_asleep
context = multiprocessing.get_context({method!r})
context.set_forkserver_preload(["__main__", "tests.process.preloaded"])
pipeline = make(flush_interval=3600)

def work(number):
    say(f"child {{number}}")

def main():
    {main}

if __name__ == "__main__":
    main()
"""


def events_of(
    main: str, method: str, sandbox: Sandbox, tmp_path: Path, expected_code: int = 0
) -> Counter[str]:
    """Run *main*, which must write nothing to stderr; what has arrived, none of it twice."""
    script = CONFIGURED.format(method=method, main="\n    ".join(main.strip().splitlines()))
    if method == "fork":  # whose children import nothing
        life = live(script, sandbox.url)
    else:
        life = live_in_file(script, sandbox.url, tmp_path / "script.py")

    assert (life.code, life.err) == (expected_code, "")
    assert max(Counter(ids_sent(sandbox)).values()) == 1
    return Counter(names(sandbox))


@pytest.mark.parametrize("method", METHODS)
def test_the_last_statement_of_each_process(method: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """
    Of one that is started, those of a pool that is closed, and those of an executor: all arrive.

    Whatever the start method; the parent's stays its own. They come one after the other, as each
    child but a forked one imports everything anew.
    """
    several = 2 if method == "fork" else 1
    main = f"""
say("parent")
processes = [context.Process(target=work, args=(n,)) for n in range({several + 1})]
for process in processes:
    process.start()
for process in processes:
    process.join()
    assert process.exitcode == 0
pool = context.Pool({several})
pool.map(work, [f"of pool {{n}}" for n in range(20)])
pool.close()
pool.join()
with concurrent.futures.ProcessPoolExecutor({several}, mp_context=context) as executor:
    list(executor.map(work, [f"of executor {{n}}" for n in range(20)]))
say("parent again")
"""

    assert events_of(main, method, sandbox, tmp_path) == {
        "parent": 1,
        "parent again": 1,
        **{f"child {number}": 1 for number in range(several + 1)},
        **{f"child of pool {number}": 1 for number in range(20)},
        **{f"child of executor {number}": 1 for number in range(20)},
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_pool_that_terminates_its_workers(sandbox: Sandbox, tmp_path: Path) -> None:
    """
    ``with Pool()`` kills them by SIGTERM, so they need the handlers.

    There is one, and it is idle: of several, one that enters its queue's lock just then waits for
    who was ended with it, and no handler of Python's runs.
    """
    main = """
with context.Pool(1, cio_events.install_signal_handlers) as pool:
    pool.map(work, range(20))
    for worker in multiprocessing.active_children():
        wait_until_asleep(worker.pid)
"""

    assert events_of(main, "fork", sandbox, tmp_path) == {
        f"child {number}": 1 for number in range(20)
    }


def test_a_process_that_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """It delivers as well."""
    main = """
def fail():
    say("child")
    sys.exit(3)

process = context.Process(target=fail)
process.start()
process.join()
assert process.exitcode == 3
"""

    assert events_of(main, "fork", sandbox, tmp_path) == {"child": 1}


def test_children_of_a_child(sandbox: Sandbox, tmp_path: Path) -> None:
    """Made by multiprocessing or by os.fork, they deliver as well."""
    main = """
def child():
    say("child")
    grandchild = context.Process(target=work, args=("of child",))
    grandchild.start()
    grandchild.join()
    pid = os.fork()
    if not pid:
        say("forked")
        sys.exit(0)
    assert ended(pid) == 0

process = context.Process(target=child)
process.start()
process.join()
assert process.exitcode == 0
"""

    assert events_of(main, "fork", sandbox, tmp_path) == {
        "child": 1,
        "child of child": 1,
        "forked": 1,
    }


def test_a_thread_that_outlives_the_target(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is waited for after the finalizers have run, and delivers what it logs by itself."""
    main = """
def late():
    time.sleep(0.5)
    say("thread")

def child():
    say("child")
    threading.Thread(target=late).start()

process = context.Process(target=child)
process.start()
process.join()
"""

    assert events_of(main, "fork", sandbox, tmp_path) == {"child": 1, "thread": 1}


def test_os_is_not_patched(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither in the parent nor in a child."""
    main = """
before = os._exit, os.fork

def child():
    say("child")
    assert (os._exit, os.fork) == before

process = context.Process(target=child)
process.start()
process.join()
assert process.exitcode == 0
say("parent")
assert (os._exit, os.fork) == before
"""

    assert events_of(main, "fork", sandbox, tmp_path) == {"child": 1, "parent": 1}
