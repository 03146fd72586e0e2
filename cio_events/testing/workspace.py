"""The sandbox of a test session, to which the pipelines of a test deliver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from cio_events._calls.people import Call, Track, TrackAnonymous
from cio_events._calls.validation import EventType
from cio_events._destinations import endpoints
from cio_events._process import exits
from cio_events.errors import ParamError
from cio_events.sandbox import Event, Sandbox
from cio_events.testing import expectations, explanations
from cio_events.testing.expectations import MISSING
from cio_events.testing.notes import Notes

_LOOK_SECONDS = 0.01

# For what a test has left when it ends.
_LAST_SECONDS = 1.0


class TestSandbox(Sandbox):
    """A `cio_events.sandbox.Sandbox` that a test can wait for."""

    __test__ = False

    def wait_for(
        self,
        name: object,
        *,
        customer: object = MISSING,
        anonymous: object = MISSING,
        type: object = MISSING,  # noqa: A002
        exactly: object = None,
        timeout: float = 5.0,
        **data: object,
    ) -> Event:
        """
        Wait until such an event has arrived; what is pending is delivered at once.

        Args:
            name: The event's, and so are the others, as in `cio_events.testing.Recorder.tracked`.

            customer: Whose.

            anonymous: The anonymous id of somebody who is not known yet.

            type: ``"event"``, ``"page"`` or ``"screen"``.

            exactly: The whole payload.

            timeout: Seconds to wait at the most.

            data: Part of the payload.

        Raises:
            AssertionError: It has not arrived in time; the text says what was nearest and what
                was refused.
        """
        __tracebackhide__ = True
        wanted = expectations.event(
            name, customer, anonymous, type, exactly, data, word="wait_for"
        )
        end = time.monotonic() + timeout
        while True:
            exits.wake()
            for event in self.events:
                call = _call_of(event)
                if call is not None and wanted.fits(call):
                    return event
            if time.monotonic() >= end:
                break
            time.sleep(_LOOK_SECONDS)
        notes = Notes()
        notes.arrived = True
        for finding in self.findings:
            notes.add(f"the sandbox says of {finding.field}: {finding.message}")
        arrived = [(call, "") for call in map(_call_of, self.events) if call is not None]
        what = f"not within {timeout:g} s"
        raise AssertionError(explanations.missing(what, wanted, arrived, notes))


@contextmanager
def workspace(sandbox: TestSandbox) -> Iterator[TestSandbox]:
    """
    Have all pipelines deliver to *sandbox*, which has heard of nobody, while this is open.

    What is pending in the end is delivered in a second, or given up, so that it comes into
    nobody else's workspace.
    """
    sandbox.clear()
    sandbox.heal()
    endpoints.instead.point_to(sandbox.url)
    try:
        yield sandbox
    finally:
        sandbox.heal()
        exits.flush(_LAST_SECONDS)
        exits.forget_pending()
        endpoints.instead.point_to(None)


def _call_of(event: Event) -> Call | None:
    try:
        if event.customer is None:
            return TrackAnonymous(event.anonymous_id, event.name, event.data, type=_type(event))
        return Track(event.customer, event.name, event.data, type=_type(event))
    except ParamError:
        return None


def _type(event: Event) -> EventType:
    return cast("EventType", event.type)
