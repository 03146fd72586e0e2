"""Whatever a record holds, logging goes on, and what is tagged is counted."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
import structlog
from django.utils.functional import SimpleLazyObject

from cio_events._calls.people import Track
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources import capture
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.errors import ParamError
from tests.sources.arrivals import Arrivals
from tests.sources.test_marks import Source, each_source


def lazy() -> Any:
    """A lazy object that raises when anybody looks at it."""

    def fail() -> Any:
        raise ZeroDivisionError

    return SimpleLazyObject(fail)


@each_source
@pytest.mark.parametrize("tag", ["cio", "cio_customer", "cio_data", "cio_timestamp", "cio_event"])
def test_a_lazy_tag_is_invalid(
    source: Source, tag: str, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Nobody knows what it would have been."""
    line = source(pipeline)("it", **{"cio": "track", "cio_customer": "5", tag: lazy()})

    assert line["cio_refused"] == "invalid"
    assert arrivals.balance() == (0, 1, 0)


def test_a_lazy_message_passes(pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Untagged it is nobody's business, in either source."""
    app = logging.Logger("app")
    app.addHandler(CustomerIOHandler(pipeline))
    app.warning(lazy())
    CustomerIOProcessor(pipeline)(None, "info", {"event": lazy()})
    assert arrivals.balance() == (0, 0, 0)

    app.warning(lazy(), extra={"cio_customer": "5"})
    CustomerIOProcessor(pipeline)(None, "info", {"event": lazy(), "cio_customer": "5"})
    assert arrivals.balance() == (0, 2, 0)


@each_source
def test_a_lazy_value_does_not_raise(
    source: Source, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """The call is counted, whatever becomes of it."""
    source(pipeline)("it", cio_customer="5", user=lazy())

    assert sum(arrivals.balance()) == 1


def test_sending_a_lazy_object_does_not_raise(pipeline: Pipeline) -> None:
    """It is no call."""
    assert pipeline.send(lazy()) is False
    assert pipeline.stats().failed_by_reason == {"invalid": 1}


@pytest.mark.parametrize("wrong", [logging.INFO, "x", {}, Pipeline], ids=repr)
@pytest.mark.parametrize("make", [CustomerIOHandler, CustomerIOProcessor])
def test_what_is_no_pipeline_is_refused_when_it_is_given(make: Any, wrong: Any) -> None:
    """And not at the first tagged line."""
    with pytest.raises(ParamError, match=r"^pipeline: must be a Pipeline"):
        make(wrong)


def test_a_class_in_place_of_a_processor_is_said() -> None:
    """Its parentheses are missing; structlog alone would not tell of what."""
    log = structlog.wrap_logger(None, processors=[CustomerIOProcessor])  # type: ignore[list-item]

    with pytest.raises(TypeError, match=r"has to be CustomerIOProcessor\(\), with parentheses$"):
        log.info("it")
    with pytest.raises(TypeError, match="takes from 1 to 2"):
        CustomerIOProcessor(None, "event")  # type: ignore[misc]


@pytest.mark.parametrize("key", [5, None, b"event"])
def test_an_event_key_is_text(key: Any) -> None:
    """Or it is refused at once."""
    with pytest.raises(ParamError, match=r"^event_key: "):
        CustomerIOProcessor(event_key=key)


@each_source
def test_a_fault_of_ours_is_counted_and_said(
    source: Source,
    pipeline: Pipeline,
    arrivals: Arrivals,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A record does not end silently, even so."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(capture, "_accept", fail)
    log = source(pipeline)
    line = log("it", cio="track", cio_customer="5")
    log("it", cio="track", cio_customer="5")

    assert line["cio_refused"] == "invalid"
    assert arrivals.balance() == (0, 2, 0)
    assert any("ZeroDivisionError" in message for message in caplog.messages)


def test_a_mapping_that_cannot_be_marked_passes(pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Its call is sent all the same."""

    class ReadOnly(dict[str, Any]):
        def __setitem__(self, *_: object) -> None:
            raise TypeError

    event_dict = ReadOnly(event="it", cio_customer="5")
    assert CustomerIOProcessor(pipeline)(None, "info", event_dict) is event_dict

    assert arrivals.event().name == "it"


def seconds(work: Callable[[], object]) -> float:
    """What the fastest of three takes, of this process's time."""
    took = []
    for _ in range(3):
        begin = process_time()
        work()
        took.append(process_time() - begin)
    return min(took)


NAMES: dict[str, dict[str, Any]] = {
    "like tags": {f"cio_custom{number}": 1 for number in range(5_000)},
    "more than a payload has": {f"k{number}": 1 for number in range(10_001)},
    "long": {"cio_" + "customer" * 100_000: 1},
}


@each_source
@pytest.mark.parametrize("tags", [{}, {"cio_customer": "5"}], ids=["untagged", "tagged"])
@pytest.mark.parametrize("name", NAMES)
def test_names_make_no_delay(
    source: Source, tags: dict[str, str], name: str, pipeline: Pipeline
) -> None:
    """However many there are, however long they are, and whatever they are like."""
    log, fields = source(pipeline), NAMES[name]

    usual = seconds(lambda: json.dumps(fields))
    assert seconds(lambda: log("it", **tags, **fields)) < 20 * usual


@pytest.mark.parametrize("text", ["\x1b[1mcio_customer", "cio_customer\x1b[1m\x1b["])
def test_a_long_text_that_is_like_a_tag_makes_no_delay(
    text: str, pipeline: Pipeline, app: logging.Logger
) -> None:
    """It may be the text of what was rendered, and is looked at as far as one line goes."""
    app.addHandler(CustomerIOHandler(pipeline))
    text *= 300_000

    usual = seconds(lambda: json.dumps(text))
    assert seconds(lambda: app.info(text)) < 3 * usual


@each_source
def test_a_line_with_more_names_than_a_payload_has(
    source: Source, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """It is too large, but for what says its data by itself."""
    log, names = source(pipeline), NAMES["more than a payload has"]
    assert log("it", cio_customer="5", **names)["cio_refused"] == "too_large"
    assert log("it", cio="page", cio_customer="5", **names)["cio_refused"] == "too_large"
    log("it", cio_customer="5", cio_data={"price": 1}, **names)
    log("it", cio=Track("5", "it", {"price": 1}), **names)

    assert arrivals.balance() == (2, 2, 0)
    assert [event.data for event in arrivals.sandbox.events] == [{"price": 1}] * 2


def test_renderers_print_what_was_captured(pipeline: Pipeline) -> None:
    """Strict ones, too."""
    lines = structlog.testing.CapturingLogger()
    log = structlog.wrap_logger(
        lines, processors=[CustomerIOProcessor(pipeline), structlog.processors.JSONRenderer()]
    )
    log.info("it", cio_customer="5")

    assert '"cio_event_id": "' in lines.calls[0].args[0]
