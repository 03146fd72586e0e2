"""
Tell everybody of a call that a pipeline refuses: ledger, log and signals.

`cio_events._pipeline.pipeline` decides which calls those are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from cio_events import signals
from cio_events._calls.call import Call
from cio_events._delivery.ledger import Ledger
from cio_events._process.diagnostics import Diagnostics, calls, where
from cio_events._wire.masking import named
from cio_events.errors import ParamError
from cio_events.signals import DroppedReason, FailedReason, Report


class Refusals:
    """
    Tells everybody concerned of calls that a pipeline has not accepted.

    Args:
        sender: The pipeline, as the sender of signals.

        strict: Tells whether bad input raises.

        to: Where calls go, as reports say it.
    """

    def __init__(
        self,
        sender: object,
        ledger: Ledger,
        diagnostics: Diagnostics,
        *,
        strict: Callable[[], bool],
        to: Literal["customer.io", "redis"] = "customer.io",
    ) -> None:
        self._sender = sender
        self._ledger = ledger
        self._diagnostics = diagnostics
        self._strict = strict
        self._to: Literal["customer.io", "redis"] = to

    def fail(self, call: Call | None, id_: str, error: ParamError) -> FailedReason:
        """
        Count *call*, or what no call can be made of, as bad input; returns the reason.

        Raises:
            ParamError: *error*, with ``strict``; then nothing else is done.
        """
        if self._strict():
            raise error
        reason: FailedReason = "invalid" if error.limit is None else "too_large"
        self._ledger.fail(reason)
        in_all = self._ledger.stats(0).failed_by_reason.get(reason, 0)
        more = f"; {in_all} since the start" if in_all > 1 else ""
        which = "a call" if call is None else f"{named(call)} {id_}"
        self._diagnostics.warn(
            f"{reason} {error}", lambda: f"{which} is not sent: {error}{where()}{more}"
        )
        if signals.failed.receivers:
            report = Report(call, id_, 0, reason=reason, detail=str(error), to=self._to)
            signals.announce(signals.failed, self._sender, report=report)
        return reason

    def drop(self, call: Call, id_: str, reason: DroppedReason) -> None:
        """*call* is valid, but cannot be accepted."""
        self._ledger.drop(reason)
        if reason == "full":
            self._diagnostics.warn(
                "full",
                lambda: (
                    f"{calls(self._ledger.pending, 'is', 'are')} pending, as many as max_pending "
                    f"or max_pending_bytes allow; {self._dropped_as_full()} were dropped so far"
                ),
            )
        if signals.dropped.receivers:
            report = Report(call, id_, 0, reason=reason, to=self._to)
            signals.announce(signals.dropped, self._sender, report=report)

    def say_blocked(self, blocked: object) -> None:
        """A call is dropped since it would leave the machine, which a test must not."""
        self._diagnostics.warn(f"blocked {blocked}", f"a call is dropped: {blocked}")

    def say_unconfigured(self, problem: ParamError) -> None:
        """Calls are dropped because of a *problem* with the settings."""
        self._diagnostics.warn_once(
            f"unconfigured {problem.param}",
            f"calls to Customer.io are dropped, since a setting is wrong. {problem}",
        )

    def say_in_all(self) -> None:
        """
        Say how many calls have failed, a line for each reason, and how many were dropped as full.

        Nothing more is said of a reason with one failure: its own line has told of it.
        """
        for reason, failed in self._ledger.stats(0).failed_by_reason.items():
            if failed > 1:
                self._diagnostics.warn_once(
                    f"{reason} in all", f"{failed} calls have failed in all as {reason}"
                )
        count = self._dropped_as_full()
        if count:
            self._diagnostics.warn_once(
                "full in all",
                f"{calls(count, 'was', 'were')} dropped in all, as more were "
                "pending than max_pending or max_pending_bytes allow",
            )

    def _dropped_as_full(self) -> int:
        return self._ledger.stats(0).dropped_by_reason.get("full", 0)
