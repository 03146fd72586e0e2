"""An assertion that fails says why the event is missing, in each of the ways in which it can."""

from __future__ import annotations

import re
from textwrap import dedent, indent

import pytest

from tests.testing.suites import Run, run_suite

HEAD = """
import logging
import logging.config

import pytest
import structlog

import cio_events
from cio_events import signals


def configure(*processors, **more):
    renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*processors, renderer], logger_factory=structlog.ReturnLoggerFactory(), **more
    )
    return structlog.get_logger()


ours = cio_events.CustomerIOProcessor()


@pytest.fixture(autouse=True)
def afresh():
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.disable(logging.NOTSET)
    for logger in [logging.root, *map(logging.getLogger, ("shop", "shop.cart"))]:
        logger.setLevel(logging.WARNING if logger is logging.root else logging.NOTSET)
        logger.disabled, logger.propagate = False, True
        for handler in list(logger.handlers):
            if isinstance(handler, cio_events.CustomerIOHandler):
                logger.removeHandler(handler)
                handler.close()


def handled(level=logging.INFO, logger=logging.root):
    logging.root.setLevel(level)
    handler = cio_events.CustomerIOHandler()
    logger.addHandler(handler)
    return handler
"""

# What a test does before it asks for the event, and what the text has to say.
CAUSES: dict[str, tuple[str, str]] = {
    "nothing is set up": (
        "structlog.get_logger().info('purchase', cio_customer='5')",
        "neither is CustomerIOProcessor in structlog's chain (structlog is not configured), nor",
    ),
    "the chain has no processor": (
        "configure(structlog.processors.add_log_level).info('purchase', cio_customer='5')",
        "neither is CustomerIOProcessor in structlog's chain, nor is a CustomerIOHandler on any",
    ),
    "the line was not reached": (
        "configure(ours)",
        "no tagged record has arrived, though CustomerIOProcessor is in structlog's chain",
    ),
    "it went the other way, to logging": (
        "configure(ours); logging.getLogger('a').warning('x', extra={'cio_customer': '5'})",
        "if it is the other source's: no CustomerIOHandler is on any logger",
    ),
    "there is no tag": (
        "configure(ours).info('purchase', price=13.99)",
        "was the line reached, with cio_customer or cio?",
    ),
    "the tag is misspelt": (
        "configure(ours).info('purchase', cio_custmer='5')",
        "has neither cio_customer nor cio; is 'cio_custmer' cio_customer? (at test_causes.py:",
    ),
    "the tag is None, and the application catches": (
        """
        try:
            configure(ours).info("purchase", cio_customer=None)
        except Exception:
            pass
        """,
        "a record was refused: cio_customer: must not be None (at test_causes.py:",
    ),
    "a field is wrong, where that may be": (
        """
        with cio.lenient():
            configure(ours).info("x" * 101, cio_customer="5")
        """,
        "a record was refused: event: is over 100 bytes",
    ),
    "before_send drops it": (
        """
        pipeline = cio_events.Pipeline(before_send=lambda call: None)
        configure(cio_events.CustomerIOProcessor(pipeline)).info("purchase", cio_customer="5")
        """,
        'track "purchase" was not taken: before_send let it not through (at test_causes.py:',
    ),
    "before_send raises": (
        """
        pipeline = cio_events.Pipeline(before_send=lambda call: call.nothing)
        configure(cio_events.CustomerIOProcessor(pipeline)).info("purchase", cio_customer="5")
        """,
        "before_send raised AttributeError",
    ),
    "the pipeline is closed": (
        """
        pipeline = cio_events.Pipeline()
        pipeline.close(0)
        configure(cio_events.CustomerIOProcessor(pipeline)).info("purchase", cio_customer="5")
        """,
        'track "purchase" was not taken: its pipeline was closed before',
    ),
    "the tag is rendered text": (
        """
        handled()
        logging.getLogger("shop").info('{"cio_customer": "5", "event": "purchase"}')
        """,
        "a tag was rendered into the text of its record",
    ),
    "the processor is behind the renderer": (
        """
        structlog.configure(processors=[structlog.processors.JSONRenderer(), ours],
                            logger_factory=structlog.ReturnLoggerFactory())
        structlog.get_logger().info("purchase", cio_customer="5")
        """,
        "stands behind JSONRenderer in structlog's chain",
    ),
    "tags are positional": (
        """
        handled()
        logging.getLogger("shop").info("purchase", {"cio_customer": "5"})
        """,
        "tags were given to a log call as a positional dictionary",
    ),
    "the trigger is bound to the context": (
        """
        log = configure(structlog.contextvars.merge_contextvars, ours)
        structlog.contextvars.bind_contextvars(cio_customer="5")
        log.info("purchase")
        """,
        "what would make a call of it is bound to the context",
    ),
    "the record was captured before": (
        "configure(ours).info('purchase', cio_customer='5', cio_event_id='01')",
        "not captured, since its marks say that it was before",
    ),
    "a receiver logs it": (
        """
        log = configure(ours)

        def receive(sender, report):
            log.info("purchase", cio_customer="5")

        signals.sent.connect(receive)
        log.info("signup", cio_customer="5")
        """,
        "not captured, since a receiver, before_send or what sends our calls has logged it",
    ),
    "structlog filters the level": (
        """
        wrapper = structlog.make_filtering_bound_logger(logging.WARNING)
        configure(ours, wrapper_class=wrapper).info("purchase", cio_customer="5")
        """,
        "structlog's wrapper class filters info: it lets warning through",
    ),
    "the root logger's level filters it": (
        """
        handled(logging.WARNING)
        logging.getLogger("shop").info("purchase", extra={"cio_customer": "5"})
        """,
        "the root logger has level WARNING, which filters info",
    ),
    "a logger's level filters it": (
        """
        handled()
        logging.getLogger("shop.cart").setLevel(logging.ERROR)
        logging.getLogger("shop.cart").info("purchase", extra={"cio_customer": "5"})
        """,
        "the logger shop.cart has level ERROR, which filters info",
    ),
    "the handler's level filters it": (
        """
        handled().setLevel(logging.ERROR)
        logging.getLogger("shop").info("purchase", extra={"cio_customer": "5"})
        """,
        "the CustomerIOHandler on the root logger has level ERROR, which filters info",
    ),
    "logging is disabled": (
        """
        handled()
        logging.disable(logging.INFO)
        logging.getLogger("shop").info("purchase", extra={"cio_customer": "5"})
        """,
        "logging.disable(INFO) filters info",
    ),
    "the logger was disabled by a dictConfig": (
        """
        logging.getLogger("shop")
        logging.config.dictConfig({
            "version": 1,
            "handlers": {"cio": {"class": "cio_events.CustomerIOHandler"}},
            "root": {"level": "INFO", "handlers": ["cio"]},
        })
        logging.getLogger("shop").info("purchase", extra={"cio_customer": "5"})
        """,
        "the logger shop is disabled, most often by a dictConfig",
    ),
    "the logger does not propagate": (
        """
        handled()
        logging.getLogger("shop").propagate = False
        logging.getLogger("shop").warning("purchase", extra={"cio_customer": "5"})
        """,
        "the logger shop does not propagate to where a CustomerIOHandler is",
    ),
    "the logger was cached before": (
        """
        import early
        configure(ours)
        early.log.info("purchase", cio_customer="5")
        """,
        "the logger early.log was bound or cached before structlog was configured",
    ),
    "capture_logs takes the processor away": (
        """
        configure(ours)
        with structlog.testing.capture_logs():
            structlog.get_logger().info("purchase", cio_customer="5")
            cio.tracked("purchase")
        """,
        "capture_logs(processors=[CustomerIOProcessor()]) keeps it",
    ),
    "it has another name": (
        "configure(ours).info('purchased', cio_customer='5')",
        "name: expected 'purchase', was 'purchased'",
    ),
    "it has another payload": (
        "configure(ours).info('purchase', cio_customer='5', price=14.99)",
        'nearest: track "purchase" of 5, at test_causes.py:',
    ),
    "others were recorded": (
        """
        log = configure(ours)
        for name in ("signup", "login", "login"):
            log.info(name, cio_customer="5")
        """,
        'recorded: 2 track "login", 1 track "signup"',
    ),
}

EARLY = """
import structlog

structlog.configure(processors=[structlog.processors.JSONRenderer()],
                    logger_factory=structlog.ReturnLoggerFactory(),
                    cache_logger_on_first_use=True)
log = structlog.get_logger()
log.info("starting")
structlog.reset_defaults()
"""


def name(cause: str) -> str:
    """What the test of that *cause* is called."""
    return "test_" + re.sub(r"\W+", "_", cause)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A suite with a test for each cause."""
    tests = [
        f"def {name(cause)}(cio):\n{indent(dedent(code), '    ')}\n"
        "    cio.tracked('purchase', customer='5', price=13.99)\n"
        for cause, (code, _) in CAUSES.items()
    ]
    files = {"early.py": EARLY, "test_causes.py": "\n\n".join([HEAD, *tests])}
    return run_suite(tmp_path_factory.mktemp("causes"), files)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_text_names_the_cause(run: Run, cause: str) -> None:
    """In at most fifteen lines."""
    result = run.tests[name(cause)]
    text = [line[4:] for line in result.text.splitlines() if line.startswith("E   ")]

    assert result.outcome == "failed", run.out
    assert CAUSES[cause][1] in "\n".join(text)
    assert 1 < len(text) <= 15


def test_only_what_differs_is_shown(run: Run) -> None:
    """Of the nearest call."""
    text = run.tests["test_it_has_another_payload"].text

    assert "price: expected 13.99, was 14.99" in text
    assert "customer: expected" not in text
