"""What doctor sends goes as the application's own calls do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from cio_events import Pipeline
from cio_events._process import forks
from cio_events.doctor import sending
from cio_events.doctor.subject import Subject
from tests.support.servers import ScriptedServer

if TYPE_CHECKING:
    import pytest


def test_its_session_and_its_user_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that asks for a header, say, lets doctor pass too; the session stays as it was."""
    with ScriptedServer() as server, requests.Session() as session:
        session.headers["X-Gate"] = "open"
        adapters = dict(session.adapters)
        with Pipeline(
            site_id="site", api_key="key", track_url=server.url, session=session, user_agent="shop"
        ) as pipeline:
            monkeypatch.setattr(forks, "watched", lambda: [pipeline])
            done = list(sending.send(Subject(network=True, has_application=False), "nobody"))

        assert done == [("identify", None), ("event", None), ("delete", None)]
        assert {one.headers["x-gate"] for one in server.requests} == {"open"}
        assert {one.headers["user-agent"] for one in server.requests} == {"shop"}
        assert dict(session.adapters) == adapters
