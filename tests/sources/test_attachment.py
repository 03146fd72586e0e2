"""A handler that is on no logger any more is said, as its records end silently."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import queue
import sys
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources import attachment
from cio_events._sources.logging import CustomerIOHandler
from tests.support import garbage
from tests.support.scripts import environment, run_code

NAME = "shop_of_attachment"


@pytest.fixture
def shop(pipeline: Pipeline) -> Iterator[logging.Logger]:
    """A logger that others can find, with the handler, which has seen a record."""
    shop = logging.getLogger(NAME)
    shop.addHandler(CustomerIOHandler(pipeline))
    shop.warning("untagged")
    yield shop
    shop.handlers.clear()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of handlers."""
    garbage.collect()
    return [message for message in caplog.messages if "a CustomerIOHandler " in message]


def test_a_handler_that_is_gone(shop: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """As Celery empties the root logger."""
    shop.handlers = []

    assert len(said(caplog)) == 1


def test_a_handler_of_dict_config(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    """It is known before it has seen a record."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"cio": {"()": lambda: CustomerIOHandler(pipeline)}},
        "loggers": {NAME: {"handlers": ["cio"]}},
    }
    logging.config.dictConfig(config)
    logging.config.dictConfig(config)
    root.handlers[:] = handlers  # pytest's, which dictConfig has closed and left
    assert said(caplog) == []

    logging.getLogger(NAME).handlers = []
    (line,) = said(caplog)
    assert "is on no logger" in line  # nobody has seen whether it ever was


def test_a_handler_that_no_logger_names(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has taken it away, Celery the least where there is none."""
    monkeypatch.delitem(sys.modules, "celery", raising=False)
    handler = CustomerIOHandler(pipeline)
    handler.set_name("customerio")  # as dictConfig does

    attachment.look()

    (line,) = said(caplog)
    assert "is on no logger" in line
    assert "Celery" not in line


def test_a_handler_that_somebody_still_has(
    shop: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """By a name in a module; seen when a process forks, and at the exit."""
    globals()["kept"] = shop.handlers.pop()
    try:
        attachment.look()
        attachment.look()
        assert len(said(caplog)) == 1
    finally:
        globals().pop("kept").close()


def test_a_handler_behind_a_queue_is_well(
    shop: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """The listener has it."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, shop.handlers.pop())
    attachment.look()

    assert said(caplog) == []
    listener.handlers[0].close()


def test_a_handler_behind_a_queue_that_is_done_is_well(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """It has seen the records of a logger, and was never on one."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    behind = logging.handlers.QueueHandler(records)
    listener = logging.handlers.QueueListener(records, CustomerIOHandler(pipeline))
    listener.start()
    shop = logging.getLogger(NAME)
    shop.addHandler(behind)
    shop.warning("untagged")
    shop.removeHandler(behind)
    listener.stop()
    del listener, behind

    assert said(caplog) == []


def test_a_handler_that_was_closed_is_well(
    shop: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody meant it."""
    shop.handlers.pop().close()

    assert said(caplog) == []


def test_a_handler_that_was_never_on_a_logger_is_well(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody misses it."""
    CustomerIOHandler(pipeline)

    assert said(caplog) == []


def test_a_handler_that_somebody_still_has_at_the_exit() -> None:
    """Nothing else would say it, since no record comes by any more; one on a logger is well."""
    code = dedent("""
        import logging, sys
        from cio_events import CustomerIOHandler

        gone, well = CustomerIOHandler(), CustomerIOHandler()
        shop = logging.getLogger("shop")
        shop.addHandler(gone)
        shop.addHandler(well)
        shop.warning("untagged")
        if sys.argv[1] == "taken":
            shop.removeHandler(gone)
    """)
    said = {how: run_code(code, how, env=environment())[1] for how in ("taken", "left")}

    assert said["taken"].count("taken from its logger") == 1
    assert said["left"] == ""
