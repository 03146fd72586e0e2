"""What tests of the Track API's client start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cio_events import TrackClient
from cio_events.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Customer.io that lets one pair of credentials in."""
    with Sandbox("site", "key") as running:
        yield running


@pytest.fixture
def track(sandbox: Sandbox) -> Iterator[TrackClient]:
    """Its client."""
    with TrackClient("site", "key", url=sandbox.url) as client:
        yield client
