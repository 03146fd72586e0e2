"""A workspace for each test in the sandbox of the session, to which its pipelines deliver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from cio_events._calls.call import Call
from cio_events._calls.people import Track, TrackAnonymous
from cio_events._calls.validation import EventType
from cio_events._destinations.instead import instead
from cio_events._pipeline import recording
from cio_events._process import exits
from cio_events._process.clock import monotonic
from cio_events.errors import ParamError
from cio_events.sandbox import Event, Explanation, Sandbox
from cio_events.sandbox.workspace import Workspace
from cio_events.testing import expectations, explanations, listening
from cio_events.testing.expectations import MISSING
from cio_events.testing.notes import Notes

# As in the recorder.
__unittest = True

_LOOK_SECONDS = 0.01

_SUMMED = 20

# For what a test has left when it ends.
_LAST_SECONDS = 1.0


class TestSandbox(Workspace):
    """
    A `cio_events.sandbox.Sandbox` as one test sees it: a workspace of its own.

    All that it shows is of this test's pipelines, and all that it is told to do wrong is done to
    them alone.

    Args:
        sandbox: The one that answers, for all tests of a session.

        number: The test's.

    Attributes:
        site_id: Whose the workspace is. With the keys, it is for clients and child processes.

        api_key: The key of the Track API.

        app_api_key: The key of the App API.
    """

    __test__ = False

    def __init__(self, sandbox: Sandbox, number: int) -> None:
        # A key's last four characters name its workspace. This way, it is that of the site id.
        self.site_id: str = f"{number % 0x10000:04x}"
        self.api_key: str = "test"
        self.app_api_key: str = f"test-{self.site_id}"
        super().__init__(*sandbox.parts, self.site_id)
        self._sandbox = sandbox
        self._notes = Notes(told=False)

    def __repr__(self) -> str:
        return f"<TestSandbox {self.site_id} of {self._sandbox!r}>"

    @property
    def url(self) -> str:
        """The base URL, of the Track API and of the App API alike."""
        return self._sandbox.url

    def open(self) -> None:
        """Have all pipelines deliver here, where nothing is known yet."""
        self.clear()
        instead.point_to(self.url, self.site_id, self.api_key, self.app_api_key)
        listening.listen_for(self._notes)

    def close(self) -> None:
        """Have them no more: what is pending is delivered in a second, or given up."""
        listening.listen_for(None)
        self.start()
        self.heal()
        at_once = exits.at_once
        exits.flush(_LAST_SECONDS)
        exits.at_once = at_once  # it is the test that ends, not the process
        exits.forget_pending()
        instead.restore()
        self.clear()

    def start(self) -> None:
        """Listen and answer again, after a `stop`."""
        self._sandbox.start()

    def stop(self) -> None:
        """Break every connection and accept none, as if Customer.io were away."""
        self._sandbox.stop()

    def summary(self) -> str:
        """What has arrived and what became of it, a line each, the last twenty."""
        lines = []
        for request in self.requests:
            if not request.items:
                status = "no answer" if request.status is None else f"status {request.status}"
                lines.append(f"  {request.method} {request.path}: {status}")
            for item in request.items:
                name = "" if item.name is None else f' "{item.name}"'
                of = "" if item.customer is None else f" of {item.customer}"
                why = "".join(f"; {_said(one)}" for one in item.findings)
                lines.append(f"  {item.kind}{name}{of}: {item.verdict}{why}")
        earlier = [f"  {len(lines) - _SUMMED} before"] if len(lines) > _SUMMED else []
        return "\n".join([*earlier, *lines[-_SUMMED:]]) or "  nothing has arrived"

    def wait_for(
        self,
        name: object,
        *,
        customer: object = MISSING,
        anonymous: object = MISSING,
        type: object = MISSING,
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
        end = monotonic() + timeout
        while True:
            exits.wake()
            for event in self.events:
                call = _call_of(event)
                if call is not None and wanted.fits(call):
                    return event
            if monotonic() >= end:
                break
            time.sleep(_LOOK_SECONDS)
        notes = self._notes
        notes.arrived |= bool(self.requests)
        if recording.current is not None:
            notes.add("a Recorder is open (the fixture cio is one), which takes all calls")
        for finding in self.findings:
            notes.add(f"the sandbox says: {_said(finding)}")
        arrived = [(call, "") for call in map(_call_of, self.events) if call is not None]
        what = f"not within {timeout:g} s"
        raise AssertionError(explanations.missing(what, wanted, arrived, notes))


@contextmanager
def workspace(sandbox: Sandbox, number: int) -> Iterator[TestSandbox]:
    """A workspace of *sandbox*, that of a test, open meanwhile."""
    test = TestSandbox(sandbox, number)
    test.open()
    try:
        yield test
    finally:
        test.close()


def _said(finding: Explanation) -> str:
    field, message = finding.field, finding.message
    return message if not field or message.startswith(field) else f"{field}: {message}"


def _call_of(event: Event) -> Call | None:
    try:
        if event.customer is None:
            return TrackAnonymous(event.anonymous_id, event.name, event.data, type=_type(event))
        return Track(event.customer, event.name, event.data, type=_type(event))
    except ParamError:
        return None


def _type(event: Event) -> EventType:
    return cast("EventType", event.type)
