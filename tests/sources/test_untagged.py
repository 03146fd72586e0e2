"""What was meant to make a call and makes none is said once, though no tag brings it to us."""

from __future__ import annotations

import logging
import re

import loguru
import pytest
import structlog
from structlog.contextvars import bound_contextvars

from cio_events import CustomerIOHandler, CustomerIOProcessor
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.untagged import FIRST
from tests.sources.arrivals import Arrivals
from tests.sources.ways import Log, by_loguru, by_structlog


def test_a_misspelt_tag_alone_is_said_once(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """It takes the event with it, where beside another tag it is but an attribute."""
    for _ in range(3):
        log("purchase", cio_custumer="5")

    (message,) = caplog.messages
    assert message.startswith("cio_custumer is no tag (is it cio_customer?) of a record that has")
    assert 'record "purchase" of' in message


def test_a_tag_without_a_trigger_is_said_once(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever gives an event's name means an event."""
    for _ in range(3):
        log("bought socks", cio_event="purchase")

    (message,) = caplog.messages
    assert message.startswith("cio_event is a tag of a record that has neither cio_customer nor")


def test_an_applications_own_words_are_no_tags(
    log: Log, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is an identity that waits for a line with a trigger."""
    log("moved", cio_office="Berlin", cio_name="Alex", ciopfs=1)
    log("moved", cio_identity="5", cio_id_type="id")

    assert not caplog.messages
    assert pipeline.stats().received == 0


def test_a_trigger_that_is_bound_is_said_wherever_the_processor_stands(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """First in the chain, it sees nothing of the context in the line."""
    with bound_contextvars(cio_customer="5"):
        for _ in range(3):
            log("purchase", price=1)

    (message,) = caplog.messages
    assert message.startswith("cio_customer or cio is bound to the context")


def test_a_customer_that_is_bound_is_said_where_one_is_missing(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of the line says that it has none, and this where it is."""
    with bound_contextvars(cio_customer="5"):
        by_structlog(pipeline)("purchase", cio="track", price=1)

    bound, missing = sorted(caplog.messages, key=len, reverse=True)
    assert bound.startswith("cio_customer or cio is bound to the context")
    assert "cio_customer: is missing" in missing


def test_a_dictionary_by_position_is_said_with_structlogs_default_logger(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """That one formats with it, and hands it to no processor."""
    structlog.configure(
        processors=[CustomerIOProcessor(pipeline), structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    for _ in range(3):
        try:
            structlog.get_logger().info("purchase", {"cio_customer": "5"})
        except TypeError:
            pytest.skip("this structlog raises an error of its own")

    (message,) = caplog.messages
    assert message.startswith("tags were given to a log call as a positional dictionary")


@pytest.mark.parametrize("text", ["purchase", "purchase {}", "purchase by {} of {}"])
def test_a_dictionary_by_position_is_said_with_loguru(
    text: str, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """It formats with it; what the text may have of it is not said."""
    by_loguru(pipeline)
    for _ in range(3):
        loguru.logger.info(text, {"cio_customer": "5", "name": "Lucy"}, 5)

    (message,) = caplog.messages
    assert message.startswith("tags were given to a log call as a positional dictionary")
    assert re.search(rf"\(record of {__name__}, test_untagged\.py:\d+\)$", message)


def test_a_dictionary_as_the_message_is_said_in_structlog(
    pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """Where logging has it, it is read."""
    for _ in range(3):
        by_structlog(pipeline)({"event": "purchase", "cio_customer": "5"})

    assert arrivals.balance() == (0, 0, 0)
    (message,) = caplog.messages
    assert "in a dictionary as its message" in message


def test_a_dictionary_that_loguru_has_made_text_of_is_said(
    pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """By its text, which is not shown."""
    log = by_loguru(pipeline)
    for _ in range(3):
        log({"event": "purchase", "cio_customer": "5", "name": "Lucy"})

    assert arrivals.balance() == (0, 0, 0)
    (message,) = caplog.messages
    assert "in loguru, tags are keyword arguments" in message
    assert "Lucy" not in message


@pytest.mark.parametrize("source", [by_structlog, by_loguru])
def test_loggings_extra_is_said_elsewhere(
    source: type[Log], pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """A habit of whoever comes from logging."""
    log = source(pipeline)
    for _ in range(3):
        log("purchase", extra={"cio_customer": "5"})

    (message,) = caplog.messages
    assert message.startswith("tags were given to a log call in extra=")


def test_an_extra_that_an_adapter_replaces_is_said(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """By then its tags are nowhere in the record."""
    shop = logging.Logger("on no tree", logging.DEBUG)
    shop.addHandler(CustomerIOHandler(pipeline))
    adapter = logging.LoggerAdapter(shop, {"request": 7})
    for _ in range(3):
        adapter.info("purchase", extra={"cio_customer": "5"})

    (message,) = caplog.messages
    assert message.startswith("a LoggerAdapter has put its own extra= in place of a log call's")


def test_few_records_are_looked_at_in_the_long_run(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """The first ones, and then the one behind each that is tagged."""
    for _ in range(FIRST):
        log("moved")
    log("purchase", cio_custumer="5")
    assert not caplog.messages

    log("purchase", cio_customer="5")
    log("purchase", cio_custumer="5")
    assert len(caplog.messages) == 1
