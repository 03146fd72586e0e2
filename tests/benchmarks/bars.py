"""
What the library has promised itself to reach, as ratios of two sides measured in the same run.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.hostile import NAMES, figure_of, has_surrogates
from tests.benchmarks.rows import PEERS
from tests.benchmarks.sides.relay import RELAYED


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One ratio to reach.

    Attributes:
        title: What is compared, in words.

        row: The row whose figure is compared.

        side: The side that has to reach it.

        against: The other side; of several, the best.

        limit: The ratio to reach.

        at_most: Whether it must not be over the limit; otherwise, not under it.

        figure: The figure that is compared; "" is the row's own.
    """

    title: str
    row: str
    side: str
    against: tuple[str, ...]
    limit: float
    at_most: bool
    figure: str = ""

    def reached(self, ratio: float) -> bool:
        """Whether this ratio does."""
        return ratio <= self.limit if self.at_most else ratio >= self.limit


_READY_MADE = ("ready-made bodies",)

_FAST = "structlog (fast set-up)"

BARS: tuple[Bar, ...] = (
    Bar(
        "untagged record through the processor ÷ a processor that does nothing",
        "untagged",
        "CustomerIOProcessor",
        ("nothing (object)",),
        2.0,
        at_most=True,
    ),
    Bar(
        "tagged record: structlog with us ÷ without",
        "tagged",
        "structlog",
        ("structlog alone",),
        1.5,
        at_most=True,
    ),
    Bar(
        "the same with structlog's fast set-up",
        "tagged",
        _FAST,
        ("structlog alone (fast set-up)",),
        1.5,
        at_most=True,
    ),
    Bar(
        # While sending, since a peer's call is only a part of what it takes from its caller.
        "tagged record ÷ the fastest peer's track(), while sending",
        "tagged-live",
        "structlog",
        PEERS,
        0.5,
        at_most=True,
    ),
    Bar(
        "the same with structlog's fast set-up",
        "tagged-live",
        _FAST,
        PEERS,
        0.5,
        at_most=True,
    ),
    Bar(
        "draining ÷ ready-made bodies, round trip 0",
        "draining",
        "Pipeline.track",
        _READY_MADE,
        0.5,
        at_most=False,
    ),
    Bar(
        "draining ÷ ready-made bodies, round trip 50 ms",
        "draining-50",
        "Pipeline.track",
        _READY_MADE,
        0.9,
        at_most=False,
    ),
    Bar(
        "draining through the relay ÷ directly, round trip 0",
        "relay",
        RELAYED,
        ("Pipeline.track",),
        0.8,
        at_most=False,
    ),
    Bar(
        "draining through the relay ÷ directly, round trip 50 ms",
        "relay-50",
        RELAYED,
        ("Pipeline.track",),
        0.8,
        at_most=False,
    ),
    Bar(
        "logging and delivering at once ÷ the fastest peer",
        "throughput",
        "structlog",
        PEERS,
        3.0,
        at_most=False,
    ),
    Bar(
        "the same with structlog's fast set-up",
        "throughput",
        _FAST,
        PEERS,
        3.0,
        at_most=False,
    ),
    Bar(
        "memory of a pending event ÷ the leanest peer",
        "memory",
        "Pipeline.track",
        PEERS,
        0.4,
        at_most=True,
    ),
    Bar(
        "tagged record with a spool ÷ a bare SQLite insert",
        "tagged",
        "structlog, spool",
        ("sqlite insert",),
        2.0,
        at_most=True,
        # Of all blocks: those in which SQLite moves its journal into its file are the slow ones.
        figure="mean_us",
    ),
    Bar(
        # How long a line takes beside an insert is the machine's, and not ours.
        "the same ÷ the line without us and such an insert",
        "tagged",
        "structlog, spool",
        ("structlog alone, sqlite insert",),
        1.5,
        at_most=True,
        figure="mean_us",
    ),
    Bar(
        "import cio_events ÷ import structlog, blinker",
        "import",
        "import cio_events",
        ("import structlog, blinker",),
        1.5,
        at_most=True,
    ),
    *(
        Bar(
            f"an event of {name.replace('_', ' ')} ÷ json.dumps of the same",
            "hostile",
            "Pipeline.track",
            ("json.dumps",),
            6.0 if has_surrogates(name) else 3.0,
            at_most=True,
            figure=figure_of(name),
        )
        for name in NAMES
    ),
)
