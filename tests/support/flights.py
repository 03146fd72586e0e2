"""Answer what an `InFlight` sends, as a dispatcher acts on it."""

from __future__ import annotations

from collections.abc import Sequence

from cio_events._delivery.destination import Hold, Split, TryAgain, Verdict
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.order import Order
from cio_events._delivery.suspects import Load
from cio_events._wire.envelope import Envelope
from cio_events.options import Options


def answer(
    flight: InFlight, load: Load, verdict: Verdict, now: float, order: Order
) -> Sequence[Envelope]:
    """Answer one request; returns the calls that have ended with it."""
    if isinstance(verdict, (TryAgain, Hold)):
        flight.failed(load, verdict, now, Options(), order)
        return ()
    flight.passed(load, now)
    if isinstance(verdict, Split) and len(load.envelopes) > 1:
        flight.split(load)
        return ()
    flight.ended(load)
    return load.envelopes
