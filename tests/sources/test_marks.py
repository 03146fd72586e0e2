"""What a captured line shows, and that a line that shows it is not captured again."""

from __future__ import annotations

import json
import logging
import logging.handlers
import marshal
import pickle
import queue
import threading
from collections.abc import Callable
from typing import Any

import loguru
import msgspec
import orjson
import pytest
import structlog
import yaml

from cio_events import signals
from cio_events._calls.call import Identifier
from cio_events._calls.messages import SendEmail, SendInApp
from cio_events._calls.people import Identify, Merge, Track, TrackAnonymous
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.fields import MARKS
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, LONG, Arrivals
from tests.sources.ways import SOURCES, Log

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
Source = Callable[[Pipeline], Log]


@each_source
def test_a_captured_line_shows_the_id_as_plain_text(
    source: Source, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Which any renderer, and any process, can read."""
    line = source(pipeline)("purchase", cio_customer="5", price=1)

    assert type(line["cio_event_id"]) is str
    assert line["cio_event_id"] == arrivals.event().id
    assert "cio_refused" not in line
    assert b"cio_events" not in pickle.dumps(line["cio_event_id"])


class Text(str):
    """What renderers that are strict about types refuse."""

    __slots__ = ()


RENDERERS: dict[str, Callable[[Any], Any]] = {
    "msgspec": msgspec.json.encode,
    "MessagePack": msgspec.msgpack.encode,
    "orjson": lambda line: orjson.dumps(
        line, option=orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS
    ),
    "YAML": yaml.safe_dump,
    "pickle": pickle.dumps,
    "marshal": marshal.dumps,
    "repr": repr,
}


@each_source
@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("sent", {"cio_customer": "5", "price": 1}),
        ("identified", {"cio": "identify", "cio_customer": "5", "plan": "pro"}),
        ("refused", {"cio_customer": ""}),
        ("an object", {"cio": Track("5", "x", {"price": 1})}),
        ("a merge", {"cio": Merge("5", Identifier("6", "email"))}),
        ("a message", {"cio": SendInApp(identifiers="5", transactional_message_id=3)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_renderer_can_render_the_line(
    source: Source, event: str, fields: dict[str, Any], pipeline: Pipeline
) -> None:
    """Strict ones above all; and a process without this package can read it."""
    line = source(pipeline)(event, **fields)

    shown = {key: value for key, value in line.items() if key in fields or key.startswith("cio")}
    assert not MARKS.isdisjoint(shown)
    for name, render in RENDERERS.items():
        rendered = render(shown)
        assert b"cio_events" not in (rendered if isinstance(rendered, bytes) else b""), name
    with pytest.raises(TypeError):
        RENDERERS["orjson"]({**shown, "cio_event_id": Text("x")})


@each_source
def test_a_refused_line_shows_the_reason(
    source: Source, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """So that it does not look like one that was sent."""
    log = source(pipeline)

    assert log("purchase", cio_customer="")["cio_refused"] == "invalid"
    assert log("purchase", cio_customer="x" * 151)["cio_refused"] == "too_large"
    assert "cio_event_id" not in log("purchase", cio_customer=None)
    assert arrivals.balance() == (0, 3, 0)


@each_source
def test_a_dropped_line_shows_the_reason(source: Source, sandbox: Sandbox) -> None:
    """As the ledger has it."""
    with Pipeline(**CREDENTIALS, track_url=sandbox.url, before_send=lambda call: None) as pipeline:
        assert source(pipeline)("x", cio_customer="5")["cio_refused"] == "before_send"
        assert pipeline.stats().dropped_by_reason == {"before_send": 1}


@each_source
@pytest.mark.parametrize("mark", ["cio_event_id", "cio_refused"])
def test_a_line_that_is_read_back_is_not_captured_again(
    source: Source, mark: str, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Whoever wrote the mark there, and whatever it holds."""
    log = source(pipeline)
    first = log("purchase", cio_customer="5", price=1)
    for value in (first["cio_event_id"], None, "", 5):
        log("purchase", **json.loads(json.dumps({"cio_customer": "5", "price": 1, mark: value})))

    assert arrivals.balance() == (1, 0, 0)


@each_source
@pytest.mark.parametrize(
    "call",
    [
        Track("5", "x", {"secret": 1}),
        Identify("5", {"secret": 1}),
        Merge("5", "6"),
        SendEmail(to="secret@b.c", identifiers="5", transactional_message_id=3),
    ],
    ids=repr,
)
def test_a_call_object_is_replaced_by_tags(
    source: Source, call: Any, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Whatever it has or lacks: any renderer can print the line, and nothing raises."""
    line = source(pipeline)("a line", cio=call)

    tags = {key: value for key, value in line.items() if key.startswith("cio")}
    assert json.loads(json.dumps(tags)) == tags
    assert tags["cio"] == call.tag
    assert "secret" not in json.dumps(tags)
    assert sum(arrivals.balance()) == 1


@pytest.mark.parametrize("kind", [Track, SendEmail, Merge, TrackAnonymous])
def test_a_call_object_that_lacks_all_is_replaced_too(kind: Any, pipeline: Pipeline) -> None:
    """One that was made past its checks."""
    event_dict = {"event": "x", "cio": object.__new__(kind)}

    CustomerIOProcessor(pipeline)(None, "info", event_dict)

    assert json.dumps(event_dict)
    assert "cio_refused" in event_dict


def test_a_dictionary_of_the_application_can_be_logged_again(
    pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """The record shows the mark, and the dictionary stays as it was."""
    app = logging.Logger("app")
    app.addHandler(CustomerIOHandler(pipeline))
    app.addHandler(CustomerIOHandler(pipeline))
    message = {"event": "purchase", "cio_customer": "5", "price": 1}

    app.warning(message)
    app.warning(message)

    assert message == {"event": "purchase", "cio_customer": "5", "price": 1}
    assert [event.data for event in arrivals.events()] == [{"price": 1}] * 2


class Queue:
    """
    Lines that another thread hands to the handler: by *log*, and all of them once it is *drained*.
    """

    def __init__(self, handler: CustomerIOHandler) -> None:
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self.app = logging.Logger("app")
        self.app.addHandler(logging.handlers.QueueHandler(records))
        self._listener = logging.handlers.QueueListener(records, handler)
        self._listener.start()

    def log(self, event: str, **fields: Any) -> None:
        """A line of logging."""
        self.app.warning(event, extra=fields)

    def drained(self) -> None:
        """Wait until the handler has seen all, and end."""
        self._listener.stop()


class QueueOfStructlog(Queue):
    def log(self, event: str, **fields: Any) -> None:
        """A line of structlog's, whose fields go to logging."""
        processors = [structlog.stdlib.render_to_log_kwargs]
        structlog.wrap_logger(self.app, processors=processors).warning(event, **fields)


class QueueOfLoguru(Queue):
    def __init__(self, handler: CustomerIOHandler) -> None:
        loguru.logger.remove()
        loguru.logger.add(self.sink(handler), enqueue=True, catch=False, format="{message}")

    def sink(self, handler: CustomerIOHandler) -> Any:
        """What loguru's own thread writes to."""
        return handler

    def log(self, event: str, **fields: Any) -> None:
        """A line of loguru's."""
        loguru.logger.bind(**fields).warning(event)

    def drained(self) -> None:
        """Wait until the sink has seen all, and end."""
        loguru.logger.complete()
        loguru.logger.remove()


class QueueOfLoguruToLogging(QueueOfLoguru):
    def sink(self, handler: CustomerIOHandler) -> Any:
        """Records of logging, as loguru's page about it propagates them."""

        class Propagate(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                handler.handle(record)

        return Propagate()


@pytest.mark.parametrize("way", [Queue, QueueOfStructlog, QueueOfLoguru, QueueOfLoguruToLogging])
class TestOverQueues:
    """What is ours stays ours behind a queue, where another thread looks at it."""

    @pytest.mark.parametrize("signal", ["sent", "failed"])
    def test_what_receivers_log_is_not_captured(
        self, way: Callable[[CustomerIOHandler], Queue], signal: str, sandbox: Sandbox
    ) -> None:
        """It would make a new call for each call, and never end."""
        heard = threading.Event()
        who = "5" if signal == "sent" else ""

        def receive(_: object, **__: object) -> None:
            lines.log("heard", cio_customer=who)
            heard.set()

        with Pipeline(**CREDENTIALS, track_url=sandbox.url, flush_interval=0) as pipeline:
            lines = way(CustomerIOHandler(pipeline))
            with getattr(signals, signal).connected_to(receive, sender=pipeline):
                lines.log("x", cio_customer=who)
                assert heard.wait(LONG)
                assert pipeline.flush(LONG)
                lines.drained()
                assert pipeline.flush(LONG)
            assert pipeline.stats().received == 1

    def test_what_before_send_logs_is_not_captured(
        self, way: Callable[[CustomerIOHandler], Queue], sandbox: Sandbox
    ) -> None:
        """On the caller's thread; what is logged there by others is."""

        def before_send(call: Any) -> Any:
            lines.log("filtered", cio_customer="5", cio_event="filtered")
            return call

        with Pipeline(
            **CREDENTIALS, track_url=sandbox.url, flush_interval=0, before_send=before_send
        ) as pipeline:
            lines = way(CustomerIOHandler(pipeline))
            pipeline.track("5", "x")
            lines.log("y", cio_customer="5", cio_event="y")
            lines.drained()
            events = Arrivals(sandbox, pipeline).events()
            assert [event.name for event in events] == ["x", "y"]
