"""One partition: lead it, or stand by until whoever does ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cio_events._delivery.destination import Destination
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import Diagnostics
from cio_events._redis.connection import look_at, problem_of, warn_of_eviction
from cio_events._relay.buffer import Memory
from cio_events._relay.lease import RENEWALS, Lease
from cio_events._relay.link import ERRORS
from cio_events._relay.reign import Reign
from cio_events._relay.threads import thread

if TYPE_CHECKING:
    from cio_events._relay.link import Link
    from cio_events.options import Options

# How often who stands by looks whether somebody leads.
_SECONDS_BETWEEN_LOOKS = 0.5

# Over all partitions, as each of them has to be led soon.
_PATIENCE_SECONDS = 0.5


class Share:
    """
    How many partitions this process leads, so that several processes share those there are.

    Attributes:
        partitions: How many there are.

        leads: How many are led here.

        most: How many of them may be, while there are others who can.

        turn: Held while one partition tries to begin, so that the next one knows of it.
    """

    def __init__(self) -> None:
        self.partitions = 1
        self.leads = 0
        self.most = 1
        self.turn = threading.Lock()

    @property
    def patience(self) -> float:
        """For how many seconds who leads some lets another come first."""
        return _PATIENCE_SECONDS / self.partitions if self.leads else 0.0


class Partition:
    """
    One partition, led by this process or another.

    Attributes:
        lease: Ours, or what it would be.

        leads: Whether this process leads it.

        failure: By what one of its threads has died, after which it has ended; None so far.

    Args:
        share: Of this process, which may lead several.

        say: Told of who leads, and of trouble.
    """

    def __init__(
        self,
        link: Link,
        options: Options,
        destinations: Sequence[Destination],
        lease_seconds: float,
        diagnostics: Diagnostics,
        share: Share,
        say: Callable[[str], None],
    ) -> None:
        self._link = link
        self._options = options
        self._destinations = destinations
        self._diagnostics = diagnostics
        self._share = share
        self._say = say
        self._memory = Memory()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self.lease = Lease(link, lease_seconds)
        self.failure: BaseException | None = None
        self.leads = False
        self._hands_over = False
        self._thread = thread("cio_events-relay", self._run, self._die)

    def start(self) -> None:
        """Begin to lead or to stand by."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request under way, and let another lead."""
        self._stopping.set()
        self._wake.set()

    def hand_over(self) -> bool:
        """Let another lead, after the request under way; returns whether this one does."""
        self._hands_over = self.leads
        self._wake.set()
        return self.leads

    def join(self) -> None:
        """Wait until it has."""
        self._thread.join()

    def _die(self, error: BaseException) -> None:
        # What another of its threads dies of meanwhile follows from the first.
        self.failure = self.failure or error
        self.stop()

    def _run(self) -> None:
        standing_by = False
        while not self._stopping.is_set():
            try:
                leads = self._take()
            except ERRORS as error:
                self._trouble(error)
                leads = standing_by = False
            else:
                if not leads and not standing_by:
                    self._say(f"stands by for partition {self._link.keys.partition}")
                standing_by = not leads
            if leads:
                self.leads = True
                try:
                    self._lead()
                finally:
                    self.leads = self._hands_over = False
                    with self._share.turn:
                        self._share.leads -= 1
            else:
                self._stopping.wait(_SECONDS_BETWEEN_LOOKS)

    def _take(self) -> bool:
        with self._share.turn:
            share = self._share
            leads = (
                share.leads < share.most
                and not self._stopping.wait(share.patience)
                and self.lease.take()
            )
            share.leads += leads
        return leads

    def _lead(self) -> None:
        lease, number = self.lease, self._link.keys.partition
        self._say(f"leads partition {number}, generation {lease.generation}")
        self._warn_of_eviction()
        self._wake.clear()
        reign = Reign(
            self,
            self._link,
            lease,
            self._options,
            self._destinations,
            self._memory,
            self._diagnostics,
            wake=self._wake.set,
            trouble=self._trouble,
            died=self._die,
        )
        reign.begin()
        try:
            self._hold(reign)
        finally:
            reign.end()
            if not reign.over:
                self._release()
            if self._hands_over:
                self._say(f"has handed partition {number} over to another")

    def _hold(self, reign: Reign) -> None:
        """Renew the lease, until another has it or this is to end."""
        lease = self.lease
        between = lease.seconds / RENEWALS
        renew_at = monotonic() + between
        while not (self._stopping.is_set() or reign.over or self._hands_over):
            if monotonic() >= renew_at:
                reign.over = not self._renewed()
                renew_at = monotonic() + (between if lease.left() > between else between / 5)
            elif self._wake.wait(renew_at - monotonic()):
                self._wake.clear()
                renew_at = monotonic()
        if reign.over:
            lease.end()
            self._say(
                f"does not lead partition {self._link.keys.partition} any more: another relay does"
            )

    def _release(self) -> None:
        try:
            self.lease.release()
        except ERRORS as error:
            self._trouble(error)

    def _warn_of_eviction(self) -> None:
        # Each time, as Redis may have been away when this process started, or be another one.
        try:
            with self._link.client() as client:
                warn_of_eviction(look_at(client))
        except ERRORS as error:
            self._trouble(error)

    def _renewed(self) -> bool:
        """Renew the lease; returns False where another has it."""
        try:
            return self.lease.renew()
        except ERRORS as error:
            # It may be over then, and nobody else have it.
            self._trouble(error)
            return True

    def _trouble(self, error: Exception) -> None:
        problem = problem_of(error)
        self._diagnostics.warn(
            f"redis {problem.kind}",
            f"Redis cannot be used for now: {problem.detail}; nothing is lost",
        )
