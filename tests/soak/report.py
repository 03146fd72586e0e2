"""What came of a soak: the figures, the verdict, and how both are shown."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from tests.soak.culprits import Found

# What a process may grow by between its second fifth and its last: measured where nothing leaks.
_GROWTH_ALLOWED = 1.10

_BARS = "▁▂▃▄▅▆▇█"
_BARS_WIDTH = 60


@dataclass
class Soak:
    """
    All that was seen.

    Attributes:
        seconds: How long it was.

        accepted: The names of the events whose log calls had returned.

        arrived: The names of the events that Customer.io has, in the order of their arrival.

        kills: How often the process was killed.

        faults: How often each went wrong.

        culprits: How many calls there were of each kind with which every request failed.

        stood: How those stood that did for long enough.

        statuses: How often each status was answered; None where there was no answer.

        memory: Bytes of the process that lasted, each second.

        pending: What was left in the end.

        dead: Calls that lie in the spool as failed for good.

        ledgers: What the ledgers of the processes that closed said.

        deaths: How those ended that were to close and did not.
    """

    seconds: float = 0.0
    accepted: set[str] = field(default_factory=set)
    arrived: list[str] = field(default_factory=list)
    kills: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    culprits: Counter[str] = field(default_factory=Counter)
    stood: list[Found] = field(default_factory=list)
    statuses: Counter[int | None] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    pending: int = 0
    dead: int = 0
    ledgers: list[Mapping[str, Any]] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)

    def note(self, found: Found | None) -> None:
        """Keep how a culprit stood, if it did."""
        if found is not None:
            self.stood.append(found)

    @property
    def missing(self) -> set[str]:
        """What was accepted and has not arrived."""
        return self.accepted - set(self.arrived)

    @property
    def endings(self) -> int:
        """In how many ways children ended."""
        return len({name.partition("/")[2] for name in self.accepted if "/" in name})

    @property
    def repeated(self) -> int:
        """Events that Customer.io took twice."""
        return len(self.arrived) - len(set(self.arrived))

    @property
    def disordered(self) -> int:
        """Events that arrived after a later one of the same customer."""
        latest: dict[str, int] = {}
        count = 0
        for name in self.arrived:
            who, _, number = name.rpartition(".")
            count += int(number) < latest.get(who, -1)
            latest[who] = max(int(number), latest.get(who, -1))
        return count

    @property
    def growth(self) -> float:
        """The memory of the last fifth, divided by that of the second."""
        fifth = len(self.memory) // 5
        if not fifth:
            return 1.0
        early, late = self.memory[fifth : 2 * fifth], self.memory[-fifth:]
        return statistics.median(late) / statistics.median(early)

    @property
    def balanced(self) -> bool:
        """Whether the ledgers add up."""
        return all(
            one["received"] == one["sent"] + one["failed"] + one["dropped"] + one["pending"]
            for one in self.ledgers
        )

    def verdicts(self) -> dict[str, bool]:
        """What is asked of a soak, and whether it holds."""
        return {
            "nothing that was accepted is missing": not self.missing,
            "nothing was taken twice": not self.repeated,
            "each customer's events are in order": not self.disordered,
            "culprits stopped nobody but their own customers": not any(
                found.stopped for found in self.stood
            ),
            "who stood behind a culprit waited": not any(found.behind for found in self.stood),
            "nothing is left, and nothing has failed": not (self.pending or self.dead),
            "the ledgers balance": self.balanced,
            "whoever was to close did": not self.deaths,
            f"memory is flat (at most {_GROWTH_ALLOWED} times as much)": self.growth
            <= _GROWTH_ALLOWED,
        }


def show(soak: Soak) -> RenderableType:
    """The report."""
    figures = Table(title=f"A soak of {soak.seconds / 60:.1f} minutes", show_header=False)
    figures.add_column()
    figures.add_column(justify="right")
    for label, value in (
        ("events accepted", f"{len(soak.accepted):,}"),
        ("events arrived", f"{len(soak.arrived):,}"),
        ("  of them accepted just before a kill", f"{len(set(soak.arrived) - soak.accepted):,}"),
        ("missing", f"{len(soak.missing):,}"),
        ("taken twice", f"{soak.repeated:,}"),
        ("out of order", f"{soak.disordered:,}"),
        ("left pending", f"{soak.pending:,}"),
        ("failed for good", f"{soak.dead:,}"),
        ("culprits", f"{soak.culprits.total():,}"),
        ("  of them stood for half a minute and more", f"{len(soak.stood):,}"),
        ("SIGKILLs", f"{soak.kills:,}"),
        ("ways in which children ended", f"{soak.endings:,}"),
        ("requests", f"{soak.statuses.total():,}"),
        ("memory, last fifth ÷ second fifth", f"{soak.growth:.3f}"),
    ):
        figures.add_row(label, value)
    return Group(
        figures,
        _counts("What went wrong", soak.faults),
        _counts("Culprits", soak.culprits),
        _counts("Answers", {str(status or "none"): n for status, n in soak.statuses.items()}),
        _memory(soak.memory),
        *(
            Text(f"{'✔' if holds else '✘'} {verdict}", "green" if holds else "bold red")
            for verdict, holds in soak.verdicts().items()
        ),
        *(Text(f"  {death}", "red") for death in soak.deaths),
        *(Text(f"  missing: {name}", "red") for name in sorted(soak.missing)[:10]),
        *(
            Text(f"  stopped by a culprit ({found.kind}): {who}", "red")
            for found in soak.stood
            for who in found.stopped
        ),
    )


def _counts(title: str, counts: Mapping[str, int]) -> Table:
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in sorted(counts.items()):
        table.add_row(name, f"{count:,}")
    return table


def _memory(samples: Sequence[int]) -> Text:
    """The memory over time, as a line of bars from zero."""
    if not samples:
        return Text("no memory was measured")
    step = max(len(samples) / _BARS_WIDTH, 1.0)
    picked = [samples[int(n * step)] for n in range(int(len(samples) / step))]
    top = max(samples)
    bars = "".join(_BARS[round(sample / top * (len(_BARS) - 1))] for sample in picked)
    return Text(f"memory {bars} {top / 2**20:.0f} MiB at most")
