"""What became of this process's calls, and what runs the process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import uvicorn.server

import cio_events
from cio_events import Pipeline, Track, flushing
from cio_events._pipeline import default
from cio_events.doctor import delivery
from cio_events.doctor.subject import Subject
from cio_events.integrations.asgi import DeliverAtShutdown
from tests.doctor.settings_of import GOOD, subject
from tests.support.servers import ScriptedServer, Step, answer

LONG = 30.0


@pytest.fixture
def made() -> Iterator[Callable[..., Pipeline]]:
    """Makes the default pipeline, which delivers to a server that plays a script."""
    closing: list[Any] = []

    def make(*script: Step, **options: Any) -> Pipeline:
        server = ScriptedServer(script)
        pipeline = Pipeline(
            site_id="site", api_key="key", track_url=server.url, flush_interval=0, **options
        )
        closing.extend((pipeline, server))
        default.process.default = pipeline
        return pipeline

    yield make
    for one in closing:
        one.close(0) if isinstance(one, Pipeline) else one.close()


def bad(environ: dict[str, str] | None = None) -> dict[str, str]:
    """What is found, by id, with its title and why."""
    looked = Subject(network=False, has_application=True, environ=environ or {})
    return {one.id: f"{one.title} {one.why}" for one in delivery.look(looked)}


def test_nothing_was_made() -> None:
    """Nothing is made by looking either."""
    assert set(bad()) == {"S701"}
    assert default.process.default is None


def test_what_was_sent_is_counted(made: Callable[..., Pipeline]) -> None:
    """Where all is well."""
    pipeline = made()
    pipeline.send(Track("5", "purchase"))
    assert pipeline.flush(LONG)

    assert bad() == {"I700": "1 call sent and 0 pending in this process "}


def test_what_is_held_is_told_with_since_when(made: Callable[..., Pipeline]) -> None:
    """The settings are refused."""
    pipeline = made(answer(401), answer(401), answer(401))
    pipeline.send(Track("5", "purchase"))
    pipeline.flush(0.5)

    found = bad()
    assert set(found) == {"E703"}
    assert "Waiting: 1 call, since " in found["E703"]
    assert "Delivery to the Track API is held" in found["E703"]
    assert "(3 days)" in found["E703"]


def test_what_fails_for_now_is_told(made: Callable[..., Pipeline]) -> None:
    """With how often, and when it is tried again."""
    pipeline = made(*[answer(503)] * 9, retry_base=60)
    pipeline.send(Track("5", "purchase"))
    pipeline.flush(0.5)

    assert set(bad()) == {"W704"}


def test_what_was_dropped_or_failed_is_told_by_reason(made: Callable[..., Pipeline]) -> None:
    """With what it means."""
    pipeline = made(before_send=lambda call: None)
    pipeline.send(Track("5", "purchase"))
    pipeline.send("no call")  # type: ignore[arg-type]

    found = bad()
    assert set(found) == {"W705", "W706"}
    assert "`before_send`" in found["W705"]
    assert "`invalid`" in found["W706"]


def test_a_closed_default_is_found(made: Callable[..., Pipeline]) -> None:
    """It drops all that comes."""
    made().close(LONG)

    assert set(bad()) == {"E702"}


def test_a_thread_that_stayed_in_the_parent_is_found(made: Callable[..., Pipeline]) -> None:
    """In a child that was forked without Python's hooks."""
    pipeline = made()
    pipeline.send(Track("5", "purchase"))
    assert pipeline.flush(LONG)
    gone = threading.Thread(target=int)
    gone.start()
    gone.join()
    worker = pipeline._worker
    alive, worker._thread = worker._thread, gone

    assert set(bad()) == {"E709"}
    worker._thread = alive


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {
                "enable-threads": True,
                "hook-master-start": b"unix_signal:15 gracefully_kill_them_all",
            },
            set(),
        ),
        ({"hook-master-start": b"unix_signal:15 gracefully_kill_them_all"}, {"E707"}),
        ({"enable-threads": True}, {"W710"}),
        ({"enable-threads": True, "die-on-term": b"true"}, {"W710"}),
    ],
)
def test_what_uwsgi_needs_is_found(
    options: dict[str, object], expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads, and the hook of its page."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))  # type: ignore[arg-type]

    assert set(bad()) - {"S701"} == expected


def test_gevent_that_came_too_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3 has the ssl of before."""
    monkey = ModuleType("gevent.monkey")
    monkey.is_module_patched = lambda name: name == "ssl"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    import urllib3.util.ssl_

    assert set(bad()) == {"S701"}
    monkeypatch.setattr(urllib3.util.ssl_, "SSLContext", type("SSLContext", (), {}))
    assert set(bad()) == {"S701", "E708"}


def test_a_function_of_lambda_without_flushing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none that has it."""
    environ = {"AWS_LAMBDA_FUNCTION_NAME": "shop"}
    monkeypatch.setattr(flushing, "made", False)
    assert set(bad(environ)) == {"S701", "W711"}

    cio_events.flushing()

    assert set(bad(environ)) == {"S701"}
    assert not [one for one in delivery.look(subject(environ)) if one.id == "W711"]


def test_a_uvicorn_that_is_not_known_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the application has the line for it; the one that is known delivers by itself."""
    monkeypatch.setattr(DeliverAtShutdown, "made", False)
    module = ModuleType("uvicorn.server")
    module.Server = type("Server", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uvicorn.server", module)
    assert set(bad()) == {"S701", "W714"}

    DeliverAtShutdown(None)  # type: ignore[arg-type]
    assert set(bad()) == {"S701"}

    monkeypatch.setattr(DeliverAtShutdown, "made", False)
    monkeypatch.setitem(sys.modules, "uvicorn.server", uvicorn.server)
    assert set(bad()) == {"S701"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"K_SERVICE": "shop", "CIO_EXIT_TIMEOUT": "20"}, True),
        ({"K_SERVICE": "shop", "CIO_EXIT_TIMEOUT": "inf"}, True),
        ({"DYNO": "web.1", "CIO_EXIT_TIMEOUT": "20"}, False),
        ({"K_SERVICE": "shop"}, False),
    ],
)
def test_an_exit_that_takes_longer_than_it_gets_is_found(
    environ: dict[str, str], expected: bool
) -> None:
    """By what runs the process."""
    assert ("W712" in bad(GOOD | environ)) == expected
