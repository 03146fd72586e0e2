"""
The peers: clients that queue events and send them from a thread of their own, and the vendor's.

They have their own defaults, but for the size of the queue and the time limit.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tests.benchmarks.event import NAME, Event
from tests.benchmarks.sides.side import HOLD_TIMEOUT, QUEUE, Opened, Side

# How many operations the hand-made batch has: a round number under the 500 kB of a request.
_OPERATIONS = 1_000


def _posthog(url: str, _directory: Path) -> Opened:
    client: Any = importlib.import_module("posthog").Posthog(
        "key", host=url, max_queue_size=QUEUE, timeout=HOLD_TIMEOUT
    )

    def call(event: Event) -> None:
        client.capture(NAME, distinct_id=event.customer, properties=event.properties)

    return Opened(call, flush=lambda: client.flush(timeout_seconds=None))


def _segment(url: str, _directory: Path) -> Opened:
    return _analytics("segment.analytics.client", url)


def _customerio_cdp(url: str, _directory: Path) -> Opened:
    return _analytics("customerio.analytics.client", url)


def _analytics(module: str, url: str) -> Opened:
    client: Any = importlib.import_module(module).Client(
        "key", host=url, max_queue_size=QUEUE, timeout=HOLD_TIMEOUT
    )

    def call(event: Event) -> None:
        client.track(event.customer, NAME, event.properties)

    return Opened(call, flush=client.flush)


def _client(url: str) -> Any:
    client = importlib.import_module("customerio.track").CustomerIO(
        "site", "key", timeout=HOLD_TIMEOUT
    )
    # It builds nothing but https addresses; the sink speaks plain HTTP.
    client.base_url = f"{url}/api/v1"
    return client


def _customerio(url: str, _directory: Path) -> Opened:
    client = _client(url)

    def call(event: Event) -> None:
        client.track(event.customer, NAME, event.properties)

    return Opened(call)


def _customerio_batched(url: str, _directory: Path) -> Opened:
    client = _client(url)
    operations: list[dict[str, object]] = []

    def call(event: Event) -> None:
        operations.append(
            {
                "type": "person",
                "identifiers": {"id": event.customer},
                "action": "event",
                "name": NAME,
                "attributes": event.properties,
            }
        )
        if len(operations) == _OPERATIONS:
            flush()

    def flush() -> None:
        if operations:
            # All that the client's own batch() does beyond this is to build an https address.
            client.send_request("POST", f"{url}/api/v2/batch", {"batch": operations})
            operations.clear()

    return Opened(call, flush=flush)


SIDES = (
    Side("posthog", _posthog, needs=("posthog",), packages=("posthog",)),
    Side(
        "segment",
        _segment,
        needs=("segment.analytics",),
        packages=("segment-analytics-python",),
    ),
    Side(
        "customerio-cdp",
        _customerio_cdp,
        needs=("customerio.analytics",),
        packages=("customerio-cdp-analytics",),
    ),
    Side(
        "customerio",
        _customerio,
        needs=("customerio.track",),
        packages=("customerio",),
        backlog=False,
        request_a_call=True,
    ),
    Side(
        "customerio, batched by hand",
        _customerio_batched,
        needs=("customerio.track",),
        packages=("customerio",),
        backlog=False,
    ),
)
