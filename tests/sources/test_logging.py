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
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars
from structlog.stdlib import ProcessorFormatter

from cio_events import signals
from cio_events._calls.people import Identifier, Track
from cio_events._pipeline import default as pipelines
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.fields import MARKS, TAGS
from cio_events._sources.logging import CustomerIOHandler
from cio_events.errors import ParamError
from tests.sources.arrivals import CREDENTIALS, LONG, Arrivals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox import Sandbox


@pytest.fixture
def app() -> logging.Logger:
    """The application's logger, whose records nobody else gets, not even pytest."""
    return logging.Logger("app", logging.DEBUG)  # noqa: LOG001


ROOT = logging.getLogger()


class Kept(logging.Handler):
    """A handler that keeps the records it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


class Unprintable:
    """Nobody may ask it what it looks like."""

    def __repr__(self) -> str:
        raise AssertionError("somebody has asked for a repr")

    __str__ = __repr__


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
        log.info("purchase", cio_customer="5")
        log.info("purchase", cio_customer="5")

        (message,) = caplog.messages
        assert "CustomerIOProcessor" in message
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
        with_level = logging.Logger("app", logging.ERROR)  # noqa: LOG001
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


class TestNeverListensToItself:
    @pytest.mark.parametrize(
        "name",
        [
            "cio_events",
            "cio_events._destinations.customerio",
            "urllib3",
            "urllib3.connectionpool",
            "requests.sessions",
            "charset_normalizer",
        ],
    )
    def test_records_of_ours_and_of_the_http_library(
        self, pipeline: Pipeline, arrivals: Arrivals, name: str
    ) -> None:
        """Are not taken whatever they carry; but names alike are."""
        logger = logging.getLogger(name)
        ROOT.addHandler(CustomerIOHandler(pipeline))

        logger.critical("x", extra={"cio_customer": "5"})
        assert arrivals.balance() == (0, 0, 0)

        logging.getLogger("cio_events_shop").critical("x", extra={"cio_customer": "5"})
        assert arrivals.balance() == (1, 0, 0)

    def test_nothing_is_taken_that_a_delivery_logs(self, sandbox: Sandbox) -> None:
        """With everything at DEBUG on the root, and a server that always fails."""
        ROOT.setLevel(logging.DEBUG)

        def tag(record: logging.LogRecord) -> bool:
            record.cio_customer = "5"
            return True

        sandbox.fail_next(500, times=3)
        seen: list[str] = []

        def receive(_: object, retry: signals.Retry) -> None:
            logging.getLogger("app.known").info("in a receiver", extra={"cio_customer": "5"})
            seen.append(retry.reason)

        with (
            Pipeline(
                **CREDENTIALS,
                track_url=sandbox.url,
                flush_interval=0,
                retry_base=0,
                retry_cap=0,
            ) as pipeline,
            signals.retrying.connected_to(receive, sender=pipeline),
        ):
            handler = CustomerIOHandler(pipeline)
            handler.addFilter(tag)
            kept = Kept()
            ROOT.addHandler(handler)
            ROOT.addHandler(kept)

            logging.getLogger("app.known").info("purchase")

            assert Arrivals(sandbox, pipeline).balance() == (1, 0, 0)
        assert len(seen) == 3
        assert [request.status for request in sandbox.requests] == [500, 500, 500, 200]
        assert {record.name.partition(".")[0] for record in kept.records} >= {"app", "urllib3"}


def configuration(**handler: object) -> dict[str, Any]:
    """A LOGGING dictionary with this handler on the root."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"cio": handler},
        "root": {"level": "INFO", "handlers": ["cio"]},
    }


class TestDictConfig:
    PLAIN: dict[str, object] = {"()": "cio_events.CustomerIOHandler", **CREDENTIALS}  # noqa: RUF012

    def test_plain_arguments(self, sandbox: Sandbox) -> None:
        """All that a pipeline has as options, and the level of the handler."""
        logging.config.dictConfig(
            configuration(**self.PLAIN, track_url=sandbox.url, level="WARNING", flush_interval="0")
        )

        ROOT.warning("purchase", extra={"cio_customer": "5", "price": 1})
        ROOT.info("below", extra={"cio_customer": "5"})

        arrivals = Arrivals(sandbox, pipelines.get_pipeline())
        assert arrivals.event().data == {"price": 1}

    def test_the_environment_alone(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So that the dictionary can be committed."""
        monkeypatch.setenv("CIO_SITE_ID", "the-site")
        monkeypatch.setenv("CIO_API_KEY", "the-key")
        monkeypatch.setenv("CIO_TRACK_URL", sandbox.url)
        logging.config.dictConfig(configuration(**{"class": "cio_events.CustomerIOHandler"}))

        ROOT.warning("purchase", extra={"cio_customer": "5"})

        assert Arrivals(sandbox, pipelines.get_pipeline()).event().name == "purchase"

    def test_a_pipeline_of_ones_own(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """By reference, as ext:// and cfg:// give objects."""
        config = configuration(**{"()": CustomerIOHandler, "pipeline": "cfg://theirs"})
        config["theirs"] = pipeline
        logging.config.dictConfig(config)

        ROOT.warning("purchase", extra={"cio_customer": "5"})

        assert arrivals.event().name == "purchase"

    def test_twice_is_as_good_as_once(self, sandbox: Sandbox) -> None:
        """As Django and Celery do: nothing is lost or sent twice, no thread is added."""
        config = configuration(**self.PLAIN, track_url=sandbox.url)
        logging.config.dictConfig(config)
        ROOT.warning("first", extra={"cio_customer": "5"})
        threads = threading.active_count()
        pipeline = pipelines.get_pipeline()

        logging.config.dictConfig(config)
        ROOT.warning("second", extra={"cio_customer": "5"})

        assert pipelines.get_pipeline() is pipeline
        assert threading.active_count() == threads
        events = Arrivals(sandbox, pipeline).events()
        assert [event.name for event in events] == ["first", "second"]

    def test_it_never_waits(self, sandbox: Sandbox) -> None:
        """A thousand pending calls and a server that does not answer change nothing."""
        config = configuration(**self.PLAIN, track_url=sandbox.url, flush_interval=0)
        logging.config.dictConfig(config)
        sandbox.delay(LONG, before=True)
        for number in range(1_000):
            ROOT.warning("event", extra={"cio_customer": "5", "number": number})

        begin = time.monotonic()
        logging.config.dictConfig(config)
        (handler,) = logging.getLogger().handlers
        handler.flush()
        handler.close()
        logging.shutdown([lambda: handler])
        assert time.monotonic() - begin < LONG / 4

        assert pipelines.get_pipeline().stats().pending == 1_000
        sandbox.heal()
        assert len(Arrivals(sandbox, pipelines.get_pipeline()).events()) == 1_000

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="dictConfig makes no listener")
    def test_behind_a_queue(self, sandbox: Sandbox) -> None:
        """Whose listener the application has to start."""
        config = configuration(**self.PLAIN, track_url=sandbox.url, flush_interval=0)
        config["handlers"]["queue"] = {
            "class": "logging.handlers.QueueHandler",
            "handlers": ["cio"],
        }
        config["root"]["handlers"] = ["queue"]
        logging.config.dictConfig(config)
        (handler,) = ROOT.handlers
        listener: Any = vars(handler)["listener"]
        listener.start()

        ROOT.warning("bought %s", "tea", extra={"cio_customer": "5", "price": 1})
        listener.stop()

        # The queue's handler formats, so that the template is lost.
        event = Arrivals(sandbox, pipelines.get_pipeline()).event()
        assert (event.name, event.data) == ("bought tea", {"price": 1})

    @pytest.mark.parametrize(
        ("option", "value"), [("region", "mars"), ("site_ids", "x"), ("timeout", "soon")]
    )
    def test_a_wrong_option_is_named_at_once(self, option: str, value: str) -> None:
        """Where it is written, and without the credentials."""
        with pytest.raises(ValueError, match="cio") as caught:
            logging.config.dictConfig(configuration(**{**self.PLAIN, option: value}))

        cause = caught.value.__cause__
        assert isinstance(cause, ParamError)
        assert cause.param == option
        assert "the-key" not in f"{caught.value} {cause}"

    def test_a_pipeline_has_its_options(self, pipeline: Pipeline) -> None:
        """Both would contradict each other."""
        with pytest.raises(ParamError, match="pipeline"):
            CustomerIOHandler(pipeline, region="eu")


class TestRefuses:
    def test_a_bad_record_is_counted_once(
        self, pipeline: Pipeline, arrivals: Arrivals, app: logging.Logger
    ) -> None:
        """Logging goes on, and the record is marked."""
        kept = Kept()
        app.addHandler(CustomerIOHandler(pipeline))
        app.addHandler(CustomerIOHandler(pipeline))
        app.addHandler(kept)

        app.info("purchase", extra={"cio_customer": ""})

        assert arrivals.balance() == (0, 1, 0)
        assert kept.records[0].cio_refused == "invalid"  # type: ignore[attr-defined]

    def test_strict_raises(self, sandbox: Sandbox, app: logging.Logger) -> None:
        """Out of the log call, where it can be seen in a test."""
        with Pipeline(**CREDENTIALS, track_url=sandbox.url, strict=True) as pipeline:
            app.addHandler(CustomerIOHandler(pipeline))

            with pytest.raises(ParamError, match=r"^cio_platform: "):
                app.info("x", extra={"cio": "add_device", "cio_customer": "5", "cio_device": "t"})


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=12)
    | st.binary(max_size=8)
    | st.builds(Unprintable)
    | st.builds(Identifier, st.just("5"))
    | st.builds(Track, st.just("5"), st.just("x"))
    | st.sampled_from(["5", "email", "id", "ios", "identify", "add_device", "merge", "page"])
)
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=3)
    | st.dictionaries(st.text(max_size=5) | st.integers(), SCALARS, max_size=3)
)
ATTRIBUTES = [*logging.makeLogRecord({}).__dict__, *TAGS, "_logger", "_name", "cio_x"]


@pytest.fixture(scope="module")
def undelivered() -> Iterator[Pipeline]:
    """A pipeline that keeps what it takes: the test is about the caller's thread."""
    pipeline = Pipeline(**CREDENTIALS, track_url="http://127.0.0.1:9", flush_interval=3600)
    yield pipeline
    assert pipeline.stats().pending > 0
    pipeline.close(0)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {"cio_customer": st.just("5") | VALUES, "msg": st.text(min_size=1) | VALUES}
    ),
    st.dictionaries(st.sampled_from(ATTRIBUTES) | st.text(max_size=5), VALUES),
)
def test_no_record_makes_it_raise(
    undelivered: Pipeline, needed: dict[str, Any], rest: dict[str, Any]
) -> None:
    """Each counts as one call, and what was in it stays in it."""
    record = logging.makeLogRecord({**rest, **needed})
    before = dict(record.__dict__)
    received = undelivered.stats().received

    CustomerIOHandler(undelivered).handle(record)

    stats = undelivered.stats()
    assert stats.received == received + 1
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending
    after = dict(record.__dict__)
    assert after.keys() & MARKS
    for mark in MARKS:
        after.pop(mark, None)
    if not isinstance(rest.get("cio"), Track):
        assert after.keys() == before.keys()
        assert all(after[key] is value for key, value in before.items())
