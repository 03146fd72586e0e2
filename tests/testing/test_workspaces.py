"""Each test has a workspace of its own in the sandbox of its session, whatever others still do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cio_events
from cio_events import SendEmail, TrackClient
from cio_events._buffers.workspace import Workspace, fingerprint
from cio_events._destinations import endpoints
from cio_events._destinations.instead import instead
from cio_events._http import loopback
from cio_events._process import exits
from cio_events._wire.encode import call_of, encode
from cio_events.options import options_from
from cio_events.sandbox import Sandbox
from cio_events.testing import workspace as workspaces
from cio_events.testing.workspace import workspace
from tests.support.spools import SpoolWithPut

SECONDS = 30


def eventually(condition: Callable[[], object]) -> bool:
    """Whether it comes true before long."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def email(to: str) -> SendEmail:
    """A message."""
    return SendEmail(transactional_message_id=3, identifiers="5", to=to)


def test_a_request_in_flight_when_a_test_ends_is_not_in_the_next(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the next one's views shows it, though the same pipeline has made both."""
    monkeypatch.setattr(workspaces, "_LAST_SECONDS", 0.0)
    pipeline = cio_events.Pipeline(flush_interval=0.01)
    with sandbox._worlds.lock:  # nothing that comes is accepted meanwhile
        with workspace(sandbox, 1) as first:
            pipeline.track("5", "of the first")
            pipeline.identify("lucy at example.com", {"of": "the first"})
            assert eventually(lambda: first.requests)
            pipeline.track("5", "still pending")
        with workspace(sandbox, 2) as second:
            pipeline.track("6", "of the second")
            sandbox._worlds.lock.release()
            try:
                second.wait_for("of the second", timeout=SECONDS)
                assert eventually(lambda: "of the first" in [one.name for one in sandbox.events])
            finally:
                sandbox._worlds.lock.acquire()
            assert [event.name for event in second.events] == ["of the second"]
            assert [person.id for person in second.people] == ["6"]
            assert second.person("5") is None
            assert second.events_of("5") == []
            assert len(second.requests) == 1
            assert second.findings == []
            with pytest.raises(AssertionError, match=r"(?m)^recorded: 1 track \"of the second\"$"):
                second.wait_for("never", timeout=0)
    assert "still pending" not in [event.name for event in sandbox.events]
    assert pipeline.stats().dropped_by_reason["closed"] >= 1


def test_what_is_given_up_begins_no_request_in_the_next(sandbox: Sandbox) -> None:
    """A thread that was about to send when the test ended is one of the first test's."""
    pipeline = cio_events.Pipeline(flush_interval=3600)
    with workspace(sandbox, 1):
        pipeline.track("5", "of the first")
        api, _ = pipeline._destinations
    with workspace(sandbox, 2) as second:
        assert not api.ready
        assert pipeline._destinations[0].ready
        pipeline.track("5", "of the second")
        second.wait_for("of the second", timeout=SECONDS)
        assert [event.name for event in second.events] == ["of the second"]
    assert instead.track is instead.app is None


def test_a_spool_keeps_nothing_for_the_next_test(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was under way and what waited is given up on the disk too, and the ledger balances."""
    monkeypatch.setattr(workspaces, "_LAST_SECONDS", 0.0)
    pipeline = cio_events.Pipeline(flush_interval=0.01, spool=tmp_path)
    with sandbox._worlds.lock, workspace(sandbox, 1) as first:
        pipeline.track("5", "under way")
        assert eventually(lambda: first.requests)
        pipeline.track("5", "pending")
    with workspace(sandbox, 2) as second:
        pipeline.track("5", "of the second")
        second.wait_for("of the second", timeout=SECONDS)
        assert pipeline.flush(SECONDS)
        assert [event.name for event in second.events] == ["of the second"]

    stats = pipeline.stats()
    assert (stats.received, stats.sent, stats.dropped_by_reason) == (3, 1, {"closed": 2})


def test_a_spool_in_a_test_is_apart_from_a_real_one(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test delivers nothing that a real process has left there, and leaves it nothing."""
    real = endpoints.track(options_from({"site_id": "a", "api_key": "b"})[0])
    whose = Workspace(fingerprint(real.base_url, "a"))
    monkeypatch.setattr(loopback, "_bound", True)

    def spool() -> SpoolWithPut:
        return SpoolWithPut(tmp_path, report=lambda *_: None, workspace=whose)

    left = spool()
    left.put(encode(cio_events.Track("5", "real"), "0" * 26, 1, "v2", []))
    left.close()
    options: Any = {"site_id": "a", "api_key": "b", "flush_interval": 0.01, "spool": tmp_path}
    before = cio_events.Pipeline(**options)
    with workspace(sandbox, 1) as test:
        cio_events.Pipeline(**options).track("5", "of a test")
        before.track("5", "of another")
        for name in ("of a test", "of another"):
            test.wait_for(name, timeout=SECONDS)
        assert len(test.events) == 2
        test.stop()
        before.track("5", "pending")
        assert eventually(lambda: before.stats().retries)
        before._worker.stop(SECONDS)
        before._worker.release("exit")  # as one that is killed leaves it
        exits.forget(before)
        test.start()

    heir = spool()
    assert heir.adopt()[0] == 1
    assert [call_of(envelope).name for envelope in heir.take(9)] == ["real"]  # type: ignore[attr-defined]
    heir.close()


def test_messages_are_in_the_tests_workspace_too(sandbox: Sandbox) -> None:
    """And so are calls of clients that use its keys."""
    with workspace(sandbox, 0x1_0001) as test:
        cio_events.Pipeline(flush_interval=0.01).send(email("a@example.com"))
        assert eventually(lambda: test.messages)
        with TrackClient(test.site_id, test.api_key, url=test.url) as client:
            client.track("5", "by a client")
        with cio_events.AppClient(test.app_api_key, url=test.url) as app:
            app.send_email(email("b@example.com"))
        with TrackClient("another", "key", url=test.url) as client:
            client.track("5", "elsewhere")

        assert [message.fields["to"] for message in test.messages] == [
            "a@example.com",
            "b@example.com",
        ]
        assert test.wait_for("by a client")
        assert len(test.events) == 1


def test_what_is_to_go_wrong_does_so_in_that_test_alone(sandbox: Sandbox) -> None:
    """And the process goes on as one that was not told to end."""
    pipeline = cio_events.Pipeline(flush_interval=0.01, retry_base=0.01)
    with workspace(sandbox, 1) as first:
        first.fail_next(400, times=None)
        first.delay(0.01)
        pipeline.track("5", "refused")
        assert pipeline.flush(SECONDS)
        with TrackClient("another", "key", url=first.url) as client:
            client.track("5", "elsewhere")
    with workspace(sandbox, 2) as second:
        pipeline.track("5", "fine")
        second.wait_for("fine", timeout=SECONDS)

    assert pipeline.stats().failed_by_reason == {"rejected": 1}
    assert not exits.at_once


def test_it_waits_no_longer_where_time_stands_still(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As freezegun has it."""
    with workspace(sandbox, 1) as test:
        monkeypatch.setattr(time, "monotonic", lambda: 0.0)
        with pytest.raises(AssertionError, match=r"not within 0.01 s"):
            test.wait_for("purchase", timeout=0.01)


def test_it_can_be_away(sandbox: Sandbox) -> None:
    """What is logged meanwhile arrives when it is back; the next test finds it running."""
    pipeline = cio_events.Pipeline(flush_interval=0.01, retry_base=0.01)
    with workspace(sandbox, 1) as test:
        test.stop()
        pipeline.track("5", "purchase")
        assert eventually(lambda: pipeline.stats().retries)
        test.start()
        test.wait_for("purchase", timeout=SECONDS)
        test.stop()
    with workspace(sandbox, 2) as test:
        pipeline.track("5", "purchase")
        test.wait_for("purchase", timeout=SECONDS)
