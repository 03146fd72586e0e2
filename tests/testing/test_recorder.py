"""The recorder as a context manager, without pytest: what it takes, and what it leaves."""

from __future__ import annotations

import logging
import threading
from itertools import pairwise
from pathlib import Path
from unittest.mock import ANY

import pytest
import structlog

import cio_events
from cio_events import (
    AddDevice,
    Delete,
    Identifier,
    Identify,
    ParamError,
    SendEmail,
    Track,
    TrackAnonymous,
    signals,
)
from cio_events._pipeline import recording
from cio_events.sandbox import Sandbox
from cio_events.testing import Recorder
from tests.support.scripts import environment, run_python


def logger(pipeline: cio_events.Pipeline | None = None) -> structlog.BoundLogger:
    """A logger whose chain has our processor."""
    return structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[cio_events.CustomerIOProcessor(pipeline)]
    )


def test_it_takes_from_every_pipeline_whatever_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made before or later, the default or one's own; no thread is started, no file is made."""
    monkeypatch.setenv("CIO_ENABLED", "false")
    before = cio_events.Pipeline(site_id="a", api_key="b")
    threads = set(threading.enumerate())

    with Recorder() as cio:
        later = cio_events.Pipeline(enabled=False, spool=tmp_path / "spool")
        for pipeline in (before, later, cio_events.get_pipeline(), cio_events.Pipeline(api="v1")):
            assert pipeline.track("5", "purchase")
            assert pipeline.flush(0)
            stats = pipeline.stats()
            assert (stats.received, stats.sent, stats.pending) == (1, 1, 0)
        cio.tracked("purchase", times=4)

    assert threads.issuperset(threading.enumerate())
    assert list((tmp_path / "spool").iterdir()) == []
    assert recording.current is None
    assert not later.track("5", "purchase")
    assert later.stats().dropped_by_reason == {"disabled": 1}


def test_closed_pipelines_take_nothing() -> None:
    """As in earnest."""
    pipeline = cio_events.Pipeline(site_id="a", api_key="b")
    pipeline.close(0)

    with Recorder() as cio:
        assert not pipeline.track("5", "purchase")
        assert cio.nothing()


def test_what_is_delivered_when_it_is_closed_is_what_came_later(sandbox: Sandbox) -> None:
    """Calls of before and after go their way."""
    pipeline = cio_events.Pipeline(site_id="a", api_key="b", track_url=sandbox.url)
    pipeline.track("5", "before")
    with Recorder() as cio:
        pipeline.track("5", "recorded")
        cio.tracked("recorded")
    pipeline.track("5", "after")

    assert pipeline.close()
    assert [event.name for event in sandbox.events] == ["before", "after"]
    assert pipeline.stats().sent == 3


def test_recorders_nest() -> None:
    """The inner one records, in whatever order they are closed."""
    log = logger()
    outer, inner = Recorder().open(), Recorder().open()
    log.info("one", cio_customer="5")
    outer.close()
    log.info("two", cio_customer="5")
    inner.close()

    assert outer.nothing()
    inner.in_order("one", "two")
    assert recording.current is None


def test_calls_are_made_again_from_their_bytes() -> None:
    """Of every kind, each as it would have been sent, with its id and time."""
    calls = [
        Track("5", "purchase", {"price": 13.99}),
        TrackAnonymous("a1", "page", {"url": "/"}, type="page"),
        Identify("lucy@example.com", {"plan": "free"}),
        AddDevice("5", "t0k3n", "ios", {"last_used": 1}),
        Delete("5"),
        SendEmail(transactional_message_id=3, identifiers="5", to="lucy@example.com"),
    ]
    with Recorder() as cio:
        for call in calls:
            cio_events.get_pipeline().send(call)

    cio.in_order(*calls)
    assert [type(call) for call in cio.calls] == [type(call) for call in calls]
    assert [event.name for event in cio.events] == ["purchase", "page"]
    assert cio.people == {"lucy@example.com": {"plan": "free"}}
    assert len(cio.events[0].id or "") == 26
    assert cio.called(AddDevice, customer="5", platform="ios").data == {"last_used": 1}
    assert cio.called(SendEmail, identifiers="5", to="lucy@example.com")
    assert cio.tracked("page", anonymous="a1", type="page", url="/")


def test_people_are_what_all_identifies_make_of_them() -> None:
    """By what they are called."""
    with Recorder() as cio:
        pipeline = cio_events.get_pipeline()
        pipeline.identify("5", {"plan": "trial", "seats": 1})
        pipeline.identify("5", {"plan": "free"})

    assert cio.people == {"5": {"plan": "free", "seats": 1}}
    cio.identified("5", plan="free")
    cio.identified("5", exactly={"plan": "trial", "seats": 1})


def test_matchers_work_anywhere() -> None:
    """Expected is on the left."""
    from dirty_equals import IsPartialDict, IsStr

    with Recorder() as cio:
        cio_events.get_pipeline().track("5", "purchase", {"price": 13.99, "order": {"id": 7}})

    cio.tracked(IsStr(regex="purch.*"), customer=ANY, price=pytest.approx(14, abs=0.1))
    cio.tracked("purchase", order={"id": ANY})
    cio.tracked("purchase", exactly=IsPartialDict(price=13.99))
    cio.tracked("purchase", exactly={"price": 13.99, "order": {"id": 7}})
    with cio:
        cio_events.get_pipeline().track("5", "typed", {"type": "sock", "times": 2, "name": "x"})
    cio.tracked("typed", exactly={"type": "sock", "times": 2, "name": ANY})
    assert cio.not_tracked("purchase", exactly={"price": 13.99})


@pytest.mark.parametrize(
    ("customer", "asked"),
    [
        ("5", 5),
        ("lucy@example.com", {"email": "lucy@example.com"}),
        ("cio_1a", "cio_1a"),
        ("cio_1a", Identifier("1a", "cio_id")),
        ({"phone": "+15551234567"}, "+15551234567"),
    ],
)
def test_customers_can_be_said_in_each_way(
    customer: cio_events._calls.call.Customer, asked
) -> None:  # type: ignore[name-defined]
    """Text, number, identifier, mapping; one of another type is another."""
    with Recorder() as cio:
        cio_events.get_pipeline().track(customer, "purchase")

    assert cio.tracked("purchase", customer=asked)
    assert cio.not_tracked("purchase", customer=Identifier("5", "phone"))


def test_signals_and_receipts() -> None:
    """As if Customer.io had answered, and as `fail_next` says."""
    reports: list[signals.Report] = []

    def note(sender: object, report: signals.Report) -> None:
        reports.append(report)

    signals.sent.connect(note)
    signals.failed.connect(note)
    pipeline = cio_events.Pipeline()
    with Recorder() as cio:
        pipeline.send(SendEmail(transactional_message_id=3, identifiers="5", to="a@example.com"))
        cio.fail_next("rejected", status=400, detail="no", times=2)
        for _ in range(3):
            assert pipeline.track("5", "purchase")

    assert [(one.status, one.reason, one.detail) for one in reports] == [
        (200, None, None),
        (400, "rejected", "no"),
        (400, "rejected", "no"),
        (200, None, None),
    ]
    assert reports[0].receipt is not None
    assert (pipeline.stats().sent, pipeline.stats().failed_by_reason) == (2, {"rejected": 2})
    cio.tracked("purchase", times=3)
    with pytest.raises(ValueError, match="reason must be one of invalid, rejected"):
        cio.fail_next("refused")  # type: ignore[arg-type]


def test_wrong_records_raise_at_their_line() -> None:
    """By each source; and inside `lenient` they are counted, even where options are strict."""
    pipeline = cio_events.Pipeline(strict=True)
    log = logger(pipeline)
    plain = logging.getLogger("shop.recorder")
    handler = cio_events.CustomerIOHandler(pipeline)
    plain.addHandler(handler)
    try:
        with Recorder() as cio:
            with pytest.raises(ParamError, match="cio_customer: must not be None"):
                log.info("purchase", cio_customer=None)
            with pytest.raises(ParamError, match="cio_customer"):
                plain.warning("purchase", extra={"cio_customer": " "})
            with cio.lenient():
                log.info("purchase", cio_customer=None)
            assert cio.nothing()
    finally:
        plain.removeHandler(handler)

    assert pipeline.stats().failed_by_reason == {"invalid": 1}


def test_before_send_and_limits_are_the_real_ones() -> None:
    """What it changes is recorded, what it drops is not, and what is too large raises."""

    def change(call: cio_events.Call) -> cio_events.Call | None:
        if isinstance(call, Track) and call.name == "secret":
            return None
        return Track("6", "changed")

    pipeline = cio_events.Pipeline(before_send=change)
    with Recorder() as cio:
        pipeline.track("5", "secret")
        pipeline.track("5", "purchase")
        with pytest.raises(ParamError, match="over 100000 bytes"):
            cio_events.get_pipeline().track("5", "large", {"text": "x" * 200_000})

    cio.tracked("changed", customer="6", times=1)
    assert len(cio.calls) == 1
    assert pipeline.stats().dropped_by_reason == {"before_send": 1}


def test_a_seed_makes_ids_and_times_deterministic() -> None:
    """Rising ids, and a second a call; by logging's records too."""

    def recorded() -> list[tuple[str | None, int | None]]:
        plain = logging.getLogger("shop.seeded")
        handler = cio_events.CustomerIOHandler()
        plain.addHandler(handler)
        try:
            with Recorder(seed=7) as cio:
                for _ in range(3):
                    logger().info("purchase", cio_customer="5")
                    plain.warning("purchase", extra={"cio_customer": "5"})
        finally:
            plain.removeHandler(handler)
        return [(event.id, event.timestamp) for event in cio.events]

    first = recorded()
    times = [when for _, when in first]
    assert recorded() == first
    assert sorted({id_ for id_, _ in first if id_}) == [id_ for id_, _ in first]
    assert [later - when for when, later in pairwise(times)] == [1] * 5  # type: ignore[operator]
    with Recorder(seed=8) as cio:
        logger().info("purchase", cio_customer="5")
    assert cio.events[0].id != first[0][0]


def test_clear_forgets() -> None:
    """Calls, and what is to fail."""
    with Recorder() as cio:
        cio_events.get_pipeline().track("5", "purchase")
        cio.fail_next()
        cio.clear()
        assert cio.nothing()
        cio_events.get_pipeline().track("5", "purchase")

    assert cio_events.get_pipeline().stats().failed == 0


def test_strict_asks_for_all_to_be_looked_at() -> None:
    """By assertions or by lists; without pytest, at `check`."""
    with Recorder() as cio:
        cio.strict()
        pipeline = cio_events.get_pipeline()
        pipeline.track("5", "purchase")
        pipeline.track("5", "refund")
        cio.tracked("purchase")
        with pytest.raises(AssertionError, match=r"1 call was not asserted:\n  track \"refund\""):
            cio.check()
        assert len(cio.calls) == 2
        cio.check()


def test_the_working_directory_may_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a test has deleted it, a log call does not raise."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with Recorder() as cio:
        logger().info("purchase", cio_customer="5")

    assert __file__ in cio.summary()


def test_threads_are_recorded() -> None:
    """Calls come from any thread."""
    with Recorder() as cio:
        threads = [
            threading.Thread(target=cio_events.get_pipeline().track, args=("5", "purchase"))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(cio.tracked("purchase", times=8)) == 8


def test_misuse_is_said() -> None:
    """A class that is none, and a parameter that it has not."""
    with (
        Recorder() as cio,
        pytest.raises(TypeError, match="AddDevice has no 'token'; it has custom"),
    ):
        cio.called(AddDevice, token="t0k3n")
    with pytest.raises(TypeError, match="takes a class of calls"):
        cio.called("purchase")  # type: ignore[type-var]


def test_texts_are_short_whatever_was_recorded() -> None:
    """At most fifteen lines, of which none is long."""
    with Recorder() as cio:
        for number in range(40):
            cio_events.get_pipeline().track(
                str(number), f"event{number}", {f"key{n}": "x" * 900 for n in range(30)}
            )
        for assertion in (
            lambda: cio.tracked("event1", **{f"key{n}": "y" for n in range(30)}),
            lambda: cio.tracked("zzz"),
            lambda: cio.tracked("event1", times=3),
            lambda: cio.not_tracked(ANY),
            cio.nothing,
            lambda: cio.in_order("event2", "event1"),
            lambda: cio.in_order(*["zzz"] * 20),
        ):
            with pytest.raises(AssertionError) as caught:
                assertion()  # type: ignore[no-untyped-call]
            lines = str(caught.value).splitlines()
            assert len(lines) <= 15
            assert max(map(len, lines)) < 700


SCRIPT = """
import logging
import cio_events
from cio_events.testing import Recorder
from tests.support.scripts import environment, run_python

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
with Recorder() as cio:
    logger.addHandler(cio_events.CustomerIOHandler())
    logger.info("purchase", extra={"cio_customer": "5"})
    logger.info("no tag", extra={"cio_identity": "5"})
    cio.tracked("purchase")
"""


def test_nothing_is_said_that_only_a_recorder_wants_to_hear() -> None:
    """It listens as the option ``debug`` does, and nobody else hears it."""
    assert run_python("-c", SCRIPT, env=environment()) == ("", "")
