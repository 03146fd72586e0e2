"""The library, in each way that an application may use it, and the same log lines without it."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import structlog

from tests.benchmarks.event import NAME, Event
from tests.benchmarks.sides.limits import opened_handler, opened_insert, operation_of
from tests.benchmarks.sides.side import HOLD_TIMEOUT, QUEUE, Opened, Side, opened_processor

SPOOLED = "Pipeline.track, spool"
RECOVERED = "a spool taken over"

_SPOOL = "spool.sqlite"


def _library() -> Any:
    # Not imported above: how long importing it takes, and what it needs, is measured elsewhere.
    return importlib.import_module("cio_events")


def _pipeline(url: str, **options: Any) -> Any:
    return _library().Pipeline(
        site_id="site", api_key="key", track_url=url, timeout=HOLD_TIMEOUT, **options
    )


def _roomy_pipeline(url: str, spool: Path | None = None) -> Any:
    return _pipeline(url, spool=spool, max_pending=QUEUE, max_pending_bytes=QUEUE * 1_000)


def _opened(pipeline: Any, call: Callable[[Event], object]) -> Opened:
    def flush() -> None:
        if not pipeline.flush(HOLD_TIMEOUT):
            raise RuntimeError(f"not all was delivered: {pipeline.stats()}")

    return Opened(call, flush=flush)


def _opened_track(pipeline: Any) -> Opened:
    def call(event: Event) -> None:
        pipeline.track(event.customer, NAME, event.properties)

    return _opened(pipeline, call)


def _track(url: str, _directory: Path) -> Opened:
    return _opened_track(_roomy_pipeline(url))


def _spooled_track(url: str, directory: Path) -> Opened:
    return _opened_track(_roomy_pipeline(url, directory / _SPOOL))


def _recovered(url: str, directory: Path) -> Opened:
    """What another process has left, taken over with the options' defaults."""
    return _opened_track(_pipeline(url, spool=directory / _SPOOL))


def _standard(ours: Sequence[Any]) -> Callable[[Event], None]:
    """
    A line of structlog, set up as its documentation does for JSON in production, *ours* put in.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *ours,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(Path(os.devnull).open("w")),  # noqa: SIM115
        cache_logger_on_first_use=True,
    )
    return _line(structlog.get_logger())


def _fast(ours: Sequence[Any]) -> Callable[[Event], None]:
    """A line of structlog, set up as its documentation's page about performance does."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *ours,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(Path(os.devnull).open("wb")),  # noqa: SIM115
        cache_logger_on_first_use=True,
    )
    return _line(structlog.get_logger())


def _line(log: Any) -> Callable[[Event], None]:
    def call(event: Event) -> None:
        log.info(NAME, cio_customer=event.customer, **event.properties)

    return call


def _structlog(url: str, _directory: Path) -> Opened:
    pipeline = _roomy_pipeline(url)
    return _opened(pipeline, _standard([_library().CustomerIOProcessor(pipeline)]))


def _spooled_structlog(url: str, directory: Path) -> Opened:
    pipeline = _roomy_pipeline(url, directory / _SPOOL)
    return _opened(pipeline, _standard([_library().CustomerIOProcessor(pipeline)]))


def _fast_structlog(url: str, _directory: Path) -> Opened:
    pipeline = _roomy_pipeline(url)
    return _opened(pipeline, _fast([_library().CustomerIOProcessor(pipeline)]))


def _logging_line(ours: Sequence[logging.Handler]) -> Callable[[Event], None]:
    log = logging.getLogger("shop")
    log.propagate = False
    log.setLevel(logging.INFO)
    written = logging.StreamHandler(Path(os.devnull).open("w"))  # noqa: SIM115
    written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for handler in (*ours, written):
        log.addHandler(handler)

    def call(event: Event) -> None:
        log.info(NAME, extra={"cio_customer": event.customer, **event.properties})

    return call


def _logging(url: str, _directory: Path) -> Opened:
    pipeline = _roomy_pipeline(url)
    return _opened(pipeline, _logging_line([_library().CustomerIOHandler(pipeline)]))


def _processor(url: str, _directory: Path) -> Opened:
    return opened_processor(_library().CustomerIOProcessor(_roomy_pipeline(url)))


def _handler(url: str, _directory: Path) -> Opened:
    return opened_handler(_library().CustomerIOHandler(_roomy_pipeline(url)))


def _ours(name: str, open_: Callable[[str, Path], Opened], *, delivers: bool = True) -> Side:
    return Side(
        name,
        open_,
        needs=("cio_events",),
        packages=("cio-events", "orjson", "requests", "structlog", "urllib3"),
        delivers=delivers,
    )


def _alone(name: str, line: Callable[[Sequence[Any]], Callable[[Event], None]]) -> Side:
    return Side(name, lambda _url, _dir: Opened(line([])), packages=("structlog",), delivers=False)


def _line_and_insert(_url: str, directory: Path) -> Opened:
    """The line alone, and behind it the bare insert of an operation that is ready."""
    line, insert = _standard([]), opened_insert(directory).call

    def call(made: tuple[Event, bytes]) -> None:
        event, operation = made
        line(event)
        insert(operation)

    return Opened(call, make=lambda event: (event, operation_of(event)))


SIDES = (
    _ours("structlog", _structlog),
    _ours("structlog, spool", _spooled_structlog),
    _ours("structlog (fast set-up)", _fast_structlog),
    _alone("structlog alone", _standard),
    _alone("structlog alone (fast set-up)", _fast),
    Side(
        "structlog alone, sqlite insert", _line_and_insert, packages=("structlog",), delivers=False
    ),
    _ours("logging", _logging),
    _alone("logging alone", _logging_line),
    _ours("Pipeline.track", _track),
    _ours(SPOOLED, _spooled_track),
    _ours(RECOVERED, _recovered),
    _ours("CustomerIOProcessor", _processor, delivers=False),
    _ours("CustomerIOHandler", _handler, delivers=False),
)
