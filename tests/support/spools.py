"""Spools and processes that use them, for tests."""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cio_events._buffers.spool import Spool
from cio_events._calls.ulid import new_id
from cio_events._wire.envelope import Route, seal
from tests.support.nursery import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events._wire.envelope import Envelope

ROOT = Path(__file__).parents[2]

# Longer than any child needs on a loaded machine.
CHILD_SECONDS = 60

CHILD_START = """
import os, signal, sys, time
from pathlib import Path
from tests.support.spools import Noting, drain, envelope, number_of, opened
directory = Path(sys.argv[1])
"""


class Noting(list):
    """Keeps what a spool has to say."""

    def __call__(self, kind: str, message: str) -> None:
        """Hear it."""
        self.append((kind, message))

    @property
    def kinds(self) -> list[str]:
        """The kinds of what was said."""
        return [kind for kind, _ in self]


class SpoolWithPut(Spool):
    """A spool, with what a pipeline does to put a call there."""

    def put(self, one: Envelope) -> None:
        """Enter and write it."""
        self.enter((one,))
        try:  # noqa: SIM105 - there may be no room for a call of suppress()
            self.write()
        except RecursionError:
            pass  # the caller's stack is full; the next call writes it


_left_open: list[Spool] | None = None


@contextmanager
def closing_all() -> Iterator[None]:
    """Close what `opened` gives meanwhile, as the garbage collector would blame another test."""
    global _left_open  # a child that runs no test keeps none
    _left_open = []
    try:
        yield
    finally:
        for spool in _left_open:
            spool.close()
        _left_open = None


def opened(directory: Path, report: Noting | None = None, **options: Any) -> SpoolWithPut:
    """A spool there, with these options."""
    spool = SpoolWithPut(directory, report=Noting() if report is None else report, **options)
    if _left_open is not None:
        _left_open.append(spool)
    return spool


def envelope(number: int, size: int = 100, route: Route = Route.BATCH) -> Envelope:
    """A call that can be told by its number."""
    body = (
        b'{"type":"person","identifiers":{"id":"5"},"action":"event","name":"n",'
        b'"id":"%b","timestamp":1700000000,"attributes":{"number":%d,"x":"%b"}}'
    )
    id_ = new_id(1_700_000_000_000 + number)
    return seal(route, 1_700_000_000_000 + number, id_, body % (id_.encode(), number, b"x" * size))


def number_of(one: Envelope) -> int:
    """Which call it is."""
    return int(re.search(rb'"number":(-?\d+)', one).group(1))  # type: ignore[union-attr]


def drain(spool: Spool) -> list[int]:
    """Take and forget everything there is; returns the calls' numbers."""
    spool.adopt()
    numbers = []
    while taken := spool.take(1000):
        numbers += map(number_of, taken)
        spool.forget(taken)
    return numbers


def left_in(directory: Path) -> list[int]:
    """What a process would find there that comes later; it is gone then."""
    spool = opened(directory)
    numbers = drain(spool)
    spool.close()
    return numbers


def spool_files(directory: Path) -> list[Path]:
    """The files of waiting calls."""
    return sorted(path for path in directory.iterdir() if path.suffix == ".spool")


def child(code: str, *args: object) -> Child:
    """A process that runs *code*; it is killed at the end, if it still runs."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return Child(CHILD_START + code, [*map(str, args)], env={**env, "PYTHONPATH": str(ROOT)})


def run_child(code: str, *args: object) -> str:
    """Run *code* in a process to its end; returns what it printed."""
    with child(code, *args) as process:
        output, said = process.communicate(timeout=CHILD_SECONDS)
        assert process.returncode == 0, output + said
        return output


def wait_for(condition: object, seconds: float = 20.0) -> None:
    """Wait until *condition* holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
