"""The door: before_send, what is switched off or missing, what is too large, the snapshot."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from cio_events import (
    AddDevice,
    Call,
    CustomerIOHandler,
    Identify,
    ParamError,
    Pipeline,
    Track,
    TrackAnonymous,
    configure,
)
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import QUICK, Heard, balanced, names, said, settled

MakePipeline = Callable[..., Pipeline]

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01BX5ZZKBKACTAV9WEVGEMMVRZ"


# before_send.


def test_before_send_may_drop(make: MakePipeline, sandbox: Sandbox, heard: Heard) -> None:
    """What it answers None to is dropped, with the reason; the rest is sent as it is."""
    pipeline = make(before_send=lambda call: None if call.name == "secret" else call)

    assert not pipeline.send(Track("5", "secret"))
    assert pipeline.send(Track("5", "public"))
    stats = settled(pipeline)
    assert (stats.sent, stats.dropped_by_reason) == (1, {"before_send": 1})
    assert [report.call for report in heard.dropped] == [Track("5", "secret")]
    assert names(sandbox) == ["public"]


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), ParamError("name", "secret"), KeyError()]
)
def test_before_send_fails_closed(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, caplog: Any, error: Exception
) -> None:
    """A filter that breaks lets nothing through; what it raised is named and not quoted."""

    def broken(_: Call) -> Call:
        raise error

    pipeline = make(before_send=broken)
    for _ in range(3):
        assert not pipeline.send(Track("5", "x"))

    stats = settled(pipeline)
    assert stats.dropped_by_reason == {"before_send": 3}
    assert [report.reason for report in heard.dropped] == ["before_send"] * 3
    assert sandbox.requests == []
    (line,) = said(caplog)
    assert type(error).__name__ in line
    assert "secret" not in line


@pytest.mark.parametrize("answer", [True, "x", {"name": "x"}, Track])
def test_before_send_that_answers_nonsense_fails_closed(
    make: MakePipeline, sandbox: Sandbox, answer: Any
) -> None:
    """Only a call is a call."""
    pipeline = make(before_send=lambda _: answer)

    assert not pipeline.send(Track("5", "x"))
    assert balanced(pipeline).dropped_by_reason == {"before_send": 1}
    assert sandbox.requests == []


def test_before_send_may_replace(make: MakePipeline, sandbox: Sandbox, heard: Heard) -> None:
    """Another call goes out in its place, under one id wherever that is shown."""

    def replace(call: Any) -> Call:
        if call.name == "whole":
            return Identify("6", {"a": 1})
        return Track(
            call.customer, call.name.upper(), {}, id=OTHER if call.name == "own" else None
        )

    pipeline = make(before_send=replace)
    ids = [
        pipeline.accept(Track("5", "new", id=ULID))[0],
        pipeline.accept(Track("5", "own"))[0],
        pipeline.accept(Track("5", "whole"))[0],
    ]
    settled(pipeline)

    assert [(event.name, event.id) for event in sandbox.events] == [("NEW", ULID), ("OWN", OTHER)]
    assert ids[:2] == [ULID, OTHER]
    assert [report.id for report in heard.sent] == ids
    assert sandbox.person("6") is not None


def test_before_send_may_change_the_data_and_leaves_the_application_its_own(
    make: MakePipeline, sandbox: Sandbox
) -> None:
    """The call's data is the call's."""

    def redact(call: Any) -> Call:
        call.data.pop("card")
        call.data["redacted"] = True
        return call  # type: ignore[no-any-return]

    pipeline, own = make(before_send=redact), {"card": "4111", "price": 1}
    pipeline.track("5", "bought", own)
    settled(pipeline)

    assert sandbox.events[0].data == {"price": 1, "redacted": True}
    assert own == {"card": "4111", "price": 1}


def test_what_before_send_makes_is_held_to_the_limits(make: MakePipeline) -> None:
    """Too large is too large, whoever made it so."""
    pipeline = make(before_send=lambda call: Track("5", call.name, {"x": "y" * 100_001}))

    assert not pipeline.send(Track("5", "x"))
    assert balanced(pipeline).failed_by_reason == {"too_large": 1}


def test_tagged_record_inside_before_send_is_not_taken(
    make: MakePipeline, sandbox: Sandbox
) -> None:
    """It would never end."""
    logger = logging.getLogger("tests.before_send")

    def logs(call: Call) -> Call:
        logger.warning("filtering", extra={"cio_customer": "5"})
        return call

    pipeline = make(before_send=logs)
    handler = CustomerIOHandler(pipeline)
    logger.addHandler(handler)
    try:
        pipeline.track("5", "x")
        settled(pipeline)
    finally:
        logger.removeHandler(handler)

    assert names(sandbox) == ["x"]


def test_before_send_is_not_asked_for_what_is_dropped_anyway(make: MakePipeline) -> None:
    """A closed or disabled pipeline does no work."""
    asked: list[Call] = []
    disabled = make(enabled=False, before_send=asked.append)
    closed = make(before_send=asked.append)
    closed.close()
    for pipeline in (disabled, closed):
        assert not pipeline.track("5", "x")

    assert asked == []


def test_call_that_is_filtered_while_the_pipeline_closes_is_counted(make: MakePipeline) -> None:
    """A call between the door and the buffer when the pipeline closes does not stay pending."""
    pipelines: list[Pipeline] = []

    def close(call: Call) -> Call:
        pipelines[0].close()
        return call

    pipelines.append(make(before_send=close))
    pipelines[0].track("5", "x")

    assert balanced(pipelines[0]).pending == 0
    assert pipelines[0].flush(0)


# Switched off, or not switched on.


def test_disabled_pipeline_drops_everything_and_starts_nothing(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, caplog: Any
) -> None:
    """With or without credentials, and without a word."""
    for options in ({}, {"site_id": None, "api_key": None}):
        pipeline = make(enabled=False, **options)
        assert not pipeline.track("5", "x")
        assert pipeline.flush(0)
        assert balanced(pipeline).dropped_by_reason == {"disabled": 1}
        assert pipeline._worker._thread is None

    assert [report.reason for report in heard.dropped] == ["disabled"] * 2
    assert (sandbox.requests, said(caplog)) == ([], [])


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (["site_id"], ["site_id"]),
        (["api_key"], ["api_key"]),
        (["site_id", "api_key"], ["site_id", "api_key"]),
    ],
)
def test_missing_credentials_are_named_once(
    make: MakePipeline,
    sandbox: Sandbox,
    heard: Heard,
    caplog: Any,
    missing: list[str],
    named: list[str],
) -> None:
    """Calls are dropped as unconfigured, and each missing setting is named in one warning."""
    pipeline = make(**dict.fromkeys(missing))
    for _ in range(3):
        assert not pipeline.track("5", "x")

    assert balanced(pipeline).dropped_by_reason == {"unconfigured": 3}
    assert [report.reason for report in heard.dropped] == ["unconfigured"] * 3
    (line,) = said(caplog)
    assert all(name in line and f"CIO_{name.upper()}" in line for name in named)
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CIO_FLUSH_INTERVAL", "soon"),
        ("CIO_REGION", "asia"),
        ("CIO_TRACK_URL", "customer.io"),
        ("CIO_API_KEY", "key\n"),
        ("CIO_ENABLED", "perhaps"),
        ("CIO_USER_AGENT", "é"),
        ("CIO_MAX_PENDING", "-1"),
    ],
)
def test_setting_of_the_environment_that_cannot_be_read_is_named(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: Any, name: str, value: str
) -> None:
    """The application starts all the same; the first call warns and is dropped."""
    given = {**QUICK, "track_url": sandbox.url}
    given.pop(name.removeprefix("CIO_").lower(), None)
    monkeypatch.setenv(name, value)
    with Pipeline(**given) as pipeline:
        assert not pipeline.track("5", "x")
        assert not pipeline.track("5", "x")
        assert balanced(pipeline).dropped_by_reason == {"unconfigured": 2}

    (line,) = said(caplog)
    assert name in line or name.removeprefix("CIO_").lower() in line
    assert value not in line


def test_default_pipeline_without_settings_does_not_raise(caplog: Any) -> None:
    """A library in an application that never configured it is silent but for one line."""
    pipeline = configure()
    for _ in range(2):
        assert not pipeline.track("5", "x")

    assert balanced(pipeline).dropped_by_reason == {"unconfigured": 2}
    assert len(said(caplog)) == 1


# Too large.


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (Track("5", "x", {"text": "x" * 100_000}), "data"),
        (TrackAnonymous("5", "x", {"text": "x" * 100_000}), "data"),
        (Identify("5", {"text": "x" * 100_000}), "attributes"),
        (AddDevice("5", "t", "ios", {"text": "x" * 100_000}), "data"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_call_over_a_limit_fails_at_the_door(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, caplog: Any, call: Call, param: str
) -> None:
    """It is never sent, and the warning names the limit and not the data."""
    pipeline = make()

    assert not pipeline.send(call)
    assert balanced(pipeline).failed_by_reason == {"too_large": 1}
    (report,) = heard.failed
    assert (report.call, report.reason, report.attempts) == (call, "too_large", 0)
    assert param in (report.detail or "")
    (line,) = said(caplog)
    assert "100000" in line
    assert "xxx" not in line
    assert sandbox.requests == []
    with pytest.raises(ParamError):
        make(strict=True).send(call)


@pytest.mark.parametrize(
    ("verb", "limit"),
    [
        (lambda p: p.track("x" * 151, "x"), "150"),
        (lambda p: p.track("5", "x" * 101), "100"),
        (lambda p: p.track("5", "x", {str(n): n for n in range(301)}), "300"),
        (lambda p: p.identify("5", {"x" * 151: 1}), "150"),
        (lambda p: p.delete_device("5", "x" * 40_000), "32000"),
    ],
)
def test_argument_over_a_limit_fails_at_the_door(
    make: MakePipeline, heard: Heard, verb: Any, limit: str
) -> None:
    """Of the id, the event's name, the number of attributes, their names, and an operation."""
    pipeline = make()

    assert not verb(pipeline)
    assert balanced(pipeline).failed_by_reason == {"too_large": 1}
    assert limit in (heard.failed[0].detail or "")


def test_attribute_that_customer_io_cuts_is_sent_and_reported_once(
    make: MakePipeline, sandbox: Sandbox, caplog: Any
) -> None:
    """Its name is said, its value is not."""
    pipeline = make()
    for _ in range(3):
        pipeline.identify("5", {"bio": "secret" * 200, "name": "x"})
    settled(pipeline)

    assert sandbox.people[0].attributes["bio"] == "secret" * 200
    (line,) = said(caplog)
    assert "bio" in line
    assert "1000" in line
    assert "secret" not in line


@pytest.mark.parametrize("end", [lambda p: p.close(), lambda p: p.deliver_before_exit(0.0)])
def test_failed_calls_are_said_in_all_at_the_end(
    make: MakePipeline, sandbox: Sandbox, caplog: Any, end: Callable[[Pipeline], object]
) -> None:
    """A line for each reason, once, and none for a single call, whose own line was enough."""
    sandbox.fail_next(400, times=3)
    pipeline = make(api="v1")
    for _ in range(3):
        pipeline.track("5", "x")
    settled(pipeline)
    for _ in range(2):
        pipeline.track("", "x")
    pipeline.track("5", "x", {"text": "x" * 100_000})
    caplog.clear()
    end(pipeline)
    end(pipeline)

    assert sorted(said(caplog)) == [
        "2 calls have failed in all as invalid",
        "3 calls have failed in all as rejected",
    ]


# The snapshot.


@pytest.mark.parametrize("size", [1, 50_000])
def test_what_is_sent_is_what_the_values_were(
    make: MakePipeline, sandbox: Sandbox, size: int
) -> None:
    """Whatever is changed after the call, at any depth."""
    pipeline = make(flush_interval=3600)
    data: dict[str, Any] = {"list": [1], "dict": {"a": {"b": 1}}, "pad": "x" * size}
    pipeline.track("5", "x", data)
    data["list"].append(2)
    data["dict"]["a"]["b"] = 2
    data.clear()
    settled(pipeline)

    assert sandbox.events[0].data == {"list": [1], "dict": {"a": {"b": 1}}, "pad": "x" * size}


def test_values_of_every_kind_arrive(make: MakePipeline, sandbox: Sandbox) -> None:
    """What JSON has no word for goes out in its natural form."""
    pipeline = make()
    pipeline.track(
        "5",
        "x",
        {
            "when": datetime(2024, 1, 1, tzinfo=timezone.utc),
            "price": Decimal("13.99"),
            "nan": math.nan,
            "tags": {"a"},
            "raw": b"\0",
            "object": object(),
            "huge": 2**70,
            "surrogate": "\ud800",
            5: "number",
        },
    )
    settled(pipeline)

    assert sandbox.events[0].data == {
        "when": 1704067200,
        "price": 13.99,
        "nan": None,
        "tags": ["a"],
        "raw": "AA==",
        "object": "<object>",
        "huge": str(2**70),
        "surrogate": "\ufffd",
        "5": "number",
    }
