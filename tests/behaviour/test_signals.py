"""Signals: what each report says, for every way a call can end."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from cio_events import (
    AddDevice,
    Delete,
    Identify,
    Merge,
    Pipeline,
    Report,
    Retry,
    SendPush,
    Track,
    TrackAnonymous,
    signals,
)
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import Heard, eventually, said, settled

MakePipeline = Callable[..., Pipeline]

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_sent_call_is_reported_as_it_was_sent(make: MakePipeline, heard: Heard, api: str) -> None:
    """The call is made again from what was sent, with the id and the time it went out with."""
    pipeline = make(api=api)
    calls = [
        Track("5", "x", {"a": {1, 2}, "b": object()}, id=ULID, timestamp=7),
        Identify("5", {"plan": "pro"}, timestamp=7),
        AddDevice("5", "t", "ios", {"last_used": 7, "a": "b"}),
        Merge("5", "6"),
        Delete("6"),
        TrackAnonymous("anon", "x", id="01BX5ZZKBKACTAV9WEVGEMMVRZ", timestamp=7),
    ]
    ids = [pipeline.accept(call)[0] for call in calls]
    settled(pipeline)

    reports = {report.id: report for report in heard.sent}
    assert sorted(reports) == sorted(ids)
    got = [reports[id_].call for id_ in ids]
    assert got == [
        Track("5", "x", {"a": [1, 2], "b": "<object>"}, id=ULID, timestamp=7),
        *calls[1:],
    ]
    assert {(r.attempts, r.status, r.reason, r.detail, r.receipt) for r in heard.sent} == {
        (1, 200, None, None, None)
    }


def test_id_and_time_that_were_left_open_are_in_the_report(
    make: MakePipeline, heard: Heard
) -> None:
    """A receiver can find the event at Customer.io, and the line in the log."""
    pipeline, before = make(), int(time.time())
    id_, _ = pipeline.accept(Track("5", "x"))
    settled(pipeline)

    (report,) = heard.sent
    assert isinstance(report.call, Track)
    assert (report.id, report.call.id) == (id_, id_)
    assert before <= (report.call.timestamp or 0) <= int(time.time())


def test_message_that_was_sent_has_its_receipt(
    make: MakePipeline, sandbox: Sandbox, heard: Heard
) -> None:
    """Customer.io's own id of the delivery."""
    pipeline = make(app_url=sandbox.url)
    pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
    settled(pipeline)

    (report,) = heard.sent
    assert isinstance(report.call, SendPush)
    assert report.receipt is not None
    assert report.receipt.delivery_id == sandbox.messages[0].delivery_id


def test_refused_call_is_reported_with_the_words_of_customer_io(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, caplog: Any
) -> None:
    """Status and detail tell why; the others of its batch were sent."""
    pipeline = make(flush_interval=3600)
    bad = Identify("5", {"cio_relationships": "no list"}, timestamp=7)
    pipeline.track("5", "before")
    pipeline.send(bad)
    pipeline.track("5", "after")
    stats = settled(pipeline)

    assert (stats.sent, stats.failed_by_reason) == (2, {"rejected": 1})
    (report,) = heard.failed
    assert (report.call, report.reason, report.status) == (bad, "rejected", 207)
    assert "cio_relationships" in (report.detail or "")
    (line,) = said(caplog)
    assert line.startswith(f"customer.io refused 1 call (207), the last: identify {report.id}: ")
    assert line.endswith("; 1 since the start")
    assert "no list" not in line


REASONS: dict[str, Callable[[MakePipeline, Sandbox], None]] = {}


def ends_as(reason: str) -> Callable[[Any], Any]:
    """Mark how a call comes to end for *reason*."""

    def register(scene: Any) -> Any:
        REASONS[reason] = scene
        return scene

    return register


@ends_as("invalid")
def _invalid(make: MakePipeline, sandbox: Sandbox) -> None:
    make().track("5", "")


@ends_as("rejected")
def _rejected(make: MakePipeline, sandbox: Sandbox) -> None:
    sandbox.fail_next(400)
    settled_of(make(), "x")


@ends_as("too_large")
def _too_large(make: MakePipeline, sandbox: Sandbox) -> None:
    make().track("5", "x" * 101)


@ends_as("expired")
def _expired(make: MakePipeline, sandbox: Sandbox) -> None:
    sandbox.fail_next(500, times=None)
    settled_of(make(max_age=0.05), "x")


@ends_as("ambiguous")
def _ambiguous(make: MakePipeline, sandbox: Sandbox) -> None:
    sandbox.forget_next()
    pipeline = make(app_url=sandbox.url)
    pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
    settled(pipeline)


@ends_as("full")
def _full(make: MakePipeline, sandbox: Sandbox) -> None:
    make(max_pending_bytes=1).track("5", "x")


@ends_as("unconfigured")
def _unconfigured(make: MakePipeline, sandbox: Sandbox) -> None:
    make(api_key=None).track("5", "x")


@ends_as("disabled")
def _disabled(make: MakePipeline, sandbox: Sandbox) -> None:
    make(enabled=False).track("5", "x")


@ends_as("before_send")
def _before_send(make: MakePipeline, sandbox: Sandbox) -> None:
    make(before_send=lambda _: None).track("5", "x")


@ends_as("closed")
def _closed(make: MakePipeline, sandbox: Sandbox) -> None:
    pipeline = make(flush_interval=3600)
    pipeline.track("5", "x")
    pipeline.close(0)


def settled_of(pipeline: Pipeline, name: str) -> None:
    """Have one event end."""
    pipeline.track("5", name)
    settled(pipeline)


@pytest.mark.parametrize("reason", REASONS)
def test_each_end_has_its_signal(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, reason: str
) -> None:
    """One report, of the signal that the reason belongs to."""
    REASONS[reason](make, sandbox)

    expected = heard.failed if reason in get_args(signals.FailedReason) else heard.dropped
    assert [report.reason for report in expected] == [reason]
    assert len(heard.failed) + len(heard.dropped) == 1
    assert heard.sent == []
    assert len(expected[0].id) == 26


def test_every_reason_is_here() -> None:
    """The documented list and these tests agree; two belong to what ends with the process."""
    documented = {*get_args(signals.FailedReason), *get_args(signals.DroppedReason)}

    assert documented - set(REASONS) == {"exit", "damaged"}
    text = Path(signals.__file__).read_text(encoding="utf-8")
    assert [reason for reason in documented if f"``{reason}``" not in text] == []


RETRIES = [
    ("server_error", 500, lambda s: s.fail_next(500)),
    ("server_error", 408, lambda s: s.fail_next(408)),
    ("rate_limited", 429, lambda s: s.fail_next(429)),
    ("held", 401, lambda s: s.fail_next(401)),
    ("held", 301, lambda s: s.fail_next(301, headers={"Location": s.url})),
    ("no_answer", None, lambda s: s.drop_next()),
    ("no_answer", None, lambda s: s.forget_next()),
]


@pytest.mark.parametrize(("reason", "status", "fault"), RETRIES)
def test_request_that_will_be_sent_again_is_told(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, reason: str, status: Any, fault: Any
) -> None:
    """Why, which attempt it was, when the next one comes, and how many calls wait for it."""
    pipeline = make(flush_interval=3600)
    for _ in range(3):
        pipeline.track("5", "x")
    fault(sandbox)
    stats = settled(pipeline)

    (retry,) = heard.retries
    assert (retry.reason, retry.status, retry.attempt, retry.calls) == (reason, status, 1, 3)
    assert 0 <= retry.delay <= 0.1
    assert stats.retries == 1
    assert [report.attempts for report in heard.sent] == [2, 2, 2]


def test_refused_connection_is_told_as_such(make: MakePipeline, heard: Heard) -> None:
    """Nothing was sent, which is worth to know."""
    pipeline = make(track_url="http://127.0.0.1:9")
    pipeline.track("5", "x")

    assert eventually(lambda: len(heard.retries) >= 3)
    assert {(retry.reason, retry.status) for retry in heard.retries} == {("no_connection", None)}
    assert [retry.attempt for retry in heard.retries[:3]] == [1, 2, 3]


def test_reasons_of_retries_are_all_here() -> None:
    """The documented list and these tests agree."""
    assert {reason for reason, _, _ in RETRIES} | {"no_connection"} == set(
        get_args(signals.RetryReason)
    )


def test_sender_is_the_pipeline(make: MakePipeline) -> None:
    """A receiver may listen to one pipeline only."""
    one, other = make(), make()
    of_one: list[Report] = []

    def receive(sender: Pipeline, report: Report) -> None:
        assert sender is one
        of_one.append(report)

    with signals.sent.connected_to(receive, sender=one):
        for pipeline in (one, other):
            pipeline.track("5", "x")
            settled(pipeline)

    assert len(of_one) == 1


def test_signals_come_from_the_flushing_thread(make: MakePipeline) -> None:
    """And from the caller's for what is refused at the door."""
    pipeline, threads = make(), []

    def receive(_: object, **__: object) -> None:
        threads.append(threading.current_thread())

    with signals.sent.connected_to(receive), signals.failed.connected_to(receive):
        pipeline.track("5", "")
        pipeline.track("5", "x")
        settled(pipeline)

    assert threads[0] is threading.current_thread()
    assert threads[1].name == "cio_events"


@pytest.mark.parametrize(
    "told",
    [
        Report(Track("secret", "secret"), ULID, 1, 400, "rejected", "secret"),
        Retry("held", 401, 1, 5.0, 2),
    ],
    ids=lambda told: type(told).__name__,
)
def test_what_receivers_get_is_frozen_and_shows_no_personal_data(told: Any) -> None:
    """One argument, to which later versions can add."""
    field = dataclasses.fields(told)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(told, field, None)
    assert not hasattr(told, "__dict__")
    assert "secret" not in repr(told)
    for each in dataclasses.fields(told):
        assert f"{each.name}:" in (type(told).__doc__ or "")
