"""logging's source, as applications configure it."""

from __future__ import annotations

import copy
import logging
import logging.config
import logging.handlers
import multiprocessing
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars
from structlog.stdlib import ProcessorFormatter

from cio_events._calls.people import Track
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from tests.sources.arrivals import CREDENTIALS, LONG, Arrivals
from tests.sources.records import Kept, Unprintable

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox


ROOT = logging.getLogger()


class TestTakes:
    def test_extra(self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger) -> None:
        """The rest of what extra holds is the data; the record shows the event's id."""
        kept = Kept()
        app.addHandler(CustomerIOHandler(pipeline))
        app.addHandler(kept)

        try:
            raise ValueError("x")
        except ValueError:
            app.exception("purchase", extra={"cio_customer": "5", "price": 13.99}, stack_info=True)

        event = arrivals.event()
        assert (event.customer, event.name, event.data) == ("5", "purchase", {"price": 13.99})
        (record,) = kept.records
        assert type(record.cio_event_id) is str  # type: ignore[attr-defined]
        assert logging.Formatter("%(cio_event_id)s").format(record).startswith(str(event.id))

    def test_untagged_records_are_left_alone(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """Whatever they look like."""
        kept = Kept()
        app.addHandler(CustomerIOHandler(pipeline))
        app.addHandler(kept)

        app.info("hello %s", "world", extra={"cio_identity": "5", "cio_event": "x"})
        app.info(None)

        assert arrivals.balance() == (0, 0, 0)
        assert not any(hasattr(record, "cio_event_id") for record in kept.records)

    def test_the_name_is_the_template(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """The message is never formatted for it."""
        app.addHandler(CustomerIOHandler(pipeline))

        app.info("bought %s", Unprintable(), extra={"cio_customer": "5"})
        app.info("%d%%", "no number", extra={"cio_customer": "5"})
        app.info(Unprintable(), extra={"cio_customer": "5", "cio_event": "purchase"})

        names = [event.name for event in arrivals.events()]
        assert names == ["bought %s", "%d%%", "purchase"]

    def test_a_message_that_is_no_text_needs_a_name(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """It is counted as invalid."""
        app.addHandler(CustomerIOHandler(pipeline))

        app.info(Unprintable(), extra={"cio_customer": "5"})
        app.info({"event": "purchase"}, extra={"cio_customer": "5"})

        assert pipeline.stats().failed_by_reason == {"invalid": 2}

    def test_adapters(self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger) -> None:
        """A LoggerAdapter's context is as good as extra."""
        app.addHandler(CustomerIOHandler(pipeline))
        adapter = logging.LoggerAdapter(app, {"cio_identity": "5", "shop": "main"})

        adapter.info("hello")
        app.info("purchase", extra={**(adapter.extra or {}), "cio": "track"})
        logging.LoggerAdapter(app, {"cio_customer": "6"}).info("signup")

        assert [(event.customer, event.name, event.data) for event in arrivals.events()] == [
            ("5", "purchase", {"shop": "main"}),
            ("6", "signup", {}),
        ]

    def test_the_context_of_structlog(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """It names who; what it has bound is not sent."""
        app.addHandler(CustomerIOHandler(pipeline))

        with bound_contextvars(cio_identity="5", ip="10.0.0.1"):
            app.info("purchase", extra={"cio": "track", "price": 1})

        event = arrivals.event()
        assert (event.customer, event.data) == ("5", {"price": 1})

    def test_call_objects(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """They are replaced by tags that a formatter can print."""
        kept = Kept()
        app.addHandler(CustomerIOHandler(pipeline))
        app.addHandler(kept)

        app.info("an order", extra={"cio": Track("5", "purchase", {"price": 1}), "x": 1})

        event = arrivals.event()
        assert (event.name, event.data) == ("purchase", {"price": 1})
        shown = {k: v for k, v in kept.records[0].__dict__.items() if k.startswith("cio")}
        assert shown == {
            "cio": "track",
            "cio_customer": "5",
            "cio_event": "purchase",
            "cio_event_id": event.id,
        }

    def test_the_time_is_that_of_the_record(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """Which may have waited in a queue."""
        handler = CustomerIOHandler(pipeline)
        values: dict[str, object] = {"msg": "x", "created": 1714521600.7, "cio_customer": "5"}
        handler.handle(logging.makeLogRecord(values))
        handler.handle(logging.makeLogRecord({**values, "cio": "identify", "plan": "pro"}))
        for nonsense in (None, "now", float("nan"), -1.0, 1e300):
            handler.handle(logging.makeLogRecord({**values, "created": nonsense}))

        assert arrivals.balance() == (7, 0, 0)
        now = time.time()
        first, *others = arrivals.sandbox.events
        assert first.timestamp == 1714521600
        assert all(now - 60 < event.timestamp <= now for event in others)
        person = arrivals.sandbox.person("5")
        assert person is not None
        assert person.timestamps["plan"] == 1714521600


class TestStructlog:
    """The endings of a structlog chain that lead to logging."""

    def test_wrap_for_formatter(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """The event waits in the record as a dictionary, and its copy shows the id."""
        stream = Kept()
        formatter = ProcessorFormatter(
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.KeyValueRenderer(),
            ]
        )
        app.addHandler(CustomerIOHandler(pipeline))
        app.addHandler(stream)
        log = structlog.wrap_logger(
            app,
            processors=[structlog.stdlib.add_log_level, ProcessorFormatter.wrap_for_formatter],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

        log.info("purchase", cio_customer="5", price=1, name="Lucy", args=2)
        log.info("untagged", price=1)

        event = arrivals.event()
        assert (event.name, event.data) == ("purchase", {"price": 1, "name": "Lucy", "args": 2})
        tagged, untagged = stream.records
        assert f"cio_event_id='{event.id}'" in formatter.format(tagged)
        assert tagged.cio_event_id == event.id  # type: ignore[attr-defined]
        assert "cio" not in formatter.format(untagged)

    def test_wrapped_call_objects(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """They are replaced where the formatter will look."""
        stream = Kept()
        app.addHandler(CustomerIOHandler(pipeline))
        app.addHandler(stream)
        log = structlog.wrap_logger(app, processors=[ProcessorFormatter.wrap_for_formatter])

        log.info("an order", cio=Track("5", "purchase"))

        event = arrivals.event()
        assert stream.records[0].msg == {
            "event": "an order",
            "cio": "track",
            "cio_customer": "5",
            "cio_event": "purchase",
            "cio_event_id": event.id,
        }

    def test_render_to_log_kwargs(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """The event is the message, the rest are attributes."""
        app.addHandler(CustomerIOHandler(pipeline))
        log = structlog.wrap_logger(
            app,
            processors=[structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

        log.info("purchase", cio_customer="5", price=1, exc_info=None)

        event = arrivals.event()
        assert (event.name, event.data) == ("purchase", {"price": 1})

    @pytest.mark.parametrize(
        "renderer",
        [
            structlog.processors.JSONRenderer(),
            structlog.processors.LogfmtRenderer(),
            structlog.dev.ConsoleRenderer(colors=True),
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        ids=["json", "logfmt", "colours", "plain"],
    )
    def test_a_rendered_tag_is_said_once(
        self,
        pipeline: Pipeline,
        arrivals: Arrivals,
        app: logging.Logger,
        caplog: pytest.LogCaptureFixture,
        renderer: Any,
    ) -> None:
        """Nothing can be made of its text, which would end silently otherwise."""
        app.addHandler(CustomerIOHandler(pipeline))
        log = structlog.wrap_logger(app, processors=[renderer])

        log.info("untagged", cio_identity="5")
        assert caplog.messages == []
        log.info("purchase", cio_customer="5", name="Lucy")
        log.info("purchase", cio_customer="5", name="Lucy")

        (message,) = caplog.messages
        assert "CustomerIOProcessor" in message
        assert "Lucy" not in message
        assert arrivals.balance() == (0, 0, 0)

    @pytest.mark.parametrize(
        "text",
        [
            "cio_customer and cio are tags",
            "the cio of Acme",
            "{'cio_customer': '5', 'cio_event_id': '01HZX3Q4R5S6T7V8W9XABCDEFG'}",
            '{"cio_identity": "5"}',
        ],
    )
    def test_other_texts_are_not(
        self,
        pipeline: Pipeline,
        app: logging.Logger,
        caplog: pytest.LogCaptureFixture,
        text: str,
    ) -> None:
        """Above all what the processor has taken, whose line shows the id."""
        app.addHandler(CustomerIOHandler(pipeline))

        app.info(text)

        assert caplog.messages == []


class TestQueues:
    def test_attributes_get_through(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """The listener's thread hands the record in."""
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        listener = logging.handlers.QueueListener(records, CustomerIOHandler(pipeline))
        app.addHandler(logging.handlers.QueueHandler(records))
        listener.start()

        app.info("purchase", extra={"cio_customer": "5", "price": 1})
        app.info("an order", extra={"cio": Track("6", "purchase")})
        listener.stop()

        assert [(event.customer, event.name, event.data) for event in arrivals.events()] == [
            ("5", "purchase", {"price": 1}),
            ("6", "purchase", {}),
        ]

    def test_attributes_get_through_from_another_process(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """Pickled; what the other process has taken already is not taken again."""
        context = multiprocessing.get_context("spawn")
        records = context.Queue()
        child = context.Process(target=log_into, args=(records,))
        child.start()
        listener = logging.handlers.QueueListener(records, CustomerIOHandler(pipeline))
        listener.start()
        child.join(LONG)
        assert child.exitcode == 0
        listener.stop()

        assert [(event.name, event.data) for event in arrivals.events()] == [
            ("purchase", {"price": 1}),
            ("an order", {}),
        ]

    @pytest.mark.parametrize("formatted", [False, True])
    def test_a_structlog_event_is_destroyed_and_it_is_said(
        self,
        pipeline: Pipeline,
        arrivals: Arrivals,
        app: logging.Logger,
        caplog: pytest.LogCaptureFixture,
        formatted: bool,
    ) -> None:
        """The queue's handler makes text of the dictionary, whichever."""
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        handler = logging.handlers.QueueHandler(records)
        if formatted:
            handler.setFormatter(
                ProcessorFormatter(
                    processors=[
                        ProcessorFormatter.remove_processors_meta,
                        structlog.processors.JSONRenderer(),
                    ]
                )
            )
        app.addHandler(handler)
        listener = logging.handlers.QueueListener(records, CustomerIOHandler(pipeline))
        listener.start()
        log = structlog.wrap_logger(app, processors=[ProcessorFormatter.wrap_for_formatter])

        for _ in range(3):
            log.info("purchase", cio_customer="5")
        listener.stop()

        (message,) = caplog.messages
        assert "CustomerIOProcessor" in message
        assert arrivals.balance() == (0, 0, 0)


def log_into(records: Any) -> None:
    """What a process does that has a queue for its records."""
    app = logging.getLogger("app.known")
    app.setLevel(logging.DEBUG)
    app.addHandler(logging.handlers.QueueHandler(records))
    app.info("purchase", extra={"cio_customer": "5", "price": 1})
    app.info("it", extra={"cio": Track("5", "an order")})
    app.info("taken", extra={"cio_customer": "5", "cio_event_id": "0" * 26})


class TestSemanticsOfLogging:
    def test_levels(self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger) -> None:
        """A record below the handler's or the logger's is no event."""
        app.addHandler(CustomerIOHandler(pipeline, level="WARNING"))

        app.info("below", extra={"cio_customer": "5"})
        app.warning("at", extra={"cio_customer": "5"})
        with_level = logging.Logger("app", logging.ERROR)
        with_level.addHandler(app.handlers[0])
        with_level.warning("below", extra={"cio_customer": "5"})

        assert arrivals.event().name == "at"

    def test_filters(self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger) -> None:
        """They may keep a record out, and they may tag one."""

        def tag(record: logging.LogRecord) -> bool:
            if record.msg == "signup":
                record.cio_customer = "5"
            return record.msg != "secret"

        handler = CustomerIOHandler(pipeline)
        handler.addFilter(tag)
        app.addHandler(handler)

        for message in ("hello", "signup", "secret"):
            app.info(message)
        app.info("secret", extra={"cio_customer": "6"})

        assert arrivals.event().name == "signup"

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="filters only say yes or no")
    def test_filters_that_replace_the_record(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """What they give is taken."""

        def replace(record: logging.LogRecord) -> logging.LogRecord:
            other = copy.copy(record)
            other.price = 2
            return other

        handler = CustomerIOHandler(pipeline)
        handler.addFilter(replace)  # type: ignore[arg-type, unused-ignore]
        app.addHandler(handler)

        app.info("purchase", extra={"cio_customer": "5", "price": 1})

        assert arrivals.event().data == {"price": 2}

    def test_a_disabled_level_says_so(self, pipeline: Pipeline) -> None:
        """The handler's repr tells the level, and no credential."""
        handler = CustomerIOHandler(level=logging.INFO, **CREDENTIALS)

        assert repr(handler) == "<CustomerIOHandler (INFO)>"
        assert handler.handle(logging.makeLogRecord({"msg": "x"}))

    def test_the_lock_is_one(self) -> None:
        """Others may use it as logging does."""
        handler = CustomerIOHandler()

        assert handler.lock is not None
        with handler.lock:
            handler.acquire()
            handler.release()

    def test_a_caller_who_waits_for_room_stops_nobody_else(
        self, sandbox: Sandbox, app: logging.Logger
    ) -> None:
        """Others' records are looked at meanwhile."""
        sandbox.delay(LONG, before=True)
        with Pipeline(
            **CREDENTIALS,
            track_url=sandbox.url,
            flush_interval=0,
            max_pending=1,
            on_full="block",
        ) as pipeline:
            app.addHandler(CustomerIOHandler(pipeline))
            app.info("first", extra={"cio_customer": "5"})
            waiting = threading.Thread(
                target=app.info, args=("second",), kwargs={"extra": {"cio_customer": "5"}}
            )
            waiting.start()
            waiting.join(0.3)
            assert waiting.is_alive()

            other = threading.Thread(target=app.info, args=("untagged",))
            other.start()
            other.join(LONG / 4)
            assert not other.is_alive()

            sandbox.heal()
            waiting.join(LONG)
            assert len(Arrivals(sandbox, pipeline).events()) == 2
