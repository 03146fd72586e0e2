"""What the log call itself has given: it counts, and does not vanish without a word."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Callable
from typing import Any

import loguru
import pytest
import structlog
from structlog.contextvars import bound_contextvars, get_contextvars, merge_contextvars

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, Arrivals
from tests.sources.records import FilteringLogger
from tests.sources.ways import Log, by_logging, by_loguru, by_structlog, by_structlog_merged


def by_renamed(pipeline: Pipeline) -> Log:
    """structlog, with the processor behind what has moved the message."""
    processors = [
        merge_contextvars,
        structlog.processors.EventRenamer("message"),
        CustomerIOProcessor(pipeline, event_key="message"),
    ]
    lines = structlog.testing.CapturingLogger()
    log = structlog.wrap_logger(lines, processors=processors, wrapper_class=FilteringLogger)
    return lambda event, **fields: log.info(event, **fields) or {}


def by_structlog_to_logging(pipeline: Pipeline) -> Log:
    """Structlog in front of logging."""
    app = logging.Logger("app", logging.DEBUG)
    app.addHandler(CustomerIOHandler(pipeline))
    processors = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(),
        structlog.stdlib.render_to_log_kwargs,
    ]
    log = structlog.wrap_logger(
        app, processors=processors, wrapper_class=structlog.stdlib.BoundLogger
    )
    return lambda event, **fields: log.info(event, **fields) or {}


def by_dictionary(pipeline: Pipeline) -> Log:
    """Logging, with a dictionary as the message."""
    app = logging.Logger("app", logging.DEBUG)
    app.addHandler(CustomerIOHandler(pipeline))
    return lambda event, **fields: app.info({"event": event, **fields}) or {}  # type: ignore[func-returns-value]


def by_adapter(pipeline: Pipeline) -> Log:
    """Logging, with what an adapter adds to each line."""
    app = logging.Logger("app", logging.DEBUG)
    app.addHandler(CustomerIOHandler(pipeline))
    return lambda event, **fields: logging.LoggerAdapter(app, fields).info(event) or {}  # type: ignore[func-returns-value]


WAYS = [
    by_structlog,
    by_structlog_merged,
    by_renamed,
    by_structlog_to_logging,
    by_logging,
    by_dictionary,
    by_adapter,
    by_loguru,
]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
Way = Callable[[Pipeline], Log]


def bound(way: Way) -> Any:
    """What binds to the context that *way* merges."""
    return loguru.logger.contextualize if way is by_loguru else bound_contextvars


def fresh(text: str) -> str:
    """An object of its own, that equals *text*."""
    return "".join([text[:1], text[1:]])


@each_way
def test_what_the_line_gives_is_sent_whatever_else_is_bound(
    way: Way, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Though a middleware has bound the same object; also where the line gives all that is."""
    log, plan, shop = way(pipeline), fresh("free"), fresh("main")
    with bound(way)(plan=plan):
        log("all of it", cio_customer="5", plan=plan)
    with bound(way)(plan=plan, shop=shop):
        log("some", cio_customer="5", plan=plan)
        log("none", cio_customer="5", price=1)
        log("all and more", cio_customer="5", plan=plan, shop=shop, price=1)

    assert {one.name: one.data for one in arrivals.events()} == {
        "all of it": {"plan": "free"},
        "some": {"plan": "free"},
        "none": {"price": 1},
        "all and more": {"plan": "free", "shop": "main", "price": 1},
    }


@each_way
def test_a_trigger_that_the_line_gives_counts(
    way: Way, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Though the same object is bound, where it counts for nothing."""
    log, who = way(pipeline), fresh("5")
    with bound(way)(cio_customer=who):
        log("said", cio_customer=who, price=1)
        log("not said", price=2)

    event = arrivals.event()
    assert (event.customer, event.name, event.data) == ("5", "said", {"price": 1})


def test_what_bind_gives_is_sent(pipeline: Pipeline, arrivals: Arrivals) -> None:
    """By loguru and by structlog in front of logging, too."""
    shop = fresh("main")
    log = by_loguru(pipeline)
    with loguru.logger.contextualize(shop=shop):
        loguru.logger.bind(shop=shop, cio_customer="5").info("bound")
        log("given", cio_customer="5", shop=shop)

    assert [one.data for one in arrivals.events()] == [{"shop": "main"}] * 2


def test_what_a_filter_merges_is_left_out(pipeline: Pipeline, arrivals: Arrivals) -> None:
    """It has put the context's values on each record; those that extra has given stay."""

    def merge(record: logging.LogRecord) -> bool:
        vars(record).update(get_contextvars())
        return True

    app = logging.Logger("app", logging.DEBUG)
    handler = CustomerIOHandler(pipeline)
    handler.addFilter(merge)
    app.addHandler(handler)
    plan = fresh("free")
    with bound_contextvars(plan=plan, request_id=fresh("r1")):
        app.info("x", extra={"cio_customer": "5", "plan": plan})

    assert arrivals.event().data == {"plan": "free"}


def test_another_record_s_call_says_nothing(pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Which is on the stack while a handler gives what it has kept."""
    app = logging.Logger("app", logging.DEBUG)
    kept = logging.handlers.MemoryHandler(2, target=CustomerIOHandler(pipeline))
    app.addHandler(kept)
    plan = fresh("free")
    with bound_contextvars(plan=plan):
        app.info("first", extra={"cio_customer": "5", "price": 1})
        app.info("second", extra={"cio_customer": "5", "plan": plan})

    datas = {one.name: one.data for one in arrivals.events()}
    assert datas == {"first": {"price": 1}, "second": {"plan": "free"}}


HIDDEN = {
    "level": "error",
    "logger": "gold",
    "timestamp": "2024-05-01",
    "func_name": "f",
    "exception": "E",
    "stack": "S",
    "otelTraceID": "1",
}


@each_way
def test_each_hidden_name_that_the_line_gives_is_said_once(
    way: Way, pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it holds, since no processor has written it; cio_data can say it."""
    log = way(pipeline)
    for _ in range(2):
        log("it", cio_customer="5", price=1, **HIDDEN)

    assert [one.data for one in arrivals.events()] == [{"price": 1}] * 2
    assert sorted(message.partition(" is ")[0] for message in caplog.messages) == sorted(HIDDEN)
    assert all("cio_data" in one and "hidden=" in one for one in caplog.messages)


@pytest.mark.parametrize("way", [by_structlog, by_logging, by_loguru], ids=lambda w: w.__name__)
def test_what_the_option_hides_is_not_said(
    way: Way, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has said that it is meant so."""
    with Pipeline(
        **CREDENTIALS, track_url=sandbox.url, flush_interval=0, hidden=HIDDEN
    ) as pipeline:
        way(pipeline)("it", cio_customer="5", **HIDDEN)
        assert Arrivals(sandbox, pipeline).event().data == {}

    assert caplog.messages == []


def test_what_processors_and_arguments_write_is_not_said(
    pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind them, and through logging: nobody looks for it."""
    by_structlog_to_logging(pipeline)("it", cio_customer="5", price=1)
    by_structlog_merged(pipeline)("it", cio_customer="5", price=1, exc_info=False)

    assert [one.data for one in arrivals.events()] == [{"price": 1}] * 2
    assert caplog.messages == []
