"""Whatever is done with a spool, it holds the calls that a list would, in the list's order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool import backlog, buffer, file
from tests.support.effort import times
from tests.support.spools import Noting, envelope, number_of, opened

MANY = st.integers(min_value=1, max_value=150)


class SpoolModel(RuleBasedStateMachine):
    """One spool, closed and opened again now and then, beside a list."""

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.report = Noting()
        self.next = 0
        self.waiting: list[int] = []
        self.in_hand: list = []
        self.dead: list[int] = []
        self.open()

    def open(self):
        """Open the spool again, which then has what was not forgotten."""
        self.spool = opened(self.directory, self.report)
        self.adopted = self.spool.adopt()[0]
        self.waiting = sorted({*self.waiting, *map(number_of, self.in_hand)})
        self.in_hand = []
        assert self.adopted == len(self.waiting)

    def teardown(self):
        """Nothing but the full disk was said."""
        self.spool.close()
        shutil.rmtree(self.directory)
        assert set(self.report.kinds) <= {"spool"}

    @rule(count=MANY, size=st.sampled_from([0, 200, 3000, 40_000]))
    def put(self, count, size):
        """Put some calls."""
        for _ in range(min(count, 400_000 // (size + 100))):
            self.spool.put(envelope(self.next, size))
            self.waiting.append(self.next)
            self.next += 1

    @rule(most=MANY)
    def take(self, most):
        """Taken are the next calls, in order."""
        taken = self.spool.take(most)
        expected, self.waiting = self.waiting[:most], self.waiting[most:]
        assert list(map(number_of, taken)) == expected
        self.in_hand += taken

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def forget_the_first(self, data):
        """Forget as a pipeline does."""
        count = data.draw(st.integers(min_value=1, max_value=len(self.in_hand)))
        self.spool.forget(self.in_hand[:count])
        del self.in_hand[:count]

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def forget_any(self, data):
        """Forget out of order."""
        places = data.draw(
            st.sets(st.integers(min_value=0, max_value=len(self.in_hand) - 1), max_size=20)
        )
        self.spool.forget([self.in_hand[place] for place in places])
        self.in_hand = [one for place, one in enumerate(self.in_hand) if place not in places]

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def dead_letter(self, data):
        """Make a dead letter."""
        one = self.in_hand.pop(data.draw(st.integers(0, len(self.in_hand) - 1)))
        self.spool.dead_letter([one], [Failure("rejected", 400, "no")])
        self.dead.append(number_of(one))

    @rule()
    def close_and_open(self):
        """Begin anew with what is on the disk."""
        assert self.spool.close() == []
        self.open()

    @rule()
    def look_around(self):
        """There is nothing to adopt."""
        assert self.spool.adopt() == (0, 0)

    @rule()
    def fill_the_disk(self):
        """Let the present file grow no more."""
        if self.spool._own is not None:
            (pages,) = self.spool._own._execute("PRAGMA page_count").fetchone()
            self.spool._own._execute(f"PRAGMA max_page_count = {pages}").fetchone()

    @invariant()
    def it_has_as_many(self):
        """Nothing is lost or doubled."""
        held = sum(file.live for file in self.spool._files()) + self.spool.in_memory
        assert held == len(self.waiting) + len(self.in_hand)
        assert self.spool.lost == 0

    @rule()
    def the_dead_are_known(self):
        """Dead letters are kept in order."""
        assert [number_of(letter.envelope) for letter in self.spool.failures()] == self.dead


SpoolModel.TestCase.settings = settings(
    max_examples=times(25),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestSpoolModel(SpoolModel.TestCase):
    """Random histories of one spool."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch):
        # So that files are replaced, and the disk is tried, within a short history.
        monkeypatch.setattr(buffer, "_JOURNAL_BYTES", 50_000)
        monkeypatch.setattr(backlog, "RETRY_INTERVAL", 0.0)
        monkeypatch.setattr(backlog, "_CHUNK", 20)
        monkeypatch.setattr(file, "_FRESH_MOST", 100)
