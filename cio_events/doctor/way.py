"""The way of a probe: the stations that a tagged record passes, and where it was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cio_events._calls.ulid import new_id
from cio_events._sources import probing
from cio_events._sources.probing import Arrival, Probe

EVENT = "cio_events doctor probe"
"""The event of a probe."""

KEY = "cio_events_probe"
"""The one key of its payload."""

ARROW = "─▶ "
"""At the station where it was lost."""


@dataclass(frozen=True)
class Way:
    """
    One way in.

    Attributes:
        entrance: Where the probe went in, in words.

        stations: What it came by, in order, and what would have come next.

        lost_at: The station where it was lost; None if it has arrived.

        reason: How it was lost, as a part of a sentence.

        arrivals: Each time that a source has captured it.
    """

    entrance: str
    stations: tuple[str, ...]
    lost_at: int | None = None
    reason: str = ""
    arrivals: list[Arrival] = field(default_factory=list)

    @property
    def arrived(self) -> bool:
        """Whether it has come as far as a source of ours."""
        return bool(self.arrivals)

    def drawn(self, at: int | None = None) -> str:
        """The stations, one a line, with an arrow at one of them, or where it was lost."""
        at = self.lost_at if at is None else at
        return "\n".join(
            f"{ARROW if number == at else '   '}{station}"
            for number, station in enumerate(self.stations)
        )

    def lost(self, station: str, reason: str, *then: str) -> Way:
        """The same, but lost at one *station* more, before the others."""
        stations = (*self.stations, station, *then)
        return replace(self, stations=stations, lost_at=len(self.stations), reason=reason)

    def by(self, *stations: str) -> Way:
        """The same, and it has come by these *stations* too."""
        return replace(self, stations=(*self.stations, *stations))


@contextmanager
def sent() -> Iterator[Probe]:
    """Have a probe's record end at a source, on this thread, and be noted."""
    probe = Probe(f"cio_events-doctor-{new_id(0)}", [])
    token = probing.current.set(probe)
    probing.switch(1)
    try:
        yield probe
    finally:
        probing.switch(-1)
        probing.current.reset(token)
