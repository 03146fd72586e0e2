"""
Where calls end: ledger and buffer are told at once, the log and the signals' receivers afterwards.

Receivers and log handlers are the application's: they may take their time, close the pipeline or
end the thread. So what there is to say waits until nothing of ours is half done.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cio_events import signals
from cio_events._buffers.failures import Failure
from cio_events._calls.messages import Receipt
from cio_events._delivery.buffer import Buffer
from cio_events._delivery.bundle import size_of
from cio_events._delivery.destination import Batch, Hold, Split, TryAgain, Verdict
from cio_events._delivery.ledger import Ledger
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import Diagnostics, calls, say
from cio_events._wire.encode import remade
from cio_events._wire.envelope import Envelope, body_of, ulid_of
from cio_events._wire.masking import masked, named, values_in
from cio_events.options import Options
from cio_events.signals import DroppedReason, FailedReason, Report, Retry

if TYPE_CHECKING:
    import blinker


class Outcomes:
    """
    Tells everybody concerned what became of calls.

    Args:
        sender: The pipeline, as the sender of signals.
    """

    def __init__(
        self,
        sender: object,
        options: Options,
        buffer: Buffer,
        ledger: Ledger,
        diagnostics: Diagnostics,
    ) -> None:
        self._sender = sender
        self._options = options
        self._buffer = buffer
        self._ledger = ledger
        self._diagnostics = diagnostics
        self._new: Counter[str] = Counter()  # failures that no line has told of yet
        # Each says one thing more whenever it is asked for its next item.
        self._news: deque[Iterator[None]] = deque()
        self._announcing: set[int] = set()  # threads that say some of it now

    def sent(
        self,
        envelopes: Sequence[Envelope],
        attempts: int,
        status: int | None,
        receipt: Receipt | None,
    ) -> None:
        """These calls were accepted where they go."""
        self._buffer.forget(envelopes)
        heard = self._count_if_heard(signals.sent, envelopes)
        self._ledger.settle(size_of(envelopes), sent=len(envelopes), unannounced=heard)
        if heard:
            report = partial(
                Report, attempts=attempts, status=status, receipt=receipt, to=self._options.to
            )
            self._news.append(map(partial(self._report, signals.sent, report), envelopes))

    def failed(
        self,
        envelopes: Sequence[Envelope],
        attempts: int,
        reason: FailedReason,
        status: int | None = None,
        details: Sequence[str | None] = (),
    ) -> None:
        """These calls have failed for good; *details* is what was said of each."""
        details = details or [None] * len(envelopes)
        self._buffer.dead_letter(
            envelopes, [Failure(reason, status, detail) for detail in details]
        )
        heard = self._count_if_heard(signals.failed, envelopes)
        self._ledger.settle(size_of(envelopes), failed={reason: len(envelopes)}, unannounced=heard)
        self._say_failed(envelopes[-1], len(envelopes), reason, status, details[-1])
        if heard:
            report = partial(
                Report, attempts=attempts, status=status, reason=reason, to=self._options.to
            )
            self._news.append(
                map(partial(self._report, signals.failed, report), envelopes, details)
            )

    def lost(
        self,
        envelopes: Sequence[Envelope],
        attempts: Mapping[Envelope, int],
        reason: DroppedReason,
    ) -> None:
        """These calls are given up, and in no buffer any more."""
        heard = self._count_if_heard(signals.dropped, envelopes)
        self._ledger.settle(
            sum(map(len, envelopes)), dropped={reason: len(envelopes)}, unannounced=heard
        )
        for envelope in envelopes if heard else ():
            report = partial(
                Report,
                attempts=attempts.get(envelope, 0),
                reason=reason,
                to=self._options.to,
            )
            self._news.append(map(partial(self._report, signals.dropped, report), (envelope,)))

    def delayed(
        self,
        destination: str,
        verdict: TryAgain | Hold,
        batch: Batch,
        delay: float,
        *,
        held: bool,
    ) -> None:
        """The calls of *batch* have to wait *delay* seconds, as all for this *destination*."""
        status = verdict.status
        reason = "held" if isinstance(verdict, Hold) else verdict.reason
        words = partial(_quoted, verdict.detail, tuple(batch.envelopes))
        if not isinstance(verdict, Hold):
            self._warn(
                f"retry {destination} {reason}",
                lambda: (
                    f"delivery to {destination} fails for now ({reason}{_with(status)}"
                    f"{words()}); "
                    f"{calls(self._ledger.pending, 'waits and is', 'wait and are')} tried again"
                ),
            )
        elif held:
            self._warn_once(
                f"held {destination} {status}",
                lambda: (
                    f"{destination} {_answers(status)}: {verdict.advice}; "
                    f"nothing is lost, delivery is tried again every "
                    f"{self._options.hold_interval:g} s{words()}"
                ),
            )
        retry = Retry(reason, status, batch.attempts, delay, len(batch.envelopes), verdict.detail)
        announce = partial(signals.announce, signals.retrying, self._sender, retry=retry)
        self._news.append(announce() for _ in range(1))

    def answered(self, destination: str, count: int, verdict: Verdict, seconds: float) -> None:
        """A request with *count* calls has ended, after so many *seconds*; any thread may tell."""
        status = getattr(verdict, "status", None)
        if isinstance(verdict, Split):
            what = "refused, so that each half is sent alone"
        elif status is not None:
            what = f"status {status}"
        else:
            what = f"no answer ({getattr(verdict, 'reason', 'none')})"
        line = f"request to {destination} with {calls(count)}: {what}, {seconds * 1000:.0f} ms"
        self._news.append(map(say, (f"debug: {line}",)))

    # Saying it.

    def _say_failed(
        self,
        envelope: Envelope,
        count: int,
        reason: FailedReason,
        status: int | None,
        detail: str | None,
    ) -> None:
        self._new[reason] += count

        def line() -> str:
            new, self._new[reason] = self._new[reason], 0
            in_all = self._ledger.stats(0).failed_by_reason.get(reason, 0)
            what = "refused" if reason == "rejected" else f"did not get ({reason})"
            return (
                f"{self._options.to} {what} {calls(new)}{f' ({status})' if status else ''}, "
                f"the last: {_named(envelope)}{_quoted(detail, (envelope,))}; "
                f"{in_all} since the start"
            )

        self._warn(f"failed {reason}", line)

    def announce(self, end: float = float("inf")) -> None:
        """
        Say all that there is to say. Nothing of ours may be half done, and no lock held.

        It begins with nothing more once it is *end* (`monotonic`). What is left to be said when
        a receiver ends this thread is said by the next one.
        """
        here = threading.get_ident()
        inner = here in self._announcing
        self._announcing.add(here)
        try:
            while self._news and monotonic() < end:
                try:
                    news = self._news.popleft()
                except IndexError:  # another thread was quicker
                    return
                try:
                    for _ in news:
                        if monotonic() >= end:
                            self._news.appendleft(news)
                            return
                except BaseException:
                    self._news.appendleft(news)
                    raise
        finally:
            if not inner:
                self._announcing.discard(here)

    def announces_here(self) -> bool:
        """Whether it is this thread that says something now."""
        return threading.get_ident() in self._announcing

    def _count_if_heard(self, signal: blinker.NamedSignal, envelopes: Sequence[Envelope]) -> int:
        return len(envelopes) if signal.has_receivers_for(self._sender) else 0

    def _report(
        self,
        signal: blinker.NamedSignal,
        report: partial[Report],
        envelope: Envelope,
        detail: str | None = None,
    ) -> None:
        try:
            signals.announce(
                signal,
                self._sender,
                report=report(remade(envelope), ulid_of(envelope), detail=detail),
            )
        finally:
            self._ledger.announced(1)

    def _warn(self, kind: str, message: Callable[[], str]) -> None:
        self._news.append(map(self._diagnostics.warn, (kind,), (message,)))

    def _warn_once(self, kind: str, message: Callable[[], str]) -> None:
        self._news.append(map(self._diagnostics.warn_once, (kind,), (message,)))


def _named(envelope: Envelope) -> str:
    """Which call it is, without anything that is personal."""
    call = remade(envelope)
    if call is None:
        return ulid_of(envelope)
    return f"{named(call)} {ulid_of(envelope)}"


def _quoted(words: str | None, envelopes: Sequence[Envelope]) -> str:
    """What somebody said of calls, with everything masked that came from them."""
    if not words:
        return ""
    values = {value for envelope in envelopes for value in values_in(body_of(envelope))}
    return f": {masked(words, values)}"


def _with(status: int | None) -> str:
    return "" if status is None else f", status {status}"


def _answers(status: int | None) -> str:
    return "refuses us" if status is None else f"answers with status {status}"
