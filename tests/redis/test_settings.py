"""What the options of a relay say, and what is wrong with them."""

from __future__ import annotations

import importlib.util

import pytest

import cio_events
from cio_events import ParamError, Pipeline
from cio_events._http import loopback
from cio_events._pipeline import recording
from tests.behaviour.watching import balanced, said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://s3cret@localhost", 'must be a URL that begins with "redis://"'),
        ("redis://s3cret@localhost:99999", "must be a URL"),
        ("redis://:s3cret@", "must say where Redis is"),
        ("unix://", "must say where Redis is"),
    ],
)
def test_a_wrong_url_is_an_error_that_does_not_show_it(url: str, words: str):
    """It names the option."""
    with pytest.raises(ParamError, match=r"^relay") as caught:
        Pipeline(relay=url)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["a{b", "}", "", "é", "x" * 101])
def test_a_wrong_prefix_is_an_error(prefix: str):
    """It would have keys in other slots of a cluster."""
    with pytest.raises(ParamError, match=r"^relay_prefix"):
        Pipeline(relay="redis://localhost", relay_prefix=prefix)


def test_without_redis_py_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    """Given in code it raises; in the environment calls are dropped as unconfigured."""
    monkeypatch.setattr("cio_events._redis.connection.find_spec", lambda _: None)
    with pytest.raises(ParamError, match=r"pip install 'cio-events\[relay\]'"):
        Pipeline(relay="redis://localhost")
    monkeypatch.setenv("CIO_RELAY", "redis://localhost")
    with Pipeline() as pipeline:
        assert not pipeline.track("5", "lost")
        assert balanced(pipeline).dropped_by_reason == {"unconfigured": 1}


def test_a_url_that_redis_py_cannot_read_holds(caplog: pytest.LogCaptureFixture):
    """Nothing is lost, and the option is named."""
    assert importlib.util.find_spec("redis")
    with Pipeline(relay="redis://localhost?db=x", flush_interval=0.01) as pipeline:
        pipeline.track("5", "waits")
        for _ in range(300):  # redis-py takes a while to be imported
            assert not pipeline.flush(0.1)
            if said(caplog):
                break
        assert pipeline.stats().pending == 1
        pipeline.close(0)
    assert any("look at the option relay" in line for line in said(caplog))


def test_the_environment_makes_the_default_pipeline(monkeypatch: pytest.MonkeyPatch):
    """Without any credentials of Customer.io's."""
    monkeypatch.setenv("CIO_RELAY", "redis://localhost")
    assert cio_events.get_pipeline().options.relay == "redis://localhost"
    assert "localhost" not in repr(cio_events.get_pipeline().options)


def test_a_process_bound_to_loopback_reaches_no_redis_beyond(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """As it reaches no Customer.io."""
    monkeypatch.setattr(loopback, "_bound", True)
    monkeypatch.setattr(recording, "on", True)
    with Pipeline(relay="redis://queue.example:6379") as pipeline:
        assert not pipeline.track("5", "kept")
    assert any("queue.example" in line for line in said(caplog))
    assert loopback.noted.pop().host == "queue.example"
