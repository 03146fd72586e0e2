"""What a test of the sources asks: what has Customer.io heard, and does the ledger agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline
    from cio_events.sandbox import Event, Sandbox

CREDENTIALS: dict[str, Any] = {"site_id": "the-site", "api_key": "the-key"}

# Far more than a request on loopback takes, on a machine that has other things to do.
LONG = 20.0


@dataclass(frozen=True)
class Arrivals:
    """What has arrived in the sandbox through one pipeline."""

    sandbox: Sandbox
    pipeline: Pipeline

    def events(self) -> list[Event]:
        """All events, once everything is delivered; their number is the one that was sent."""
        assert self.pipeline.flush(LONG)
        events = self.sandbox.events
        assert self.pipeline.stats().sent == len(events)
        return events

    def event(self) -> Event:
        """The only event there is."""
        (event,) = self.events()
        return event

    def operations(self) -> list[Any]:
        """What all requests so far have asked for, one by one."""
        return [
            one
            for request in self.sandbox.requests
            for one in request.body.get("batch", [request.body])
        ]

    def balance(self) -> tuple[int, int, int]:
        """How many were sent, have failed, were dropped; nothing is pending, and they add up."""
        assert self.pipeline.flush(LONG)
        stats = self.pipeline.stats()
        assert stats.received == stats.sent + stats.failed + stats.dropped
        assert stats.pending == 0
        return stats.sent, stats.failed, stats.dropped
