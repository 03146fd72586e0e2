"""However the two sources are installed, a record is taken exactly once."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import structlog
from structlog.processors import JSONRenderer
from structlog.stdlib import (
    ExtraAdder,
    ProcessorFormatter,
    add_log_level,
    add_logger_name,
    render_to_log_kwargs,
)

from cio_events._calls.people import Track
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.errors import CustomerIOWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import Processor

    from cio_events._pipeline.pipeline import Pipeline
    from tests.sources.arrivals import Arrivals


class Lines(logging.Handler):
    """A handler that formats, and keeps the lines."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its line."""
        self.lines.append(self.format(record))


class Installation(NamedTuple):
    """An application's logging: a structlog and a stdlib logger, and all its lines."""

    structlog: Any
    stdlib: logging.Logger
    outputs: list[Lines]


WRAP = ProcessorFormatter.wrap_for_formatter
META = ProcessorFormatter.remove_processors_meta


def formatter(
    *processors: Processor, foreign: list[Processor] | None = None
) -> ProcessorFormatter:
    """A formatter that runs these before it renders JSON."""
    return ProcessorFormatter(
        processors=[*processors, META, JSONRenderer()],
        foreign_pre_chain=foreign if foreign is not None else [ExtraAdder()],
    )


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The application's root logger, of a tree that is its own."""
    root = logging.getLogger("shop")
    root.setLevel(logging.DEBUG)
    root.propagate = False
    yield root
    for logger in (root, logging.getLogger("shop.cart")):
        logger.handlers.clear()
        logger.propagate = True


def install(
    root: logging.Logger, chain: list[Processor], *handlers: logging.Handler
) -> Installation:
    """These handlers on the root, and a child logger in both libraries."""
    for handler in handlers:
        root.addHandler(handler)
    child = logging.getLogger("shop.cart")
    log = structlog.wrap_logger(
        child, processors=chain, wrapper_class=structlog.stdlib.BoundLogger
    )
    return Installation(log, child, [h for h in handlers if isinstance(h, Lines)])


def processor_and_handler(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """Both sources, and the processor comes first."""
    return install(
        root,
        [add_log_level, CustomerIOProcessor(pipeline), WRAP],
        CustomerIOHandler(pipeline),
        Lines(formatter()),
    )


def handler_last(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """Both sources, with an output before the handler."""
    return install(
        root,
        [add_log_level, CustomerIOProcessor(pipeline), WRAP],
        Lines(formatter()),
        CustomerIOHandler(pipeline),
    )


def processor_and_handler_and_kwargs(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """Both sources, where logging formats."""
    return install(
        root,
        [CustomerIOProcessor(pipeline), render_to_log_kwargs],
        CustomerIOHandler(pipeline),
        Lines(formatter()),
    )


def processor_and_handler_and_rendered(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """Both sources, where structlog renders."""
    return install(
        root,
        [CustomerIOProcessor(pipeline), JSONRenderer()],
        CustomerIOHandler(pipeline),
        Lines(formatter()),
    )


def handler_on_child_and_root(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """The same record reaches two handlers."""
    logging.getLogger("shop.cart").addHandler(CustomerIOHandler(pipeline))
    return install(root, [add_log_level, WRAP], CustomerIOHandler(pipeline), Lines(formatter()))


def handler_alone_with_kwargs(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """The same, where logging formats."""
    logging.getLogger("shop.cart").addHandler(CustomerIOHandler(pipeline))
    return install(root, [render_to_log_kwargs], CustomerIOHandler(pipeline), Lines(formatter()))


def processor_in_chain_and_formatter(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """The processor sees each event twice, then the handler does."""
    return install(
        root,
        [add_log_level, CustomerIOProcessor(pipeline), WRAP],
        Lines(formatter(CustomerIOProcessor(pipeline))),
        CustomerIOHandler(pipeline),
    )


def processor_in_formatter_alone(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """The processor sees a copy of the event, the handler the original."""
    return install(
        root,
        [add_log_level, WRAP],
        Lines(formatter(CustomerIOProcessor(pipeline))),
        CustomerIOHandler(pipeline),
    )


def handler_before_processor_in_formatter(
    root: logging.Logger, pipeline: Pipeline
) -> Installation:
    """The handler sees the original, the processor a copy."""
    return install(
        root,
        [add_log_level, WRAP],
        CustomerIOHandler(pipeline),
        Lines(formatter(CustomerIOProcessor(pipeline))),
    )


def formatter_of_two_handlers(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """The processor sees two copies of one event."""
    shared = formatter(CustomerIOProcessor(pipeline))
    return install(
        root, [add_log_level, WRAP], Lines(shared), Lines(shared), CustomerIOHandler(pipeline)
    )


def shared_pre_chain(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """The processor sees each record of logging twice as well, as a copy."""
    shared: list[Processor] = [
        add_log_level,
        add_logger_name,
        ExtraAdder(),
        CustomerIOProcessor(pipeline),
    ]
    return install(
        root,
        [*shared, WRAP],
        Lines(formatter(foreign=shared)),
        CustomerIOHandler(pipeline),
        Lines(formatter(foreign=shared)),
    )


def behind_a_queue(root: logging.Logger, pipeline: Pipeline) -> Installation:
    """Where a structlog event would be destroyed, if the processor had not taken it."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, CustomerIOHandler(pipeline))

    class AtOnce(logging.handlers.QueueHandler):
        """Has the listener handle each record before the log call returns."""

        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            listener.handle(records.get())

    return install(
        root,
        [add_log_level, CustomerIOProcessor(pipeline), WRAP],
        Lines(formatter()),
        AtOnce(records),
    )


INSTALLATIONS = [
    processor_and_handler,
    handler_last,
    processor_and_handler_and_kwargs,
    processor_and_handler_and_rendered,
    handler_on_child_and_root,
    handler_alone_with_kwargs,
    processor_in_chain_and_formatter,
    processor_in_formatter_alone,
    handler_before_processor_in_formatter,
    formatter_of_two_handlers,
    shared_pre_chain,
    behind_a_queue,
]

each_installation = pytest.mark.parametrize(
    "installed", INSTALLATIONS, ids=lambda make: make.__name__
)
Install = Callable[[logging.Logger, "Pipeline"], Installation]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the package has said of itself."""
    return [record.getMessage() for record in caplog.records if record.name == "cio_events"]


@each_installation
def test_each_event_is_taken_once(
    installed: Install,
    root: logging.Logger,
    pipeline: Pipeline,
    arrivals: Arrivals,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From structlog and from logging, with nothing but its own data."""
    log, stdlib, outputs = installed(root, pipeline)

    log.info("purchase", cio_customer="5", price=13.99)
    stdlib.info("signup", extra={"cio_customer": "6", "plan": "pro"})
    log.info("untagged", price=1)
    stdlib.info("untagged", extra={"plan": "pro"})

    assert [(event.customer, event.name, event.data) for event in arrivals.events()] == [
        ("5", "purchase", {"price": 13.99}),
        ("6", "signup", {"plan": "pro"}),
    ]
    assert arrivals.balance() == (2, 0, 0)
    assert all(len(output.lines) == 4 for output in outputs)
    assert said(caplog) == []


@each_installation
def test_each_refused_record_is_counted_once(
    installed: Install, root: logging.Logger, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """As if it had been taken."""
    log, stdlib, _ = installed(root, pipeline)

    log.info("purchase", cio_customer="")
    stdlib.info("signup", extra={"cio_customer": None})

    assert arrivals.balance() == (0, 2, 0)


@each_installation
def test_each_call_object_is_taken_once(
    installed: Install, root: logging.Logger, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """And nobody tries to render it."""
    log, stdlib, _ = installed(root, pipeline)

    log.info("an order", cio=Track("5", "purchase", {"price": 1}))
    stdlib.info("a signup", extra={"cio": Track("6", "signup")})

    assert [(event.customer, event.name, event.data) for event in arrivals.events()] == [
        ("5", "purchase", {"price": 1}),
        ("6", "signup", {}),
    ]


@pytest.mark.parametrize(
    "installed",
    [processor_and_handler, processor_in_chain_and_formatter, shared_pre_chain],
    ids=lambda make: make.__name__,
)
def test_the_line_shows_the_id(
    installed: Install, root: logging.Logger, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """In every output that is written after the record was taken."""
    log, _, outputs = installed(root, pipeline)

    log.info("purchase", cio_customer="5")

    event_id = arrivals.event().id
    assert all(f'"cio_event_id": "{event_id}"' in output.lines[0] for output in outputs)


def test_a_record_of_logging_without_a_handler_is_said_once(
    root: logging.Logger,
    pipeline: Pipeline,
    arrivals: Arrivals,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The processor leaves it alone, and it would end silently otherwise."""
    shared: list[Processor] = [ExtraAdder(), CustomerIOProcessor(pipeline)]
    log, stdlib, _ = install(root, [*shared, WRAP], Lines(formatter(foreign=shared)))

    log.info("purchase", cio_customer="5")
    assert said(caplog) == []
    # Not logged, as the formatter runs while its handler holds a lock.
    with pytest.warns(CustomerIOWarning, match="CustomerIOHandler"):
        stdlib.info("signup", extra={"cio_customer": "6"})
    stdlib.info("signup", extra={"cio_customer": "6"})
    assert arrivals.event().name == "purchase"
