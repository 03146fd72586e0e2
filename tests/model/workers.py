"""Workers that share a spool's directory, what befalls them and it, and what must hold."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool.dead_letter_file import NAME
from cio_events._delivery.ledger import Ledger
from cio_events._wire.envelope import Route
from tests.support.spools import Noting, SpoolWithPut, envelope, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events._wire.envelope import Envelope

WORKERS = 3

DAY = 86_400
MAX_AGE = 3 * DAY

# Where SQLite's files have something of their own: pages, the journal's header and frames.
PAGE, JOURNAL_HEADER, FRAME = 2048, 32, 24 + 2048


@dataclass(eq=False)
class Worker:
    """One process, from its start to its end: what it keeps beside the spool's files."""

    life: int
    spool: SpoolWithPut
    in_hand: list[Envelope] = field(default_factory=list)
    ledger: Ledger = field(default_factory=lambda: Ledger(10**6, 10**9))
    lost: int = 0

    def put(self, one: Envelope) -> None:
        """Accept a call."""
        assert self.ledger.admit(len(one))
        self.spool.put(one)

    def take(self, most: int) -> None:
        """Have more in hand."""
        self.in_hand += self.spool.take(most)

    def adopt(self) -> None:
        """Look for what others have left."""
        self.ledger.adopt(*self.spool.adopt())

    def sent(self, one: Envelope) -> None:
        """A call has arrived."""
        self.spool.forget([one])
        self.ledger.settle(len(one), sent=1)
        self.in_hand.remove(one)

    def failed(self, one: Envelope) -> None:
        """It is in doubt."""
        self.spool.dead_letter([one], [Failure("ambiguous", None, None)])
        self.ledger.settle(len(one), failed={"ambiguous": 1})
        self.in_hand.remove(one)

    def close(self) -> list[Envelope]:
        """Leave everything to the spool; returns what it could not take."""
        lost = self.spool.close(self.in_hand)
        self.ledger.settle(sum(map(len, lost)), dropped={"closed": len(lost)})
        self.count_lost()
        self.in_hand = []
        assert self.ledger.pending >= 0
        assert self.spool.in_memory == 0
        return lost

    def count_lost(self) -> None:
        """What was damaged is dropped."""
        lost = self.spool.lost - self.lost
        self.lost += lost
        if lost:
            self.ledger.lose(lost)

    def balances(self) -> None:
        """What is pending is what the spool has, in its files or beside them."""
        self.count_lost()
        spool = self.spool
        held = sum(file.live for file in spool._files())
        # What has failed stays in its file until it is a dead letter.
        failed = sum(spool._holder(one) is not None for one, _ in spool._dead_letters.waiting)
        held -= failed
        stats = self.ledger.stats(self.spool.in_memory)
        assert stats.pending >= 0
        assert stats.pending == held + self.spool.in_memory
        assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending
        assert all(file.live >= 0 for file in self.spool._files())
        calls, size = self.spool.adopted
        assert 0 <= calls <= stats.pending + failed
        assert size >= 0
        assert self.ledger.pending_bytes >= 0
        assert stats.pending or not self.ledger.pending_bytes


@contextmanager
def no_file_over(size: int | None) -> Iterator[None]:
    """No file can be larger than *size* bytes; None is as large as they like."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Workers:
    """
    Some workers with one directory, and what Customer.io has had of them.

    Args:
        seed: What decides what happens.

        reached: Counts what has happened.
    """

    def __init__(self, seed: int, reached: Counter[str]) -> None:
        self.reached = reached
        self.clock = 0.0  # by how many seconds the clock is wrong
        self.random = random.Random(seed)
        self.directory = Path(tempfile.mkdtemp()) / "spool"
        self.report = Noting()
        self.next = 0
        self.accepted: dict[int, tuple[int, Route]] = {}  # by number: in which life, which way
        self.arrived: list[int] = []
        self.ended: Counter[int] = Counter()
        self.lives = 0
        self.damaged = False
        # Messages of which nobody can know: their mark was cut off, or they lay in a copy.
        self.doubtful: set[int] = set()
        self.workers = [self.begin() for _ in range(WORKERS)]
        self.full = False  # the whole disk
        often = [self.put] * 4 + [self.take] * 3 + [self.deliver] * 4
        ends = [self.adopt, self.close, self.kill]
        disk = [self.fill, self.fill_all, self.empty, self.copy, self.swap, self.damage]
        self.steps = [*often, *ends, *disk, self.jump]

    def begin(self) -> Worker:
        """A new worker, sometimes one without credentials."""
        self.lives += 1
        adopts = self.lives <= WORKERS or self.random.random() < 0.8
        self.reached["adopts" if adopts else "has no credentials"] += 1
        return Worker(
            self.lives,
            SpoolWithPut(self.directory, report=self.report, adopts=adopts, max_age=MAX_AGE),
        )

    def restart(self, worker: Worker) -> None:
        """Another worker in place of this one."""
        self.workers[self.workers.index(worker)] = self.begin()

    def step(self) -> None:
        """One thing that happens."""
        step, worker = self.random.choice(self.steps), self.random.choice(self.workers)
        most = max((path.stat().st_size for path in self.directory.iterdir()), default=0)
        self.reached[step.__name__] += 1
        by_worker = step in (self.put, self.take, self.deliver, self.adopt, self.close)
        with no_file_over(most if self.full and by_worker else None):
            step(worker)
        for worker in self.workers:
            worker.balances()

    # What processes do.

    def put(self, worker: Worker) -> None:
        """Accept some calls."""
        for _ in range(self.random.randrange(1, 12)):
            route = Route.APP if self.random.random() < 0.2 else Route.BATCH
            worker.put(envelope(self.next, self.random.choice([0, 100, 3000]), route))
            self.accepted[self.next] = worker.life, route
            self.next += 1

    def take(self, worker: Worker) -> None:
        """Have more in hand."""
        worker.take(self.random.randrange(1, 20))

    def adopt(self, worker: Worker) -> None:
        """Look for what others have left."""
        worker.adopt()

    def deliver(self, worker: Worker, most: int = 12) -> None:
        """Send the first of them; a message may be in doubt."""
        for one in worker.in_hand[: self.random.randrange(1, most)]:
            number = number_of(one)
            if one[:1] != Route.APP:
                self.arrived.append(number)
                worker.sent(one)
            elif worker.spool.maybe_sent(one):
                worker.failed(one)
            elif worker.spool.sending(one):
                self.arrived.append(number)
                if self.random.random() < 0.5:
                    worker.sent(one)
                else:
                    worker.failed(one)
            else:
                break
            self.ended[number] += 1

    def close(self, worker: Worker) -> None:
        """End, and begin again; what could not be written is lost, and said."""
        for one in worker.close():
            self.ended[number_of(one)] += 1
        self.restart(worker)

    def kill(self, worker: Worker) -> None:
        """Kill it: what is on the disk is as it was in that moment."""
        spool = worker.spool
        for one in [*spool._incoming, *spool._unspooled]:
            self.ended[number_of(one)] += 1  # it was not on the disk
        content = {path: path.read_bytes() for path in self.directory.iterdir()}
        spool._report = Noting()
        spool._problems._report = Noting()
        spool.close(worker.in_hand)
        for path in self.directory.iterdir():
            if path not in content:
                path.unlink()
        for path, before in content.items():
            if not path.exists() or path.read_bytes() != before:
                path.unlink(missing_ok=True)
                path.touch(0o600)
                path.write_bytes(before)
        self.restart(worker)

    def jump(self, _: Worker) -> None:
        """Set the clock back, forward, or right."""
        self.clock = self.random.choice([0, 0, -5 * DAY, -3600, 3600, 5 * DAY])
        self.reached[f"clock {self.clock:+}"] += 1

    # What befalls the disk.

    def fill(self, worker: Worker) -> None:
        """The disk is full: no file of it grows."""
        for file in worker.spool._files():
            with suppress(sqlite3.Error):  # a damaged one
                (pages,) = file._execute("PRAGMA page_count").fetchone()
                file._execute(f"PRAGMA max_page_count = {pages}").fetchone()

    def fill_all(self, _: Worker) -> None:
        """No file grows beyond the largest, whoever writes it: not even a mark can be written."""
        self.full = True

    def empty(self, worker: Worker) -> None:
        """There is room again."""
        self.full = False
        for file in worker.spool._files():
            with suppress(sqlite3.Error):  # a damaged one
                file._execute("PRAGMA max_page_count = 1000000").fetchone()

    def copy(self, _: Worker) -> None:
        """The application makes a copy of the directory."""
        shutil.copytree(self.directory, self.directory.with_name("copy"))
        shutil.rmtree(self.directory.with_name("copy"))

    def swap(self, _: Worker) -> None:
        """The directory is replaced by a copy, beneath all who use it."""
        copy, before = self.directory.with_name("copy"), self.directory.with_name("before")
        shutil.copytree(self.directory, copy)
        self.directory.rename(before)
        copy.rename(self.directory)
        shutil.rmtree(before)
        if self.random.random() < 0.3:
            # Until those who have the files notice, somebody may adopt the copies.
            self.doubt()
            return
        for worker in self.workers:
            adopts, worker.spool._adopts = worker.spool._adopts, False
            worker.adopt()
            worker.spool._adopts = adopts

    def doubt(self) -> None:
        """Whatever messages there are may go a second time."""
        self.doubtful |= {n for n, (_, route) in self.accepted.items() if route is Route.APP}

    def damage(self, _: Worker) -> None:
        """A file is cut, or a bit in it falls over, at some structure."""
        held = {file.path for worker in self.workers for file in worker.spool._files()}
        found = [
            path
            for path in sorted(self.directory.iterdir())
            if path.stat().st_size
            and not (self.is_of(path, held) and self.random.random() < 0.5)
            and not (path.name.startswith(NAME) and self.random.random() < 0.3)
        ]
        if not found or self.random.random() < 0.5:
            return
        self.damaged = True
        path = self.random.choice(found)
        content = bytearray(path.read_bytes())
        place = self.place_in(path, len(content))
        how = self.random.choice(["flip", "cut"])
        if how == "flip":
            content[place] ^= 1 << self.random.randrange(8)
        else:
            del content[place:]
        kind = "letters" if path.name.startswith(NAME) else path.suffix.removesuffix(".damaged")
        self.reached[f"{how} {kind}"] += 1
        path.write_bytes(content)
        if path.name.endswith("-wal") or self.is_of(path, held):
            # As after a loss of power: of what was cut off the end, nothing is left to tell.
            self.doubt()

    @staticmethod
    def is_of(path: Path, held: set[Path]) -> bool:
        """Whether it is one of these files, or a journal of one."""
        return any(path.name.startswith(each.name) for each in held)

    def place_in(self, path: Path, size: int) -> int:
        """Anywhere in a file, or where one of its structures begins."""
        start, step = (JOURNAL_HEADER, FRAME) if path.name.endswith("-wal") else (0, PAGE)
        starts = [0, *range(start, size, step)]
        place = self.random.choice(starts) + self.random.choice([0, 0, 1, 8, 16, 24, 100])
        return min(self.random.choice([place, self.random.randrange(size)]), size - 1)

    # The end.

    def end(self) -> None:
        """All come to rest, one takes the rest, and the books are made."""
        self.clock = 0
        for worker in list(self.workers):
            self.empty(worker)  # and `full` is over with the steps
            for one in worker.close():
                self.ended[number_of(one)] += 1
        self.lives = 0  # the last one has credentials
        last = self.begin()
        for _ in range(100):
            last.adopt()
            last.take(10_000)
            last.balances()
            if not last.in_hand:
                break
            self.deliver(last, 10_000)
        last.balances()
        last.close()
        self.judge()
        shutil.rmtree(self.directory.parent)

    def judge(self) -> None:
        """Compare what was accepted with what has arrived and what has ended."""
        twice = {one for one, count in Counter(self.arrived).items() if count > 1}
        messages = {one for one in twice if self.accepted[one][1] is Route.APP}
        assert messages <= self.doubtful
        assert "person" not in repr(self.report)
        if self.damaged:
            return
        assert set(self.accepted) <= {*self.arrived, *self.ended}
        first: dict[int, int] = {}
        for place, number in enumerate(self.arrived):
            first.setdefault(number, place)
        order: dict[int, list[int]] = {}
        for number, (life, route) in self.accepted.items():
            if route is Route.BATCH and number in first:
                order.setdefault(life, []).append(first[number])
        assert all(own == sorted(own) for own in order.values())
