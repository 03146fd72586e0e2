"""The direct clients: the same calls, sent now, with errors raised."""

from __future__ import annotations

from cio_events._clients.app import AppClient
from cio_events._clients.track import Refusal, TrackClient

__all__ = ["AppClient", "Refusal", "TrackClient"]
