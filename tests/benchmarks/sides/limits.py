"""The limits: what could be had if the library did nothing itself."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import requests

from tests.benchmarks.event import NAME, Event
from tests.benchmarks.sides.side import Opened, Side, opened_processor

# Customer.io takes 500 kB; clients leave some room.
_BODY_BYTES = 480_000

_ULID = "01J9ZZZZZZ0123456789ABCDEF"
_NOW = 1_760_000_000


def operation_of(event: Event) -> bytes:
    """The event as Customer.io's batch wants it."""
    operation = orjson.dumps(
        {
            "type": "person",
            "identifiers": {"id": event.customer},
            "action": "event",
            "name": NAME,
            "id": _ULID,
            "timestamp": _NOW,
            "attributes": event.properties,
        }
    )
    # A copy, since orjson's own results keep kilobytes of spare room.
    return b"%b" % operation


def _bodies_of(operations: list[bytes]) -> list[bytes]:
    bodies, batch, size = [], list[bytes](), 0
    for operation in operations:
        if size + len(operation) > _BODY_BYTES:
            bodies.append(b'{"batch":[%b]}' % b",".join(batch))
            batch, size = [], 0
        batch.append(operation)
        size += len(operation) + 1
    if batch:
        bodies.append(b'{"batch":[%b]}' % b",".join(batch))
    return bodies


def _ready_made_bodies(url: str, _directory: Path) -> Opened:
    """Bodies of 480 kB that are ready before the clock starts, posted in a loop."""
    session = requests.Session()
    operations: list[bytes] = []
    bodies: list[bytes] = []

    def settle() -> None:
        bodies.extend(_bodies_of(operations))
        operations.clear()

    def flush() -> None:
        for body in bodies:
            response = session.post(
                f"{url}/api/v2/batch",
                data=body,
                headers={"Content-Type": "application/json"},
                auth=("site", "key"),
            )
            response.raise_for_status()
        bodies.clear()

    return Opened(lambda event: operations.append(operation_of(event)), flush=flush, settle=settle)


def opened_insert(directory: Path) -> Opened:
    """A bare insert of the operation, each its own transaction."""
    connection = sqlite3.connect(
        directory / "bare.sqlite", isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, body BLOB)")

    def call(operation: bytes) -> None:
        connection.execute("INSERT INTO events (body) VALUES (?)", (operation,))

    return Opened(call, make=operation_of)


def _nothing(
    _logger: object, _name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return event_dict


class _Nothing:
    """A processor that does nothing, as an object: what structlog's own mostly are."""

    def __call__(
        self, logger: object, name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        return event_dict


class _NothingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        pass


def opened_handler(handler: logging.Handler) -> Opened:
    """A handler of `logging` that gets untagged records."""
    handle = handler.handle

    def make(event: Event) -> logging.LogRecord:
        made = logging.LogRecord("shop", logging.INFO, __file__, 1, NAME, (), None)
        made.__dict__.update(event.properties)
        return made

    def loop(block: Sequence[logging.LogRecord]) -> None:
        for made in block:
            handle(made)

    return Opened(handle, make=make, loop=loop)


SIDES = (
    Side("ready-made bodies", _ready_made_bodies, packages=("requests", "urllib3")),
    Side("sqlite insert", lambda _url, directory: opened_insert(directory), delivers=False),
    Side(
        "json.dumps",
        lambda _url, _dir: Opened(lambda event: json.dumps(event.properties)),
        delivers=False,
    ),
    Side("nothing (function)", lambda _url, _dir: opened_processor(_nothing), delivers=False),
    Side("nothing (object)", lambda _url, _dir: opened_processor(_Nothing()), delivers=False),
    Side(
        "nothing (handler)",
        lambda _url, _dir: opened_handler(_NothingHandler()),
        delivers=False,
    ),
)
