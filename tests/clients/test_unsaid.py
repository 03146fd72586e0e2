"""Direct clients say, as a pipeline does, of which values a call says nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cio_events import AppClient, Call, Identify, SendEmail, Track, TrackClient
from cio_events._process import diagnostics
from cio_events.sandbox import Sandbox

UNSAID = "'thing': holds a value of type object that has no form in JSON"
IN_EVENT = f"{UNSAID}; its type's name is sent in its place"
IN_IDENTIFY = f"{UNSAID}; it is left out"

DATA = {"thing": object(), "price": 1}


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics._process, "_once", set())


@pytest.mark.parametrize(
    "send", [TrackClient.send, lambda track, call: track.batch([call])], ids=["send", "batch"]
)
@pytest.mark.parametrize(
    ("call", "said"),
    [(Track("5", "x", DATA), IN_EVENT), (Identify("5", DATA), IN_IDENTIFY)],
    ids=["event", "identify"],
)
def test_track_client_says_it_once(
    send: Callable[[TrackClient, Call], object],
    call: Call,
    said: str,
    track: TrackClient,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Naming key and type; the rest is sent."""
    send(track, call)
    send(track, call)

    assert caplog.messages == [said]
    assert [request.status for request in sandbox.requests] == [200, 200]


def test_app_client_says_it_too(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Of a message's data."""
    email = SendEmail(
        identifiers="5", to="lucy@example.com", transactional_message_id=4, message_data=DATA
    )
    with AppClient("key", url=sandbox.url) as client:
        client.send(email)

    assert caplog.messages == [IN_EVENT]
    assert sandbox.requests[0].body["message_data"] == {"thing": "<object>", "price": 1}
