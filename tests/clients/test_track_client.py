"""The client's settings, and its life over threads, forks and a close."""

from __future__ import annotations

import os
import threading

import pytest
import requests

from cio_events import ParamError, TrackClient
from cio_events.sandbox import Sandbox
from tests.clients.talking import GENEROUS


class TestTheClient:
    @pytest.mark.parametrize(
        ("arguments", "options", "param"),
        [
            (("", "key"), {}, "site_id"),
            (("site", None), {}, "api_key"),
            (("site", "key"), {"region": "mars"}, "region"),
            (("site", "key"), {"url": "nonsense"}, "url"),
            (("site", "key"), {"timeout": 0}, "timeout"),
            (("site", "key"), {"user_agent": ""}, "user_agent"),
        ],
    )
    def test_settings_that_cannot_be_are_refused(
        self, arguments: tuple[object, ...], options: dict[str, object], param: str
    ) -> None:
        """When the client is made."""
        with pytest.raises(ParamError) as raised:
            TrackClient(*arguments, **options)

        assert raised.value.param == param

    def test_its_repr_has_no_credentials(self) -> None:
        """It shows where it sends to."""
        shown = repr(TrackClient("hunter1", "hunter2", region="eu"))

        assert shown == "<TrackClient https://track-eu.customer.io>"

    def test_it_uses_the_applications_session(self, sandbox: Sandbox) -> None:
        """And leaves it open."""
        with requests.Session() as session:
            session.headers["X-Mesh"] = "blue"
            with TrackClient("site", "key", url=sandbox.url, session=session) as client:
                client.track("5", "x")
            assert session.get(f"{sandbox.url}/sandbox/events", timeout=GENEROUS).ok

        assert sandbox.requests[0].headers["x-mesh"] == "blue"

    def test_it_goes_on_after_close(self, track: TrackClient, sandbox: Sandbox) -> None:
        """Closing is about connections."""
        track.track("5", "one")
        track.close()
        track.close()
        track.track("5", "two")

        assert len(sandbox.events) == 2

    def test_threads_share_it(self, track: TrackClient, sandbox: Sandbox) -> None:
        """No call is lost or doubled."""

        def send(start: int) -> None:
            for number in range(start, start + 20):
                track.track("5", f"number {number}")

        threads = [threading.Thread(target=send, args=(n * 20,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GENEROUS)

        assert {event.name for event in sandbox.events} == {f"number {n}" for n in range(100)}

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
    def test_a_forked_child_goes_on_with_it(self, track: TrackClient, sandbox: Sandbox) -> None:
        """On connections of its own."""
        track.track("5", "parent")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                track.track("5", "child")
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        track.track("5", "parent again")

        assert os.waitstatus_to_exitcode(status) == 0
        assert [event.name for event in sandbox.events] == ["parent", "child", "parent again"]
