"""
What the engine asks of a destination, and what a destination answers: one verdict for a batch.

A destination knows its protocol and its vendor; nothing in this folder does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cio_events._wire.envelope import Envelope
from cio_events.signals import FailedReason, RetryReason

if TYPE_CHECKING:
    from cio_events._calls.messages import Receipt


@dataclass(slots=True, eq=False)
class Batch:
    """
    Calls that travel in one request.

    Attributes:
        envelopes: The calls, in order; a `Bundle` where they came as the body of a request.

        attempts: How many requests they were part of.

        again: Whether its last request has to be repeated.
    """

    envelopes: Sequence[Envelope] = field(repr=False)
    attempts: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    The destination has accepted the calls, but those *refused*.

    Attributes:
        status: The HTTP status; None for a destination that has none.

        refused: What was said of each call refused, by its place in the batch.

        receipt: Of a transactional message.
    """

    status: int | None
    refused: Mapping[int, str] = field(default_factory=dict)
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The one call of a batch fails for good."""

    reason: FailedReason
    status: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """Some of the calls are bad, and which cannot be known: each half has to be sent alone."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """
    Nothing was accepted, as far as is known, and a later request may do better.

    Attributes:
        reason: Why, as `cio_events.signals` has it.

        status: The HTTP status; None if there was none.

        delay: What the server asked for, in seconds; None if it did not.

        detail: What is known of the cause, without personal data.

        suspect: Whether the calls themselves may be the cause.

        slow: Whether the time was too short, so that fewer calls may do better.

        doubt: Whether the calls may have arrived, though this process may send them again.
    """

    reason: RetryReason
    status: int | None
    delay: float | None = None
    detail: str | None = None
    suspect: bool = False
    slow: bool = False
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """
    The settings are wrong, not the calls.

    Attributes:
        status: The HTTP status; None of a server that has none.

        advice: What a person should look at, as the end of a sentence.

        detail: What the server said.

        suspect: Whether the calls themselves may be the cause, as far as others pass.

        final: Whether the one call is refused for good once another passes.
    """

    status: int | None
    advice: str
    detail: str | None = None
    suspect: bool = False
    final: bool = False


Verdict: TypeAlias = Delivered | Refused | Split | TryAgain | Hold


@dataclass(frozen=True, slots=True)
class Sharing:
    """
    Which calls share a request, and how many of them do.

    Attributes:
        routes: The first bytes of their envelopes. All others go alone.

        room: How many bytes they may have together.

        spared: How many bytes of each envelope are not sent.

        enough: How many to have at hand: more than a request holds, and few enough to stay near
            the processor until they are sent.
    """

    routes: bytes
    room: int
    spared: int
    enough: int = 4_096


class Destination(Protocol):
    """Where calls go. Several threads may deliver at once."""

    @property
    def name(self) -> str:
        """What diagnostics call it."""

    @property
    def routes(self) -> bytes:
        """
        The first bytes of the envelopes that go there; no two destinations have one in common.
        """

    @property
    def sharing(self) -> Sharing | None:
        """Which calls share a request; None if each goes alone."""

    @property
    def at_most_once(self) -> bool:
        """Whether a message that may have arrived must not be sent again."""

    @property
    def ready(self) -> bool:
        """Whether it has what it takes to send, credentials above all."""

    def prepare(self) -> None:
        """Import what sending needs."""

    def concerns(self, envelope: Envelope) -> tuple[str, ...]:
        """
        Whom and what a call is about, as keys by which order is kept, in all destinations alike.
        """

    def deliver(self, batch: Batch, timeout: float) -> Verdict:
        """
        Send *batch*, in *timeout* seconds at the most, and judge the answer.

        A destination that is `at_most_once` never raises an `Exception`. Of any other, one that
        is raised counts as a fault of ours, after which the batch is sent again.
        """
