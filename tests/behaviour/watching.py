"""What tests of pipelines watch: ledgers, signals, what was said, what comes true before long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from cio_events import Pipeline, Report, Retry, Stats, signals
from cio_events.sandbox import Sandbox

if TYPE_CHECKING:
    import pytest

QUICK: dict[str, Any] = {
    "site_id": "the-site",
    "api_key": "the-key",
    "app_api_key": "the-app-key",
    "flush_interval": 0.01,
    "retry_base": 0.02,
    "retry_cap": 0.02,
    "hold_interval": 0.1,
}

# Far more than anything here takes, also where others use the machine.
LONG = 20.0

# For a test whose work takes any time on a machine that has other work: less than the suite's own
# guard against hanging.
GUARD = 100.0


def balanced(pipeline: Pipeline) -> Stats:
    """The stats, after a look at whether they add up."""
    stats = pipeline.stats()
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending
    assert stats.failed == sum(stats.failed_by_reason.values())
    assert stats.dropped == sum(stats.dropped_by_reason.values())
    assert min(stats.sent, stats.failed, stats.dropped, stats.pending, stats.retries) >= 0
    return stats


def settled(pipeline: Pipeline) -> Stats:
    """The stats when everything has ended."""
    assert pipeline.flush(LONG)
    stats = balanced(pipeline)
    assert stats.pending == 0
    return stats


def eventually(condition: Callable[[], object], seconds: float = LONG) -> bool:
    """Whether it comes true before long."""
    end, pause = time.monotonic() + seconds, 0.002
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(1.2 * pause, 0.03)  # as others wait beside it
    return True


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the package had to say of itself."""
    return [record.getMessage() for record in caplog.records if record.name == "cio_events"]


def names(sandbox: Sandbox) -> list[str]:
    """The names of the events that have arrived, in their order."""
    return [event.name for event in sandbox.events]


class Heard:
    """What the signals have told, of all pipelines."""

    def __init__(self) -> None:
        self.sent: list[Report] = []
        self.failed: list[Report] = []
        self.dropped: list[Report] = []
        self.retries: list[Retry] = []

    def __enter__(self) -> Self:
        signals.sent.connect(self._on_sent)
        signals.failed.connect(self._on_failed)
        signals.dropped.connect(self._on_dropped)
        signals.retrying.connect(self._on_retrying)
        return self

    def __exit__(self, *_: object) -> None:
        signals.sent.disconnect(self._on_sent)
        signals.failed.disconnect(self._on_failed)
        signals.dropped.disconnect(self._on_dropped)
        signals.retrying.disconnect(self._on_retrying)

    def _on_sent(self, _: object, report: Report) -> None:
        self.sent.append(report)

    def _on_failed(self, _: object, report: Report) -> None:
        self.failed.append(report)

    def _on_dropped(self, _: object, report: Report) -> None:
        self.dropped.append(report)

    def _on_retrying(self, _: object, retry: Retry) -> None:
        self.retries.append(retry)
