"""What structlog's source refuses, leaves to others and survives."""

from __future__ import annotations

from collections import UserDict
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from cio_events import signals
from cio_events._calls.call import Identifier
from cio_events._calls.people import Track
from cio_events._pipeline import default as pipelines
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.fields import MARKS, TAGS
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.errors import ParamError
from tests.sources.arrivals import CREDENTIALS, Arrivals
from tests.sources.records import FilteringLogger, Unprintable, logger_with
from tests.support.effort import times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox import Sandbox


class TestRefuses:
    def test_a_bad_record_is_counted_and_logged_as_it_was(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """It is marked, since it has been counted; a signal tells which tag is wrong."""
        log, lines = logger_with(CustomerIOProcessor(pipeline))
        reports: list[signals.Report] = []

        def receive(_: object, report: signals.Report) -> None:
            reports.append(report)

        with signals.failed.connected_to(receive, sender=pipeline):
            log.info("purchase", cio_customer=None, price=1)

        assert arrivals.balance() == (0, 1, 0)
        (report,) = reports
        assert (report.reason, report.call) == ("invalid", None)
        assert "cio_customer" in str(report.detail)
        assert lines.calls[0].kwargs == {
            "event": "purchase",
            "cio_customer": None,
            "price": 1,
            "cio_refused": "invalid",
        }

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"cio_customer": "x" * 151}, "too_large"),
            ({"cio_customer": "5", "text": "x" * 100_001}, "too_large"),
            ({"cio_customer": "5", **{f"k{i}": i for i in range(301)}}, "too_large"),
            ({"cio_customer": ""}, "invalid"),
            ({"cio_customer": "5", "cio": "trakc"}, "invalid"),
            ({"cio": "track"}, "invalid"),
        ],
    )
    def test_the_reason_is_told(
        self, pipeline: Pipeline, arrivals: Arrivals, fields: dict[str, Any], reason: str
    ) -> None:
        """What is over a limit of Customer.io's is too large; all else is invalid."""
        log, _ = logger_with(CustomerIOProcessor(pipeline))

        log.info("purchase", **fields)

        assert arrivals.balance() == (0, 1, 0)
        assert pipeline.stats().failed_by_reason == {reason: 1}

    def test_strict_raises(self, sandbox: Sandbox) -> None:
        """The error of the call, which names the tag."""
        with Pipeline(**CREDENTIALS, track_url=sandbox.url, strict=True) as pipeline:
            log, _ = logger_with(CustomerIOProcessor(pipeline))

            with pytest.raises(ParamError, match=r"^cio_customer: "):
                log.info("purchase", cio_customer="")

    def test_whatever_a_record_holds_it_is_counted(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """Also what raises when it is looked at."""

        class Broken(UserDict[str, object]):
            def __iter__(self) -> Iterator[str]:
                raise ZeroDivisionError

        log, lines = logger_with(CustomerIOProcessor(pipeline))

        log.info("purchase", cio_customer="5", cio_data=Broken(secret="s"))

        assert arrivals.balance() == (0, 1, 0)
        assert len(lines.calls) == 1

    def test_without_credentials_logging_goes_on(self, caplog: pytest.LogCaptureFixture) -> None:
        """What is tagged is dropped, and one warning names the setting."""
        log, lines = logger_with(CustomerIOProcessor())

        for _ in range(3):
            log.info("purchase", cio_customer="5")

        assert len(lines.calls) == 3
        (message,) = caplog.messages
        assert "site_id" in message
        assert pipelines.get_pipeline().stats().dropped_by_reason == {"unconfigured": 3}

    def test_a_processor_alone_makes_no_pipeline(self) -> None:
        """Nor does an untagged record."""
        CustomerIOProcessor()(None, "info", {"event": "hello"})

        assert pipelines.process.default is None


class TestNeverListensToItself:
    def test_what_receivers_and_before_send_log_is_not_taken(self, sandbox: Sandbox) -> None:
        """It would never end. The lines themselves are written."""
        lines = CapturingLogger()

        def log(event: str) -> None:
            structlog.wrap_logger(
                lines, processors=[processor], wrapper_class=FilteringLogger
            ).info(event, cio_customer="5")

        def before_send(call: Any) -> Any:
            log("in before_send")
            return call

        def receive(_: object, **__: object) -> None:
            log("in a receiver")

        with Pipeline(
            **CREDENTIALS, track_url=sandbox.url, flush_interval=0, before_send=before_send
        ) as pipeline:
            processor = CustomerIOProcessor(pipeline)
            with signals.sent.connected_to(receive, sender=pipeline):
                log("purchase")
                assert Arrivals(sandbox, pipeline).event().name == "purchase"

        events = [call.kwargs["event"] for call in lines.calls]
        assert sorted(events) == ["in a receiver", "in before_send", "purchase"]
        marked = [call.kwargs["event"] for call in lines.calls if "cio_event_id" in call.kwargs]
        assert marked == ["purchase"]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.binary(max_size=8)
    | st.uuids()
    | st.datetimes()
    | st.decimals()
    | st.builds(Unprintable)
    | st.sampled_from(["5", "email", "id", "ios", "identify", "add_device", "merge", "page"])
    | st.builds(Track, st.just("5"), st.just("x"))
    | st.builds(Identifier, st.just("5"))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*sorted(TAGS), "event", "level", "exc_info", "cio_x"]) | st.text(
    st.characters(exclude_categories=[]), max_size=8
)
FIELDS = st.fixed_dictionaries(
    {"cio_customer": st.just("5") | VALUES, "event": st.text(min_size=1) | VALUES},
    optional={"cio": VALUES},
)


@pytest.fixture(scope="module")
def undelivered() -> Iterator[Pipeline]:
    """A pipeline that keeps what it takes: the test is about the caller's thread."""
    pipeline = Pipeline(**CREDENTIALS, track_url="http://127.0.0.1:9", flush_interval=3600)
    yield pipeline
    assert pipeline.stats().pending > 0
    pipeline.close(0)


@settings(max_examples=times(100), deadline=None)
@given(FIELDS, st.dictionaries(KEYS, VALUES))
def test_no_record_makes_it_raise(
    undelivered: Pipeline, needed: dict[str, Any], rest: dict[str, Any]
) -> None:
    """Each counts as one call, the same object comes back, and what was in it stays in it."""
    event_dict: dict[str, Any] = {**rest, **needed}
    before = dict(event_dict)
    received = undelivered.stats().received

    assert CustomerIOProcessor(undelivered)(None, "info", event_dict) is event_dict

    stats = undelivered.stats()
    assert stats.received == received + 1
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending
    assert event_dict.keys() & MARKS
    for mark in MARKS:
        event_dict.pop(mark, None)
    if not isinstance(before.get("cio"), Track):
        assert event_dict.keys() == before.keys()
        assert all(event_dict[key] is value for key, value in before.items())
