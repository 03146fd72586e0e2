"""With ``debug``, a line for each record that has any key like a tag, and for each request."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from cio_events import CustomerIOHandler, CustomerIOProcessor, Pipeline, signals
from cio_events._pipeline import default
from cio_events._process import debugging
from cio_events._sources.setup import report
from tests.behaviour.watching import LONG, eventually, said
from tests.sources.arrivals import CREDENTIALS

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

LOST = "not captured, since it has neither cio_customer nor cio"


@pytest.fixture(autouse=True)
def _off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has asked for it."""
    monkeypatch.setattr(debugging, "on", False)
    monkeypatch.setattr(report, "_reported", True)  # what else is set up here is no matter
    monkeypatch.setattr(report, "_expected", True)


@pytest.fixture
def debugged(sandbox: Sandbox) -> Iterator[Pipeline]:
    """A pipeline with debug."""
    options: dict[str, Any] = {**CREDENTIALS, "track_url": sandbox.url, "flush_interval": 0}
    with Pipeline(**options, debug=True) as pipeline:
        yield pipeline


@pytest.fixture(params=["structlog", "logging"])
def log(request: pytest.FixtureRequest, debugged: Pipeline) -> Iterator[Any]:
    """Logs a record with some keys, by either way."""
    if request.param == "structlog":
        processor = CustomerIOProcessor(debugged)
        yield lambda event, **fields: processor(None, "info", {"event": event, **fields})
        return
    logger, handler = logging.getLogger("tests.debug"), CustomerIOHandler(debugged)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield lambda event, **fields: logger.info(event, extra=fields)
    handler.close()
    logger.removeHandler(handler)


def test_record_that_is_captured_is_said_with_its_ulid(
    log: Any, debugged: Pipeline, sandbox: Sandbox, caplog: Any
) -> None:
    """And the request, with what came back; no payload."""
    log("bought", cio_customer="lucy@example.com", price="secret")
    assert debugged.flush(LONG)

    # The flushing thread may be the first to speak, or speak when the call is counted as sent.
    assert eventually(lambda: len(said(caplog)) == 2)
    record, request = sorted(said(caplog))
    id_ = sandbox.events[0].id
    assert record == f'debug: record "bought" with cio_customer: captured as {id_}'
    assert request.startswith("debug: request to the Track API with 1 call: status 200, ")
    assert request.endswith(" ms")


def test_record_with_a_key_like_a_tag_is_said_not_to_be_captured(log: Any, caplog: Any) -> None:
    """Others are not mentioned."""
    log("lucy@example.com bought", cio_custmer="5")
    log("other", price=1)

    line, likely = said(caplog)
    assert line == f'debug: record "*** bought" with cio_custmer: {LOST}'
    assert likely.startswith("cio_custmer is no tag (is it cio_customer?)")


def test_each_record_that_is_refused_is_said(log: Any, caplog: Any) -> None:
    """With the reason and what is wrong, not only once a minute."""
    for _ in range(2):
        log("bought", cio_customer="")

    lines = said(caplog)
    assert sum(line.endswith("not captured (invalid)") for line in lines) == 2
    assert sum("cio_customer: " in line and "is not sent" in line for line in lines) == 2


def test_record_of_a_receiver_and_one_that_was_captured_are_said(
    log: Any, debugged: Pipeline, caplog: Any
) -> None:
    """They look as if they had to arrive."""

    def receive(_: object, **__: object) -> None:
        log("inside", cio_customer="5")

    with signals.sent.connected_to(receive):
        log("bought", cio_customer="5")
        assert debugged.flush(LONG)
    log("again", cio_customer="5", cio_event_id="01ARZ3NDEKTSV4RRFFQ69G5FAV")

    lines = said(caplog)
    assert any('"inside"' in line and "receiver" in line for line in lines)
    assert any('"again"' in line and "marks" in line for line in lines)


def test_request_that_gets_no_answer_is_said(
    debugged: Pipeline, sandbox: Sandbox, caplog: Any
) -> None:
    """And one that is answered badly."""
    sandbox.drop_next()
    sandbox.fail_next(503)
    debugged.track("5", "x")
    assert debugged.flush(LONG)
    assert eventually(lambda: any("status 200" in line for line in said(caplog)))

    lines = [line for line in said(caplog) if line.startswith("debug: request")]
    assert any("no answer (no_answer)" in line or "status 503" in line for line in lines)
    assert any("status 200" in line for line in lines)


def test_environment_asks_before_there_is_a_pipeline(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Else an application with nothing but a wrong tag would hear of nothing."""
    monkeypatch.setenv("CIO_DEBUG", "1")
    processor = CustomerIOProcessor()
    processor(None, "info", {"event": "bought", "cio_custmer": "5"})
    default.get_pipeline().close(0)

    assert said(caplog)[0] == f'debug: record "bought" with cio_custmer: {LOST}'


def test_nothing_is_said_without_it(sandbox: Sandbox, debugged: Pipeline, caplog: Any) -> None:
    """Of a pipeline beside one that has it, neither."""
    options: dict[str, Any] = {**CREDENTIALS, "track_url": sandbox.url, "flush_interval": 0}
    with Pipeline(**options) as pipeline:
        processor = CustomerIOProcessor(pipeline)
        processor(None, "info", {"event": "bought", "cio_customer": "5"})
        processor(None, "info", {"event": "bought", "cio_custmer": "5"})
        assert pipeline.flush(LONG)

    assert not [line for line in said(caplog) if line.startswith("debug")]
