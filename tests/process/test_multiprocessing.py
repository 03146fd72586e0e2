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

# Which child processes there are, by the start method: all but forked ones import everything anew.
CHILDREN = {method: 3 if method == "fork" else 2 for method in METHODS}
WORKERS = {method: 2 if method == "fork" else 1 for method in METHODS}

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
def test_the_last_statement_of_a_process(method: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """What is logged there is delivered, whatever the start method; the parent's stays its own."""
    main = f"""
say("parent")
processes = [context.Process(target=work, args=(n,)) for n in range({CHILDREN[method]})]
for process in processes:
    process.start()
for process in processes:
    process.join()
    assert process.exitcode == 0
"""

    assert events_of(main, method, sandbox, tmp_path) == {
        "parent": 1,
        **{f"child {number}": 1 for number in range(CHILDREN[method])},
    }


@pytest.mark.parametrize("method", METHODS)
def test_pool(method: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """A pool that is closed lets its workers end in good order."""
    main = f"""
say("parent")
pool = context.Pool({WORKERS[method]})
pool.map(work, range(20))
pool.close()
pool.join()
"""

    assert events_of(main, method, sandbox, tmp_path) == {
        "parent": 1,
        **{f"child {number}": 1 for number in range(20)},
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


@pytest.mark.parametrize("method", METHODS)
def test_process_pool_executor(method: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """Its workers end with it."""
    main = f"""
with concurrent.futures.ProcessPoolExecutor({WORKERS[method]}, mp_context=context) as executor:
    list(executor.map(work, range(20)))
say("parent")
"""

    assert events_of(main, method, sandbox, tmp_path) == {
        "parent": 1,
        **{f"child {number}": 1 for number in range(20)},
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
