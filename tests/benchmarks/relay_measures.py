"""What is measured of the relay alone: how late it delivers, and what Redis keeps of it."""

from __future__ import annotations

import statistics
import time
from collections import deque
from typing import TYPE_CHECKING

from tests.benchmarks.event import events
from tests.benchmarks.sides.relay import OpenedPublisher, OpenedRelay, in_order

if TYPE_CHECKING:
    from tests.benchmarks.measures import Bench, Figures

# A thousand events a second.
_EVENTS = 10
_TICK_SECONDS = 0.01

_LOOK_SECONDS = 0.001

# At most this much lies in Redis at once.
_CHUNK = 50_000


def relay_latency(bench: Bench) -> Figures:
    """
    Milliseconds from the moment in which Redis has an event until its delivery is acknowledged.

    The request to Customer.io is part of it.
    """
    opened = bench.opened
    assert isinstance(opened, OpenedRelay)
    published = opened.published
    _through(opened, _EVENTS, 0)  # so that what is done once is done
    waiting: deque[tuple[tuple[int, int], float]] = deque()
    seconds: list[float] = []

    def look() -> None:
        oldest = published.oldest()
        while waiting and waiting[0][0] < oldest:
            seconds.append(time.perf_counter() - waiting.popleft()[1])

    next_at = time.perf_counter()
    for start in range(0, bench.count, _EVENTS):
        for event in events(_EVENTS, start):
            opened.call(opened.make(event))
        last = published.publish()
        waiting.append((in_order(last), time.perf_counter()))
        next_at += _TICK_SECONDS
        while time.perf_counter() < next_at:
            look()
            time.sleep(_LOOK_SECONDS)
    while waiting:
        look()
    quantiles = statistics.quantiles(seconds, n=100)
    return {"p99_ms": quantiles[98] * 1e3, "median_ms": quantiles[49] * 1e3}


def relay_memory(bench: Bench) -> Figures:
    """Redis' memory after the events went through, divided by that before."""
    opened = bench.opened
    assert isinstance(opened, OpenedRelay)
    # What is made once is there before.
    _through(opened, _EVENTS, 0)
    before = opened.published.used_memory()
    for start in range(0, bench.count, _CHUNK):
        _through(opened, min(_CHUNK, bench.count - start), start)
    after = opened.published.used_memory()
    return {"after_by_before": after / before, "kilobytes": after / 1e3}


def relay_publishing(bench: Bench) -> Figures:
    """Events a second of a backlog, from the moment in which Redis takes any again."""
    opened = bench.opened
    assert isinstance(opened, OpenedPublisher)
    opened.hold()
    for event in events(bench.count):
        opened.call(event)
    opened.release()
    started = time.monotonic()
    opened.flush()
    seconds = time.monotonic() - started
    stored = opened.stored()
    if stored != bench.count:
        raise RuntimeError(f"{stored} of {bench.count} events were stored")
    return {"events_per_second": bench.count / seconds}


def _through(opened: OpenedRelay, count: int, start: int) -> None:
    for event in events(count, start):
        opened.call(opened.make(event))
    opened.flush()
