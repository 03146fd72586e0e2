"""Tags that are bound, dictionaries of the application's own class, and times as text."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from cio_events import CustomerIOHandler, Identifier, Track, get_pipeline
from cio_events._pipeline.pipeline import Pipeline
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import LONG, Arrivals
from tests.sources.records import Kept
from tests.sources.ways import Log

MAY = 1714521600


class Said(dict[Any, Any]):
    def __str__(self) -> str:
        return f"said {self['event']}"


class NoContains(dict[Any, Any]):
    def __contains__(self, key: object) -> bool:
        raise RuntimeError("no")


class NoKeys(dict[Any, Any]):
    def keys(self) -> Any:
        """Raise."""
        raise RuntimeError("no")

    __iter__ = keys  # type: ignore[assignment]


class NoCopy(dict[Any, Any]):
    def __reduce_ex__(self, protocol: object) -> Any:
        raise RuntimeError("no")

    get = __reduce_ex__  # type: ignore[assignment]


def test_who_is_bound_has_a_type_of_its_own(log: Log, arrivals: Arrivals) -> None:
    """It is not that of whom the line names."""
    with bound_contextvars(cio_identity="a@b.c", cio_id_type="".join(["em", "ail"])):
        log("it", cio_customer="5")
        log("it", cio="track", cio_identity="6")
        log("it", cio="track")

    assert arrivals.balance() == (3, 0, 0)
    told = sorted(str(one["identifiers"]) for one in arrivals.operations())
    assert told == ["{'email': 'a@b.c'}", "{'id': '5'}", "{'id': '6'}"]


@pytest.mark.parametrize(
    "bound",
    [
        {"cio_event": "bound"},
        {"cio_data": {"a": 1}},
        {"cio_timestamp": MAY},
        {"cio_device": "t0k3n"},
        {"cio_anonymous": "a1"},
    ],
    ids=str,
)
def test_no_other_tag_can_be_bound(
    bound: dict[str, Any], log: Log, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the processor stands."""
    with bound_contextvars(**bound):
        log("it", cio_customer="5", price=1)

    event = arrivals.event()
    assert (event.customer, event.name, event.data) == ("5", "it", {"price": 1})
    assert event.timestamp != MAY
    assert caplog.messages == []


@pytest.mark.parametrize("kind", [Said, NoContains, NoKeys, NoCopy])
def test_a_dictionary_of_any_class_is_a_message(
    kind: Any, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
) -> None:
    """Whatever it raises; it is counted once."""
    app.addHandler(CustomerIOHandler(pipeline))
    app.addHandler(CustomerIOHandler(pipeline))
    app.info(kind(event="purchase", cio_customer="5"))
    app.info(kind(event="untagged"))

    assert sum(arrivals.balance()) == 1


def test_a_dictionary_keeps_its_class(
    pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
) -> None:
    """Its line is what that makes of it."""
    app.addHandler(CustomerIOHandler(pipeline))
    app.addHandler(kept := Kept())
    message = Said(event="purchase", cio_customer="5")
    app.info(message)

    assert kept.records[0].getMessage() == "said purchase"
    assert message == {"event": "purchase", "cio_customer": "5"}
    assert arrivals.event().name == "purchase"


def test_an_id_in_another_shape_is_shown_with_its_type(log: Log, arrivals: Arrivals) -> None:
    """Else the line would name somebody else."""
    line = log("it", cio=Track(Identifier("a@b.c"), "x"))

    assert (line["cio_customer"], line["cio_id_type"]) == ("a@b.c", "id")
    assert arrivals.balance() == (1, 0, 0)


@pytest.mark.parametrize("text", ["2024-05-01T00:00:00.5Z", "2024-05-01T00:00:00,123456789Z"])
def test_a_time_is_read_as_that_of_a_verb(
    text: str, log: Log, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """On each Python."""
    assert pipeline.track("5", "x", timestamp=text)
    log("x", cio_customer="5", cio_timestamp=text)

    assert [event.timestamp for event in arrivals.events()] == [MAY] * 2


def test_a_handler_that_is_done_with_is_not_the_default(sandbox: Sandbox) -> None:
    """Though calls of its wait."""
    sandbox.delay(LONG, before=True)
    options: dict[str, Any] = {"api_key": "k", "track_url": sandbox.url, "flush_interval": 0}
    first = CustomerIOHandler(site_id="old", **options)
    first.handle(logging.makeLogRecord({"msg": "x", "cio_customer": "5"}))
    first.close()
    second = CustomerIOHandler(site_id="new", **options)

    assert get_pipeline() is second._own
    sandbox.heal()
    assert first._own is not None
    assert first._own.flush(LONG)
