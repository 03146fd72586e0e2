"""
The process that publishes to several partitions in a soak of the relay, with merges.

``python -m tests.soak.parted REDIS NOTES NAME RATE PARTITIONS [SPOOL]``, until SIGTERM, or it is
killed. What a replica of Redis has, or the spool, is confirmed, and noted in the file NOTES: from
then on it must arrive. Of each merge it is noted which events of the two were logged before it.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from cio_events import Merge, Pipeline, SendEmail, Track, signals
from tests.soak.publishing import CUSTOMERS, MESSAGE_EVERY

# Of each so many rounds, one has a guest who becomes a customer.
MERGE_EVERY = 11

_SECONDS = 2.0
_CLOSE_SECONDS = 60.0


class Parted:
    """One who hands calls to a pipeline, and notes what must arrive."""

    def __init__(
        self, url: str, notes: Path, name: str, partitions: int, spool: str | None
    ) -> None:
        self._name = name
        self._spools = spool is not None
        self._noted = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._numbers = {str(who): itertools.count() for who in range(CUSTOMERS)}
        signals.sent.connect(self._sent)
        self.pipeline = Pipeline(
            relay=url,
            relay_partitions=partitions,
            relay_replicas=1,
            spool=spool,
            timeout=_SECONDS,
            flush_interval=0.05,
            retry_base=0.05,
            retry_cap=0.2,
            hold_interval=0.2,
        )

    def _sent(self, _: object, report: signals.Report) -> None:
        call = report.call
        if isinstance(call, SendEmail):
            self._note(f"message {call.to}")
        elif isinstance(call, Track) and not self._spools:
            self._note(f"event {call.name}")
        elif isinstance(call, Merge):
            self._note(f"confirmed merge {call.secondary.value}")

    def track(self, who: str) -> int:
        """Log an event of somebody; returns its number."""
        number = next(self._numbers.setdefault(who, itertools.count()))
        event = f"{self._name}.{who}.{number}"
        if self.pipeline.send(Track(f"{self._name}.{who}", event)) and self._spools:
            self._note(f"event {event}")
        return number

    def mail(self, sequence: int) -> None:
        """Send a message."""
        to = f"{self._name}.{sequence}@example.com"
        self.pipeline.send(SendEmail(to=to, identifiers=to, transactional_message_id=1))

    def merge(self, guest: str, who: str) -> None:
        """Have a guest be a customer, with events of both on either side."""
        last = {one: self.track(one) for one in (guest, who, guest, who)}
        # Noted first: whoever is killed behind this has sent no later event.
        told = (f"{self._name}.{one}.{number}" for one, number in last.items())
        self._note(f"merge {self._name}.{guest} {' '.join(told)}")
        self.pipeline.send(Merge(f"{self._name}.{who}", f"{self._name}.{guest}"))
        for one in (who, guest):
            self.track(one)

    def _note(self, line: str) -> None:
        os.write(self._noted, f"{line}\n".encode())


def main(
    url: str, notes: str, name: str, rate: float, partitions: int, spool: str | None = None
) -> None:
    """Publish until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # What the package has to say of each outage is of no use here.
    logging.getLogger("cio_events").addHandler(logging.NullHandler())
    logging.getLogger("cio_events").propagate = False
    parted = Parted(url, Path(notes), name, partitions, spool)
    for sequence in itertools.count(1):
        if stop.wait(1 / rate):
            break
        who = str(sequence % CUSTOMERS)
        if sequence % MESSAGE_EVERY == 0:
            parted.mail(sequence)
        elif sequence % MERGE_EVERY == 0:
            parted.merge(f"guest{sequence}", who)
        else:
            for _ in range(3):
                parted.track(who)
    parted.pipeline.close(_CLOSE_SECONDS)


if __name__ == "__main__":
    url, notes, name, rate, partitions, *more = sys.argv[1:]
    main(url, notes, name, float(rate), int(partitions), *more)
