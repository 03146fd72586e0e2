"""logging's source as a dictConfig makes it, what it never listens to, and what it survives."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_events import signals
from cio_events._calls.call import Identifier
from cio_events._calls.people import Track
from cio_events._pipeline import default as pipelines
from cio_events._pipeline.pipeline import Pipeline
from cio_events._process.diagnostics import say
from cio_events._sources.fields import MARKS, TAGS
from cio_events._sources.logging import CustomerIOHandler
from cio_events.errors import ParamError
from tests.sources.arrivals import CREDENTIALS, LONG, Arrivals
from tests.sources.records import Kept, Unprintable
from tests.support.effort import times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox import Sandbox


ROOT = logging.getLogger()


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
        threads = set(threading.enumerate())
        pipeline = pipelines.get_pipeline()

        logging.config.dictConfig(config)
        ROOT.warning("second", extra={"cio_customer": "5"})

        assert pipelines.get_pipeline() is pipeline
        assert threads.issuperset(threading.enumerate())
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

    def test_our_own_logger_survives_another(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that disables all loggers there were."""
        for logger in logging.root.manager.loggerDict.values():
            if isinstance(logger, logging.Logger):
                monkeypatch.setattr(logger, "disabled", logger.disabled)
        handlers = ROOT.handlers[:]
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
        ROOT.handlers[:] = handlers

        say("still heard")

        assert "still heard" in caplog.messages

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


@settings(max_examples=times(100), deadline=None)
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
