"""The recorder: it takes all calls of a process, and asserts what they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, cast, get_args, overload

from cio_events._calls.call import Call
from cio_events._calls.people import Identify, Track, TrackAnonymous
from cio_events._pipeline import recording
from cio_events._process.diagnostics import calls
from cio_events.signals import FailedReason
from cio_events.testing import expectations, explanations, listening
from cio_events.testing.expectations import EVENTS, MISSING, Expectation
from cio_events.testing.tape import Entry, Failure, Tape

if TYPE_CHECKING:
    from typing_extensions import Self

CallT = TypeVar("CallT", bound=Call)

# unittest shows no frames of a module that has it, as pytest shows none with __tracebackhide__.
__unittest = True

# How many calls a summary shows.
_SUMMED = 20


class Recorder:
    """
    Takes the calls of every pipeline of the process while it is open, and asserts what they were.

    A context manager; `open` and `close` do the same. It takes them from pipelines of any kind,
    made before or later, with or without credentials, and with ``enabled=False`` too. Nothing is
    sent. The way up to there is the real one, ``before_send`` included: each call ends as sent at
    once, ledger and signals tell so. Recorders nest; the inner one records.

    While it is open, a record of which no call can be made raises `cio_events.ParamError` at its
    line.

    Each assertion raises AssertionError itself, with a text that says what was nearest and why a
    call may be missing, and returns what it found. Values are compared as ``expected == actual``,
    so that matchers (``unittest.mock.ANY``, dirty-equals, ``pytest.approx``) work anywhere.
    A customer that is given as text, integer or UUID may be of any type; an
    `cio_events.Identifier` or ``{"email": …}`` says which.

    Args:
        seed: Makes ULIDs and times deterministic, for snapshots: ULIDs that rise, and a clock
            that begins with 2026 and steps one second a call.
    """

    def __init__(self, *, seed: int | None = None) -> None:
        self._tape = Tape(seed)
        self._unasserted_fail = False
        self.verbose: bool | None = None  # where it is not pytest that runs

    def __repr__(self) -> str:
        return f"<Recorder {calls(len(self._tape.entries))}>"

    # Opening and closing.

    def open(self) -> Self:
        """Record from now on."""
        recording.open_(self._tape)
        listening.look()
        return self

    def close(self) -> None:
        """Record no more: everything is as it was before. What was recorded stays."""
        recording.close(self._tape)
        listening.look()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # What was recorded.

    @property
    def calls(self) -> list[Call]:
        """All calls in order, made again from the bytes that would have been sent."""
        return [self._seen(entry).call for entry in list(self._tape.entries)]

    @property
    def events(self) -> list[Track | TrackAnonymous]:
        """The events among them, page and screen views and those of nobody known included."""
        found = [entry for entry in list(self._tape.entries) if isinstance(entry.call, EVENTS)]
        return [cast("Track | TrackAnonymous", self._seen(entry).call) for entry in found]

    @property
    def people(self) -> dict[str, dict[str, object]]:
        """The attributes of each customer after all `cio_events.Identify` calls."""
        people: dict[str, dict[str, object]] = {}
        for entry in list(self._tape.entries):
            if isinstance(entry.call, Identify):
                call = cast("Identify", self._seen(entry).call)
                people.setdefault(call.customer.value, {}).update(call.attributes)
        return people

    # Assertions.

    @overload
    def tracked(
        self,
        name: object,
        *,
        customer: object = ...,
        anonymous: object = ...,
        type: object = ...,
        times: None = None,
        exactly: object = None,
        **data: object,
    ) -> Track | TrackAnonymous: ...

    @overload
    def tracked(
        self,
        name: object,
        *,
        customer: object = ...,
        anonymous: object = ...,
        type: object = ...,
        times: int,
        exactly: object = None,
        **data: object,
    ) -> list[Track | TrackAnonymous]: ...

    def tracked(
        self,
        name: object,
        *,
        customer: object = MISSING,
        anonymous: object = MISSING,
        type: object = MISSING,
        times: int | None = None,
        exactly: object = None,
        **data: object,
    ) -> Track | TrackAnonymous | list[Track | TrackAnonymous]:
        """
        Assert that there was such an event.

        Args:
            name: The event's.

            customer: Whose.

            anonymous: The anonymous id of somebody who is not known yet.

            type: ``"event"``, ``"page"`` or ``"screen"``; any, where it is not given.

            times: How many of them there have to be; None is one or more.

            exactly: The whole payload.

            data: Part of the payload. A key with the name of another parameter goes into
                *exactly*.

        Returns:
            The first such event; with *times* all of them.
        """
        __tracebackhide__ = True
        wanted = expectations.event(name, customer, anonymous, type, exactly, data)
        if times is None:
            return cast("Track | TrackAnonymous", self._one(wanted))
        return cast("list[Track | TrackAnonymous]", self._some(wanted, times))

    def identified(
        self, customer: object, *, exactly: object = None, **attributes: object
    ) -> Identify:
        """
        Assert that a person was identified with these attributes.

        Args:
            customer: Who.

            exactly: All attributes of the call.

            attributes: Part of them.

        Returns:
            The first such call.
        """
        __tracebackhide__ = True
        return cast("Identify", self._one(expectations.person(customer, exactly, attributes)))

    def called(self, kind: type[CallT], **params: object) -> CallT:
        """
        Assert that there was a call of that *kind*, such as `cio_events.AddDevice`.

        Args:
            kind: Its class.

            params: What its attributes have to be, each as a whole.

        Returns:
            The first such call.

        Raises:
            TypeError: *kind* is no class of calls, or has no such attribute.
        """
        __tracebackhide__ = True
        return cast("CallT", self._one(expectations.any_call(kind, params)))

    def not_tracked(
        self,
        name: object,
        *,
        customer: object = MISSING,
        anonymous: object = MISSING,
        type: object = MISSING,
        exactly: object = None,
        **data: object,
    ) -> bool:
        """Assert that there was no such event, as in `tracked`; returns True."""
        __tracebackhide__ = True
        wanted = expectations.event(
            name, customer, anonymous, type, exactly, data, word="not_tracked"
        )
        found = [one for one in list(self._tape.entries) if wanted.fits(one.call)]
        if found:
            raise AssertionError(
                "\n".join([f"there was one: {wanted.text}", *self._listed(found, 13)])
            )
        return True

    def nothing(self) -> bool:
        """Assert that there was no call at all; returns True."""
        __tracebackhide__ = True
        found = list(self._tape.entries)
        if len(found) == 1:
            raise AssertionError(f"there was a call:{self._listed(found, 13)[0][1:]}")
        if found:
            head = f"there were {len(found)} calls:"
            raise AssertionError("\n".join([head, *self._listed(found, 13)]))
        return True

    def in_order(self, *expected: object) -> list[Call]:
        """
        Assert that these came in this order, with any others between them.

        Args:
            expected: Names of events, calls (of which what is None does not count), or classes
                of calls.

        Returns:
            The calls found.
        """
        __tracebackhide__ = True
        wanted = [expectations.expectation_of(one) for one in expected]
        rest = iter(list(self._tape.entries))
        found: list[Entry] = []
        for number, one in enumerate(wanted):
            entry = next((entry for entry in rest if one.fits(entry.call)), None)
            if entry is None:
                told = _told(self._tape.entries)
                text = explanations.out_of_order(wanted, number, told, self._tape.notes)
                raise AssertionError(self._with_all(text))
            found.append(entry)
        return [self._seen(entry).call for entry in found]

    # How it behaves.

    def fail_next(
        self,
        reason: FailedReason = "rejected",
        status: int | None = 207,
        detail: str | None = None,
        times: int = 1,
    ) -> None:
        """
        Let the next calls end as failed, for those who listen to `cio_events.signals.failed`.

        They stand among `calls` all the same.

        Args:
            reason: Why, as in `cio_events.signals`.

            status: The HTTP status that they get.

            detail: What Customer.io says of them.

            times: How many.

        Raises:
            ValueError: There is no such *reason*, or *times* is below 1.
        """
        if reason not in get_args(FailedReason):
            raise ValueError(f"reason must be one of {', '.join(get_args(FailedReason))}")
        if times < 1:
            raise ValueError("times must be 1 or more")
        self._tape.failures.append(Failure(reason, status, detail, times))

    @contextmanager
    def lenient(self) -> Iterator[None]:
        """Have a record of which no call can be made counted as failed, and not raised, inside."""
        self._tape.lenient += 1
        try:
            yield
        finally:
            self._tape.lenient -= 1

    def clear(self) -> None:
        """Forget what was recorded."""
        self._tape.clear()

    def strict(self) -> None:
        """
        Let the test fail at its end if it has looked at some calls only, with those left listed.

        A call is looked at when an assertion has returned it, or `calls`, `events` or `people`
        had it. Without pytest, `check` is to be called at the end.
        """
        self._unasserted_fail = True

    def check(self) -> None:
        """Assert that no call is left that was not looked at, if `strict` asks for it."""
        __tracebackhide__ = True
        left = [entry for entry in list(self._tape.entries) if not entry.asserted]
        if self._unasserted_fail and left:
            many = calls(len(left), "was", "were")
            raise AssertionError("\n".join([f"{many} not asserted:", *self._listed(left, 13)]))

    def summary(self, *, whole: bool = False) -> str:
        """All calls as text, a line each; more than twenty only if the *whole* is wanted."""
        lines = explanations.listed(_told(self._tape.entries), None if whole else _SUMMED)
        if self.verbose is False and len(lines) > _SUMMED:
            lines[-1] += " (pytest -v shows all)"
        return "\n".join(lines) or "  none"

    # How assertions are made.

    def _one(self, wanted: Expectation) -> Call:
        __tracebackhide__ = True
        for entry in list(self._tape.entries):
            if wanted.fits(entry.call):
                return self._seen(entry).call
        raise AssertionError(self._missing("no call", wanted))

    def _some(self, wanted: Expectation, times: int) -> list[Call]:
        __tracebackhide__ = True
        found = [entry for entry in list(self._tape.entries) if wanted.fits(entry.call)]
        if len(found) == times:
            return [self._seen(entry).call for entry in found]
        were = f"expected {calls(times)}, was {len(found)}"
        if not found:
            raise AssertionError(self._missing(were, wanted))
        others = [entry for entry in list(self._tape.entries) if entry not in found]
        near = explanations.nearest(wanted, _told(others)) if len(found) < times else []
        lines = [f"{were}: {wanted.text}", *self._listed(found, 13 - len(near)), *near]
        raise AssertionError("\n".join(lines))

    def _missing(self, what: str, wanted: Expectation) -> str:
        told = _told(self._tape.entries)
        return self._with_all(explanations.missing(what, wanted, told, self._tape.notes))

    def _with_all(self, text: str) -> str:
        if self.verbose and self._tape.entries:
            text = "\n".join([text, "all calls:", self.summary(whole=True)])
        return text

    def _listed(self, entries: Sequence[Entry], most: int) -> list[str]:
        return explanations.listed(_told(entries), None if self.verbose else most)

    @staticmethod
    def _seen(entry: Entry) -> Entry:
        entry.asserted = True
        return entry


def _told(entries: Sequence[Entry]) -> list[tuple[Call, str]]:
    return [(entry.call, entry.where) for entry in list(entries)]
