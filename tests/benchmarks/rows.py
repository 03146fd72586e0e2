"""
The rows of the table: what is measured, of which sides, at which size, and compared with what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tests.benchmarks.child import Task
from tests.benchmarks.hostile import NAMES, figure_of
from tests.benchmarks.sides.relay import PUBLISHING, RELAYED

PEERS = ("posthog", "segment", "customerio-cdp")
"""The peers that queue and send in the background, as this library does."""

_VENDOR = ("customerio", "customerio, batched by hand")
_DELIVERING = (
    "structlog",
    "structlog (fast set-up)",
    "structlog, spool",
    "logging",
    "Pipeline.track",
    "Pipeline.track, spool",
)
_OPERATIONS = ("Pipeline.track", "Pipeline.track, spool")


@dataclass(frozen=True, slots=True)
class Row:
    """
    One measure of several sides.

    Attributes:
        name: What ``--rows`` calls it.

        title: What the table calls it.

        measure: Which of the measures.

        figure: The figure that is compared.

        unit: Its unit.

        sides: Whose; they take turns in this order.

        reference: The side that the others are compared with.

        count: How many events.

        quick: How many with ``--quick``.

        round_trip: Seconds that the sink takes to answer.

        threads: How many threads call.

        held: Whether the sink holds all answers back during the calls.

        most_rounds: More rounds than this are not worth their time.

        beside: Further figures that the table shows, with their units.
    """

    name: str
    title: str
    measure: str
    figure: str
    unit: str
    sides: tuple[str, ...]
    reference: str
    count: int
    quick: int
    round_trip: float = 0.0
    threads: int = 1
    held: bool = False
    most_rounds: int = 99
    beside: tuple[tuple[str, str], ...] = ()

    def task(self, side: str, port: int) -> Task:
        """What a process has to do for one round of one side, with the sink at *port*."""
        return Task(side, self.measure, port, self.count, self.round_trip, self.threads, self.held)

    def only(self, pattern: re.Pattern[str]) -> Row:
        """The same row with those sides in whose names *pattern* is found."""
        return replace(self, sides=tuple(side for side in self.sides if pattern.search(side)))

    def quickly(self) -> Row:
        """The same row with few events."""
        return replace(self, count=self.quick)


_SINGLE_CALLS = (("median_us", "µs median"), ("p99_us", "µs p99"))
_RATE = "events/s"

_TAGGED = Row(
    "tagged",
    "a tagged record, on the caller's thread",
    "tagged",
    "us",
    "µs",
    (
        "structlog",
        "structlog alone",
        "structlog (fast set-up)",
        "structlog alone (fast set-up)",
        "structlog, spool",
        "logging",
        "logging alone",
        "Pipeline.track",
        "Pipeline.track, spool",
        *PEERS,
        "customerio",
        "sqlite insert",
        "structlog alone, sqlite insert",
    ),
    "structlog alone",
    count=20_000,
    quick=1_000,
    held=True,
    beside=_SINGLE_CALLS,
)

_DRAINING = Row(
    "draining",
    "draining a backlog, round trip 0",
    "draining",
    "events_per_second",
    _RATE,
    ("Pipeline.track", "ready-made bodies", "Pipeline.track, spool"),
    "ready-made bodies",
    count=500_000,
    quick=4_000,
    beside=(("events_per_request", "a request"),),
)

# Slow sides get fewer events: the rate is the same, the benchmark is done sooner.
_PEERS_DRAINING = replace(
    _DRAINING,
    name="draining-peers",
    title="the peers draining a backlog, round trip 0",
    sides=("Pipeline.track", *PEERS, *_VENDOR),
    reference="Pipeline.track",
    count=20_000,
    quick=1_000,
)

ROWS: tuple[Row, ...] = (
    Row(
        "untagged",
        "an untagged record",
        "untagged",
        "us",
        "µs",
        (
            "CustomerIOProcessor",
            "nothing (function)",
            "nothing (object)",
            "CustomerIOHandler",
            "nothing (handler)",
        ),
        "nothing (object)",
        count=100_000,
        quick=2_000,
        beside=_SINGLE_CALLS,
    ),
    _TAGGED,
    replace(
        _TAGGED,
        name="tagged-live",
        title="a tagged record, while those before it are being sent",
        figure="mean_us",
        held=False,
        # The mean of few would hang on how many requests happen to fall among them.
        count=50_000,
    ),
    replace(
        _TAGGED,
        name="tagged-8",
        title="a tagged record, eight threads calling at once",
        sides=tuple(side for side in _TAGGED.sides if side != "customerio"),
        threads=8,
    ),
    Row(
        "throughput",
        "logging and delivering at once",
        "throughput",
        "events_per_second",
        _RATE,
        (*_DELIVERING, *PEERS, *_VENDOR),
        "Pipeline.track",
        count=50_000,
        quick=1_000,
        beside=(("calls_per_second", "calls/s"),),
    ),
    _DRAINING,
    replace(
        _DRAINING,
        name="draining-50",
        title="draining a backlog, round trip 50 ms",
        count=150_000,
        round_trip=0.05,
    ),
    _PEERS_DRAINING,
    replace(
        _PEERS_DRAINING,
        name="draining-peers-50",
        title="the peers draining a backlog, round trip 50 ms",
        count=6_000,
        round_trip=0.05,
    ),
    Row(
        "memory",
        "memory of a pending event",
        "memory",
        "bytes_per_pending_event",
        "bytes",
        (*_OPERATIONS, *PEERS),
        "Pipeline.track",
        count=100_000,
        quick=2_000,
    ),
    Row(
        "import",
        "importing",
        "import_time",
        "ms",
        "ms",
        (
            "import cio_events",
            "import structlog, blinker",
            "import posthog",
            "import segment.analytics",
            "import customerio.analytics",
        ),
        "import structlog, blinker",
        count=1,
        quick=1,
    ),
    Row(
        "recovery",
        "delivering the spool of a killed process",
        "recovery",
        "events_per_second",
        _RATE,
        ("a spool taken over",),
        "a spool taken over",
        count=1_000_000,
        quick=2_000,
        most_rounds=2,
        beside=(
            ("seconds_to_open", "s to open"),
            ("seconds_to_first", "s to the first"),
            ("peak_megabytes", "MB at most"),
        ),
    ),
    Row(
        "hostile",
        "an event with a payload that costs the most for what it is",
        "hostile",
        figure_of(NAMES[0]),
        "µs",
        ("Pipeline.track", "json.dumps"),
        "json.dumps",
        count=60,
        quick=2,
        beside=tuple((figure_of(name), f"µs {name.replace('_', ' ')}") for name in NAMES[1:]),
    ),
    Row(
        "growth",
        "a call with a thousand pending",
        "growth",
        "us_at_1000",
        "µs",
        _OPERATIONS,
        "Pipeline.track",
        count=1_000_000,
        quick=1_000,
        most_rounds=3,
        beside=(
            ("us_at_10000", "µs at 10 k"),
            ("us_at_100000", "µs at 100 k"),
            ("us_at_1000000", "µs at 1 M"),
        ),
    ),
    replace(
        _DRAINING,
        name="relay",
        title="draining a backlog through the relay, round trip 0",
        sides=(RELAYED, "Pipeline.track"),
        reference="Pipeline.track",
    ),
    replace(
        _DRAINING,
        name="relay-50",
        title="draining a backlog through the relay, round trip 50 ms",
        sides=(RELAYED, "Pipeline.track"),
        reference="Pipeline.track",
        count=150_000,
        round_trip=0.05,
    ),
    Row(
        "publishing",
        "publishing a backlog to Redis, one process",
        "relay_publishing",
        "events_per_second",
        _RATE,
        (PUBLISHING,),
        PUBLISHING,
        count=500_000,
        quick=4_000,
    ),
    Row(
        "relay-latency",
        "from Redis until delivered and acknowledged, 1 000 events/s",
        "relay_latency",
        "p99_ms",
        "ms p99",
        (RELAYED,),
        RELAYED,
        count=20_000,
        quick=500,
        beside=(("median_ms", "ms median"),),
    ),
    Row(
        "relay-memory",
        "Redis' memory after the events went through ÷ before",
        "relay_memory",
        "after_by_before",
        "times",
        (RELAYED,),
        RELAYED,
        count=1_000_000,
        quick=2_000,
        most_rounds=2,
        beside=(("kilobytes", "kB after"),),
    ),
)
