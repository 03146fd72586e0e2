"""Twelve ways to lose an event without an error, and what CIO_DEBUG=1 says of each."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars

import cio_events
from cio_events import CustomerIOHandler, CustomerIOProcessor, signals
from cio_events._process import debugging
from cio_events._process import diagnostics as process_diagnostics
from cio_events._sources.setup import report
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, said

SHOP = "shop_of_lost_events"


@pytest.fixture
def shop(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """A logger of an application, in an environment with CIO_DEBUG=1 and credentials."""
    monkeypatch.setenv("CIO_DEBUG", "1")
    monkeypatch.setenv("CIO_SITE_ID", "site")
    monkeypatch.setenv("CIO_API_KEY", "key")
    monkeypatch.setenv("CIO_TRACK_URL", sandbox.url)
    monkeypatch.setattr(debugging, "on", False)
    monkeypatch.setattr(report, "_reported", False)
    monkeypatch.setattr(report, "_expected", True)
    monkeypatch.setattr(process_diagnostics._process, "_once", set())
    logger = logging.getLogger(SHOP)
    logger.setLevel(logging.INFO)
    yield logger
    for handler in logger.handlers[:]:
        handler.close()
        logger.removeHandler(handler)
    logger.disabled = False
    structlog.reset_defaults()


def chain(*processors: Any, **config: Any) -> Any:
    """structlog, configured with a chain that ends in a renderer; and a logger of it."""
    structlog.configure(
        processors=[*processors, structlog.processors.JSONRenderer()],
        logger_factory=structlog.ReturnLoggerFactory(),
        **config,
    )
    return structlog.get_logger()


def misspelt(shop: logging.Logger, _: Any) -> None:
    """A tag with a wrong name."""
    chain(CustomerIOProcessor()).info("bought", cio_custmer="5")


def nobody(shop: logging.Logger, _: Any) -> None:
    """A blank customer."""
    chain(CustomerIOProcessor()).info("bought", cio_customer="")


def bound(shop: logging.Logger, _: Any) -> None:
    """The trigger in the request's context."""
    log = chain(merge_contextvars, CustomerIOProcessor())
    with bound_contextvars(cio_customer="5"):
        log.info("bought")


def logged_again(shop: logging.Logger, _: Any) -> None:
    """A line that was read back from a log."""
    log = chain(CustomerIOProcessor())
    log.info("bought", cio_customer="5", cio_event_id="01ARZ3NDEKTSV4RRFFQ69G5FAV")


def in_a_receiver(shop: logging.Logger, _: Any) -> None:
    """What a signal's receiver logs."""
    log = chain(CustomerIOProcessor())

    def receive(*_: object, **__: object) -> None:
        log.info("inside", cio_customer="5")

    with signals.sent.connected_to(receive):
        log.info("bought", cio_customer="5")
        assert cio_events.get_pipeline().flush(LONG)


def no_credentials(shop: logging.Logger, monkeypatch: Any) -> None:
    """A key that is not there."""
    monkeypatch.delenv("CIO_API_KEY")
    chain(CustomerIOProcessor()).info("bought", cio_customer="5")


def switched_off(shop: logging.Logger, monkeypatch: Any) -> None:
    """Settings of a test in production."""
    monkeypatch.setenv("CIO_ENABLED", "false")
    chain(CustomerIOProcessor()).info("bought", cio_customer="5")


def without_a_handler(shop: logging.Logger, _: Any) -> None:
    """A record of logging, where only the processor is installed."""
    log = chain(CustomerIOProcessor())
    shop.info("bought", extra={"cio_customer": "5"})
    log.info("any other line")


def without_a_processor(shop: logging.Logger, _: Any) -> None:
    """An event of structlog's that is text when the handler sees it."""
    shop.addHandler(CustomerIOHandler())
    chain().info("bought", cio_customer="5")
    shop.info("any other line")


def below_the_level(shop: logging.Logger, _: Any) -> None:
    """An application at WARNING."""
    shop.setLevel(logging.WARNING)
    shop.addHandler(CustomerIOHandler())
    shop.info("bought", extra={"cio_customer": "5"})
    shop.warning("any other line")


def below_structlogs_level(shop: logging.Logger, _: Any) -> None:
    """The same, with structlog's own filter."""
    wrapper = structlog.make_filtering_bound_logger(logging.WARNING)
    log = chain(CustomerIOProcessor(), wrapper_class=wrapper)
    log.info("bought", cio_customer="5")
    log.warning("any other line")


def disabled_logger(shop: logging.Logger, _: Any) -> None:
    """A dictConfig that has silenced the loggers that there were."""
    logging.getLogger().addHandler(handler := CustomerIOHandler())
    shop.disabled = True
    shop.info("bought", extra={"cio_customer": "5"})
    try:
        logging.getLogger(f"{SHOP}_of_others").warning("any other line")
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def taken_away(shop: logging.Logger, _: Any) -> None:
    """Somebody who has emptied the logger, as Celery does."""
    log = chain(CustomerIOProcessor())
    shop.addHandler(handler := CustomerIOHandler())
    shop.info("any other line")
    shop.handlers.clear()
    globals()["kept"] = handler  # by a name in some module
    del handler
    try:
        shop.info("bought", extra={"cio_customer": "5"})
        report._reported = False
        log.info("any other line")
    finally:
        globals().pop("kept").close()


def as_text(shop: logging.Logger, _: Any) -> None:
    """A tag in a positional dictionary."""
    shop.addHandler(CustomerIOHandler())
    shop.info("bought %s", {"cio_customer": "5"})


WAYS: dict[Callable[..., None], str] = {
    misspelt: "with cio_custmer: not captured, since it has neither cio_customer nor cio",
    nobody: "cio_customer: must not be blank",
    bound: "bound to the context",
    logged_again: "not captured, since its marks say that it was before",
    in_a_receiver: "not captured, since a receiver",
    no_credentials: "api_key",
    switched_off: "not captured (disabled)",
    without_a_handler: "no CustomerIOHandler is on any logger",
    without_a_processor: "structlog's chain has no CustomerIOProcessor",
    below_the_level: f"the logger {SHOP} has level WARNING, which filters info",
    below_structlogs_level: "wrapper class filters info: it lets warning through",
    disabled_logger: f"the logger {SHOP} is disabled",
    taken_away: "was taken from its logger",
    as_text: "positional dictionary",
}


@pytest.mark.parametrize("lose", WAYS, ids=lambda way: way.__name__)
def test_each_way_to_lose_an_event_is_explained(
    lose: Callable[..., None],
    shop: logging.Logger,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The event does not arrive, and one line says why."""
    lose(shop, monkeypatch)

    lines = said(caplog)
    assert any(WAYS[lose] in line for line in lines), lines
    cio_events.get_pipeline().close(LONG)
    assert [event for event in sandbox.events if event.name != "bought"] == []
    assert len(sandbox.events) == (lose is in_a_receiver)
