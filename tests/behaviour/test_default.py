"""Which pipeline a record goes to that is told none: the default, and handlers' own."""

from __future__ import annotations

import logging
import logging.config
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cio_events import configure, get_pipeline
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.sandbox import Sandbox

SITE: dict[str, Any] = {"site_id": "s", "api_key": "k", "flush_interval": 0}
LONG = 20.0


@pytest.fixture
def environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment."""
    for name, value in (("SITE_ID", "s"), ("API_KEY", "k"), ("TRACK_URL", sandbox.url)):
        monkeypatch.setenv(f"CIO_{name}", value)


def its(handler: CustomerIOHandler) -> Pipeline:
    """The pipeline that the handler's options made."""
    assert handler._own is not None
    return handler._own


_of_others: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _threads_of_others() -> Iterator[None]:
    """What an earlier test has left running is none of this one's."""
    _of_others.update(threading.enumerate())
    yield
    _of_others.clear()


def threads() -> int:
    """How many flushing threads have begun in this test, and run."""
    begun = {*threading.enumerate()} - _of_others
    return sum(thread.name == "cio_events" for thread in begun)


def wait_for_threads(count: int) -> None:
    """Wait until there are so many."""
    end = time.monotonic() + LONG
    while threads() != count and time.monotonic() < end:
        time.sleep(0.01)
    assert threads() == count


def test_what_was_configured_goes_first(environment: None, sandbox: Sandbox) -> None:
    """Before the environment's, and before a handler's."""
    CustomerIOHandler(**SITE, track_url=sandbox.url)
    pipeline = configure(**SITE, track_url=sandbox.url, api="v1")

    assert get_pipeline() is pipeline


def test_configure_as_a_getter_replaces_nothing(environment: None, sandbox: Sandbox) -> None:
    """It gives the default, whatever that is."""
    assert configure() is get_pipeline()
    pipeline = configure(**SITE, track_url=sandbox.url, api="v1")

    assert configure() is get_pipeline() is pipeline


def test_the_environment_goes_before_a_handler(environment: None, sandbox: Sandbox) -> None:
    """A handler's options are its own."""
    handler = CustomerIOHandler(**SITE, track_url=sandbox.url, api="v1")

    assert get_pipeline() is not its(handler)
    assert get_pipeline().options.api == "v2"


def test_a_handler_s_is_the_default_where_there_is_no_other(sandbox: Sandbox) -> None:
    """Whether it was made before the first call or after: what works is better than what drops."""
    assert get_pipeline().options.site_id is None
    handler = CustomerIOHandler(**SITE, track_url=sandbox.url)

    assert get_pipeline() is its(handler)


def test_several_handlers_the_first_one_is_the_default_and_it_is_said(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Once."""
    first = CustomerIOHandler(**SITE, track_url=sandbox.url)
    second = CustomerIOHandler(**SITE, track_url=sandbox.url, api="v1")

    assert get_pipeline() is get_pipeline() is its(first)
    assert its(second) is not its(first)
    (message,) = caplog.messages
    assert "several CustomerIOHandlers" in message


def test_the_same_options_are_the_same_pipeline(sandbox: Sandbox) -> None:
    """Of handlers, and of configure."""
    first = CustomerIOHandler(**SITE, track_url=sandbox.url)
    second = CustomerIOHandler(track_url=sandbox.url, **SITE)

    assert its(first) is its(second) is configure(**SITE, track_url=sandbox.url)


def test_a_handler_without_credentials_configures_the_environments(environment: None) -> None:
    """``region=`` alone, say."""
    handler = CustomerIOHandler(api="v1")

    assert get_pipeline() is its(handler)
    assert get_pipeline().options.site_id == "s"


def test_a_later_dict_config_redirects_nobody(environment: None, sandbox: Sandbox) -> None:
    """Who uses the default goes on with it; the handler has what it was given."""
    with Sandbox() as other:
        before = get_pipeline()
        handler = CustomerIOHandler(site_id="s2", api_key="k2", track_url=other.url)
        with_region = CustomerIOHandler(api="v1")

        assert get_pipeline() is before
        assert before not in (its(handler), its(with_region))
        CustomerIOProcessor()(None, "info", {"event": "default", "cio_customer": "5"})
        handler.handle(logging.makeLogRecord({"msg": "own", "cio_customer": "5"}))
        assert before.flush(LONG)
        assert its(handler).flush(LONG)

        assert [event.name for event in sandbox.events] == ["default"]
        assert [event.name for event in other.events] == ["own"]


def test_thirty_configurations_keep_one_thread(sandbox: Sandbox) -> None:
    """What the ones before have is delivered, and then their threads go."""
    for number in range(30):
        pipeline = configure(**SITE, track_url=sandbox.url, max_pending=100 + number)
        pipeline.track("5", f"event {number}")

    wait_for_threads(1)
    assert pipeline.flush(LONG)
    assert len(sandbox.events) == 30


def test_thirty_dict_configs_keep_two_threads(sandbox: Sandbox) -> None:
    """The first handler's pipeline is the default; the last one's is in use."""
    logger = logging.getLogger("shop_of_default")
    for number in range(30):
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()
        options = {**SITE, "track_url": sandbox.url, "max_pending": 100 + number}
        logger.addHandler(CustomerIOHandler(**options))
        logger.warning("event", extra={"cio_customer": "5"})
        if number == 0:
            assert get_pipeline() is its(logger.handlers[0])  # type: ignore[arg-type]

    wait_for_threads(2)
    last = logger.handlers.pop()
    for pipeline in (get_pipeline(), its(last)):  # type: ignore[arg-type]
        assert pipeline.flush(LONG)
    last.close()
    assert len(sandbox.events) == 30


def test_a_retired_pipeline_works_again(sandbox: Sandbox) -> None:
    """Somebody may still have it."""
    first = configure(**SITE, track_url=sandbox.url)
    first.track("5", "before")
    second = configure(**SITE, track_url=sandbox.url, api="v1")
    wait_for_threads(0)
    first.track("5", "after")

    assert first.flush(LONG)
    assert second.flush(LONG)
    assert [event.name for event in sandbox.events] == ["before", "after"]


def test_retiring_loses_nothing(sandbox: Sandbox) -> None:
    """Whatever comes at the same moment."""
    pipeline = configure(**SITE, track_url=sandbox.url)
    for number in range(300):
        pipeline.track("5", f"event {number}")
        pipeline.retire()

    assert pipeline.flush(LONG)
    assert pipeline.stats().sent == 300


def test_a_misspelt_variable_is_said_once(
    environment: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was to change stays as it is; a name that is nothing of ours is nobody's mistake."""
    monkeypatch.setenv("CIO_FLUSHINTERVAL", "3")
    monkeypatch.setenv("CIO_OFFICE_PHONE", "0")

    get_pipeline()
    configure(region="eu")

    said = [one for one in caplog.messages if "is no setting" in one]
    assert said == ["CIO_FLUSHINTERVAL is no setting, and is not read; is it CIO_FLUSH_INTERVAL?"]
