"""A handler beside a queue and one behind it: each line is captured once, whoever is first."""

from __future__ import annotations

import itertools
import logging
import logging.handlers
import pickle
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import loguru
import pytest

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources import copies
from cio_events._sources.logging import CustomerIOHandler
from tests.sources.arrivals import Arrivals

COUNT = 3


class Pickling(logging.handlers.QueueHandler):
    """As a queue between processes has it."""

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put a copy that shares nothing."""
        self.queue.put_nowait(pickle.loads(pickle.dumps(record)))


class Passing(logging.handlers.QueueHandler):
    """As many have it, who want their arguments at the other end."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Put the record itself."""
        return record


@contextmanager
def behind(kind: type[logging.handlers.QueueHandler], *handlers: logging.Handler) -> Iterator[Any]:
    """A handler of that *kind* in front of a queue, and these behind it."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, *handlers)
    listener.start()
    try:
        yield kind(records)
    finally:
        listener.stop()


def lines(app: logging.Logger) -> None:
    """Of one place, and one that others have too."""
    for number in range(COUNT):
        app.warning("x", extra={"cio_customer": "5", "number": number})


def numbers(arrivals: Arrivals) -> list[Any]:
    """Which of the lines have arrived, as often as they have."""
    return sorted(event.data["number"] for event in arrivals.events())


kinds = pytest.mark.parametrize("kind", [logging.handlers.QueueHandler, Pickling, Passing])


@kinds
@pytest.mark.parametrize("first", ["beside", "behind"])
@pytest.mark.parametrize("same", [False, True], ids=["two handlers", "one handler"])
def test_beside_and_behind_a_queue(
    kind: Any, first: str, same: bool, app: logging.Logger, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """In whichever order they stand, and also if it is one handler that stands twice."""
    one = CustomerIOHandler(pipeline)
    two = one if same else CustomerIOHandler(pipeline)
    with behind(kind, two) as queued:
        for handler in (one, queued) if first == "beside" else (queued, one):
            app.addHandler(handler)
        lines(app)

    assert numbers(arrivals) == list(range(COUNT))


@kinds
def test_behind_two_queues(
    kind: Any, app: logging.Logger, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Each has its own copy of every line."""
    with (
        behind(kind, CustomerIOHandler(pipeline)) as one,
        behind(kind, CustomerIOHandler(pipeline)) as two,
    ):
        app.addHandler(one)
        app.addHandler(two)
        lines(app)

    assert numbers(arrivals) == list(range(COUNT))


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still, as in a test that has frozen it."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: int(now * 1e9))


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("queues", [0, 1, 2])
def test_lines_of_a_clock_that_stands_still_are_several(
    queues: int, app: logging.Logger, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Each is sent, and once."""
    kind = logging.handlers.QueueHandler
    with (
        behind(kind, CustomerIOHandler(pipeline)) as one,
        behind(kind, CustomerIOHandler(pipeline)) as two,
    ):
        for handler in (one, two)[:queues]:
            app.addHandler(handler)
        app.addHandler(CustomerIOHandler(pipeline))
        lines(app)

    assert numbers(arrivals) == list(range(COUNT))


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("queued", [False, True])
def test_another_handler_s_lines_are_others(
    queued: bool, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Those of the next test, for example, at the same stopped time."""
    for _ in range(2):
        app = logging.Logger("app", logging.DEBUG)
        handler = CustomerIOHandler(pipeline)
        with behind(logging.handlers.QueueHandler, handler) as queue_handler:
            app.addHandler(queue_handler if queued else handler)
            lines(app)

    assert numbers(arrivals) == sorted([*range(COUNT), *range(COUNT)])


@pytest.mark.parametrize("order", [*itertools.product([False, True], repeat=2)], ids=str)
def test_loguru(order: tuple[bool, bool], pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Its own queue, beside a sink or another queue."""
    loguru.logger.remove()
    for enqueue in order:
        loguru.logger.add(CustomerIOHandler(pipeline), enqueue=enqueue)  # type: ignore[arg-type]
    for number in range(COUNT):
        loguru.logger.info("x", cio_customer="5", number=number)
    loguru.logger.complete()
    loguru.logger.remove()

    assert numbers(arrivals) == list(range(COUNT))


def test_a_refused_line_is_counted_once(
    app: logging.Logger, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """As a captured one is."""
    with behind(logging.handlers.QueueHandler, CustomerIOHandler(pipeline)) as queued:
        app.addHandler(queued)
        app.addHandler(CustomerIOHandler(pipeline))
        app.warning("x", extra={"cio_customer": ""})

    assert arrivals.balance() == (0, 1, 0)


def made(**attributes: Any) -> logging.LogRecord:
    """A record with these attributes."""
    return logging.makeLogRecord({"name": "app", "created": 1.5, **attributes})


def test_what_is_remembered_has_a_bound() -> None:
    """And is remembered for thousands of lines."""
    first = made(created=0.5)
    assert copies.is_original(first, "beside")
    for number in range(3_000):
        assert copies.is_original(made(created=float(number + 1)), "beside")
    assert not copies.is_original(first, "behind")
    for number in range(3_000, 30_000):
        assert copies.is_original(made(created=float(number + 1)), "beside")

    assert sum(map(len, copies._seen)) < 3 * copies._REMEMBERED


class Odd(str):
    __slots__ = ()

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


@pytest.mark.parametrize("odd", [{"created": None}, {"name": Odd("app")}, {"created": 5}], ids=str)
def test_a_record_of_an_application_s_own_making_is_no_copy(odd: dict[str, Any]) -> None:
    """It could be equal to anything, or to nothing."""
    assert copies.is_original(made(**odd), "beside")
    assert copies.is_original(made(**odd), "behind")
