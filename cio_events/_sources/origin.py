"""Say which record it is that has a mistake: its event, its logger, and the line of code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any

from cio_events._process.callers import calling_frame
from cio_events._process.diagnostics import place, shown
from cio_events._sources.fields import OF_LOG_RECORDS
from cio_events._wire.masking import masked

_NAME_SHOWN = 100

# Looking for them takes time, which a record must not have without end.
_TEXTS_READ = 100
_TEXT_READ = 200

# What is no value of the record's, or is named itself.
_NO_VALUES = OF_LOG_RECORDS | {"event", "logger", "cio", "cio_event", "cio_id_type"}


def origin_of(event: object, fields: Mapping[Any, Any], source: object) -> str:
    """
    ``record "purchase" of shop.cart, cart.py:17``, as far as it is known.

    Args:
        event: The record's message. What it has of the record's values is masked. None where it
            may have values that cannot be told from the rest.

        fields: The record's keys or attributes.

        source: The record of logging, or the logger that structlog has wrapped.
    """
    # Nothing of the application's own types is compared, since that may raise.
    own = event if type(event) is str else None
    texts = (
        value[:_TEXT_READ]
        for key, value in fields.items()
        if type(value) is str and type(key) is str and key not in _NO_VALUES and value != own
    )
    name = "" if event is None else f" {event_name(event, list(islice(texts, _TEXTS_READ)))}"
    logger, line = _of_record(source) if _is_record(source) else _of_line(source, fields)
    parts = [f"record{name} of {shown(logger)}" if logger else f"record{name}"]
    if line:
        parts.append(line)
    return ", ".join(parts)


def event_name(event: object, values: list[str]) -> str:
    """A record's *event*, in which nothing personal is to be read."""
    if type(event) is not str:
        return f"<{type(event).__name__}>"
    return f'"{masked(event, values, _NAME_SHOWN)}"'


def _is_record(source: object) -> bool:
    return issubclass(type(source), logging.LogRecord)


def _of_record(record: Any) -> tuple[str, str]:
    name, path, line = record.name, record.pathname, record.lineno
    known = type(path) is str and type(line) is int and line
    return name if type(name) is str else "", place(path, line) if known else ""


def _of_line(logger: object, fields: Mapping[Any, Any]) -> tuple[str, str]:
    frame = calling_frame()
    name = fields.get("logger")
    if issubclass(type(logger), logging.Logger):
        name = logger.name  # type: ignore[attr-defined]
    if type(name) is not str:
        name = frame.f_globals.get("__name__") if frame is not None else ""
    return str(name), place(frame.f_code.co_filename, frame.f_lineno) if frame is not None else ""
