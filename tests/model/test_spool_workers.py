"""Whatever happens to workers that share a spool, what they took ends, messages at most once."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool import Spool, backlog, buffer, ownership
from cio_events._wire.envelope import Route
from tests.support.spools import Noting, envelope, number_of

pytestmark = pytest.mark.alone

SCHEDULES = int(os.environ.get("CIO_SPOOL_SCHEDULES", "15"))
STEPS = 30


class Workers:
    """Two workers with one directory, and what Customer.io has had of them."""

    def __init__(self, seed: int) -> None:
        """Start with an empty directory."""
        self.random = random.Random(seed)
        self.directory = Path(tempfile.mkdtemp()) / "spool"
        self.report = Noting()
        self.next = 0
        self.accepted: dict[int, tuple[int, Route]] = {}  # by number: in which life, which way
        self.arrived: list[int] = []
        self.ended: Counter[int] = Counter()
        self.lives = 0
        self.damaged = False
        self.workers = [self.begin(), self.begin()]

    def begin(self, *, adopts: bool = True) -> list:
        """A new worker: its spool, what it has in hand, and which life it is."""
        self.lives += 1
        return [Spool(self.directory, report=self.report, adopts=adopts), [], self.lives]

    def step(self) -> None:
        """One thing that happens."""
        worker = self.random.choice(self.workers)
        steps = [self.put] * 4 + [self.take] * 3 + [self.deliver] * 4
        steps += [self.adopt, self.close, self.kill, self.fill, self.empty, self.copy, self.flip]
        self.random.choice(steps)(worker)
        assert all(spool.in_memory >= 0 for spool, _, _ in self.workers)
        assert all(file.live >= 0 for spool, _, _ in self.workers for file in spool._files())

    def put(self, worker: list) -> None:
        """Accept some calls."""
        for _ in range(self.random.randrange(1, 12)):
            route = Route.APP if self.random.random() < 0.2 else Route.BATCH
            worker[0].put(envelope(self.next, self.random.choice([0, 100, 3000]), route))
            self.accepted[self.next] = worker[2], route
            self.next += 1

    def take(self, worker: list) -> None:
        """Have more in hand."""
        worker[1] += worker[0].take(self.random.randrange(1, 20))

    def adopt(self, worker: list) -> None:
        """Look for what others have left."""
        worker[0].adopt()

    def deliver(self, worker: list) -> None:
        """Send the first of them; a message may be in doubt."""
        spool, in_hand, _ = worker
        for one in in_hand[: self.random.randrange(1, 12)]:
            number = number_of(one)
            if one[:1] != Route.APP:
                self.arrived.append(number)
                spool.forget([one])
            elif spool.maybe_sent(one):
                spool.dead_letter([one], [Failure("ambiguous", None, None)])
            elif spool.sending(one):
                self.arrived.append(number)
                if self.random.random() < 0.5:
                    spool.forget([one])
                else:
                    spool.dead_letter([one], [Failure("ambiguous", None, None)])
            else:
                break
            self.ended[number] += 1
            in_hand.remove(one)

    def close(self, worker: list) -> None:
        """End, and begin again; what could not be written is lost, and said."""
        for one in worker[0].close(worker[1]):
            self.ended[number_of(one)] += 1
        worker[:] = self.begin(adopts=self.random.random() < 0.8)

    def kill(self, worker: list) -> None:
        """Kill it: what is on the disk is as it was in that moment."""
        spool = worker[0]
        in_memory = [*spool._incoming, *spool._unspooled]
        kept = {
            path: path.read_bytes()
            for file in spool._files()
            for path in self.directory.glob(f"{file.path.name}*")
        }
        spool.report = Noting()
        spool.close(worker[1])
        for path in self.directory.glob(f"{os.getpid()}-{spool._ages._backlog or 'x'}-*"):
            path.unlink()
        for path, content in kept.items():
            path.touch(0o600)
            path.write_bytes(content)
        for one in in_memory:
            self.ended[number_of(one)] += 1  # it was not on the disk
        worker[:] = self.begin(adopts=self.random.random() < 0.8)

    def fill(self, worker: list) -> None:
        """The disk is full: no file of it grows."""
        for file in worker[0]._files():
            (pages,) = file._execute("PRAGMA page_count").fetchone()
            file._execute(f"PRAGMA max_page_count = {pages}").fetchone()

    def empty(self, worker: list) -> None:
        """There is room again."""
        for file in worker[0]._files():
            file._execute("PRAGMA max_page_count = 1000000").fetchone()

    def copy(self, worker: list) -> None:
        """The application makes a copy of the directory."""
        shutil.copytree(self.directory, self.directory.parent / "copy")
        shutil.rmtree(self.directory.parent / "copy")

    def flip(self, worker: list) -> None:
        """A bit falls over in a file that nobody has."""
        held = {file.path for spool, _, _ in self.workers for file in spool._files()}
        for path in sorted(self.directory.glob("*.spool")):
            if path not in held and self.random.random() < 0.1 and path.stat().st_size:
                self.damaged = True
                content = bytearray(path.read_bytes())
                content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
                path.write_bytes(content)

    def end(self) -> None:
        """All come to rest, one takes the rest, and the books are made."""
        for worker in self.workers:
            self.empty(worker)
            self.close(worker)
        for worker in self.workers:
            for one in worker[0].close(worker[1]):
                self.ended[number_of(one)] += 1
        last = self.begin()
        for _ in range(50):
            last[0].adopt()
            last[1] += last[0].take(10_000)
            if not last[1]:
                break
            self.deliver(last)
        last[0].close(last[1])
        self.workers = []
        twice = [one for one, count in Counter(self.arrived).items() if count > 1]
        assert [one for one in twice if self.accepted[one][1] is Route.APP] == []
        if not self.damaged:
            assert set(self.accepted) <= {*self.arrived, *self.ended}
            first: dict[int, int] = {}
            for place, number in enumerate(self.arrived):
                first.setdefault(number, place)
            for life in range(1, self.lives + 1):
                own = [
                    first[n]
                    for n, (whose, route) in self.accepted.items()
                    if whose == life and route is Route.BATCH and n in first
                ]
                assert own == sorted(own)
        assert "person" not in repr(self.report)
        shutil.rmtree(self.directory.parent)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    # So that files are replaced, and the disk is tried, within a short history.
    monkeypatch.setattr(buffer, "_JOURNAL_BYTES", 50_000)
    monkeypatch.setattr(backlog, "RETRY_INTERVAL", 0.0)
    now = time.time_ns()
    jumps = random.Random(1)
    # A clock that is set back now and then.
    monkeypatch.setattr(
        ownership.time, "time_ns", lambda: now + jumps.randrange(-10_000, 10_000) * 1_000_000
    )


def test_random_schedules():
    """Nothing is lost, no message goes twice, and each worker's calls arrive in order."""
    first = int(os.environ.get("CIO_SPOOL_SEED", "0"))
    for seed in range(first, first + SCHEDULES):
        workers = Workers(seed)
        try:
            for _ in range(STEPS):
                workers.step()
            workers.end()
        except BaseException as error:
            error.args = (f"seed {seed}: {error}",)
            raise
