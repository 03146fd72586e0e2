"""Connections that fail: refused, broken, stale, slow, misled; and what is not listened to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
import requests.adapters

from cio_events import CustomerIOHandler, Pipeline, SendPush, Track
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, Heard, balanced, eventually, names, said, settled
from tests.support.ports import free_port
from tests.support.servers import (
    Peer,
    ScriptedServer,
    Step,
    answer,
    drip_body,
    drip_headers,
    hang_up,
    raw,
    reset,
    stall,
    truncated,
    unanswered_port,
)

MakePipeline = Callable[..., Pipeline]
each_api = pytest.mark.parametrize("api", ["v1", "v2"])


def close_after(step: Step) -> Step:
    """Close the connection in good order once *step* is done."""

    def closing(peer: Peer) -> bool:
        step(peer)
        return False

    return closing


@each_api
def test_refused_connection_is_tried_until_somebody_listens(
    make: MakePipeline, heard: Heard, api: str, caplog: Any
) -> None:
    """Everything arrives once the server is there; one line says that it was not."""
    port = free_port()
    pipeline = make(track_url=f"http://127.0.0.1:{port}", api=api)
    for n in range(5):
        pipeline.track("5", f"{n}")
    assert eventually(lambda: len(heard.retries) >= 5)
    assert not pipeline.flush(0)
    with Sandbox(port=port) as sandbox:
        stats = settled(pipeline)
        assert names(sandbox) == ["0", "1", "2", "3", "4"]
        assert {request.status for request in sandbox.requests} == {200}

    assert stats.sent == 5
    assert {retry.reason for retry in heard.retries} == {"no_connection"}
    assert stats.retries == len(heard.retries)
    assert len(said(caplog)) == 1


@each_api
@pytest.mark.parametrize(
    ("fault", "read"),
    [
        (reset(), True),
        (reset(read=False), False),
        (hang_up(), True),
        (raw(b"HTTP/1.1 2"), True),
        (raw(b"garbage\r\n\r\n"), True),
        (raw(b""), True),
    ],
    ids=["reset", "reset-unread", "hang-up", "half-a-status", "garbage", "nothing"],
)
def test_broken_connection_is_one_retry(
    make: MakePipeline, heard: Heard, fault: Any, read: bool, api: str
) -> None:
    """A new connection that breaks, before or after the request was read, is tried again once."""
    with ScriptedServer([fault]) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600)
        pipeline.track("5", "x")
        stats = settled(pipeline)
        bodies = [request.body for request in server.requests]
        assert eventually(lambda: server.connections == 2)  # it counts after it has served

    assert (stats.sent, stats.retries) == (1, 1)
    assert len(bodies) == (2 if read else 1)
    assert len(set(bodies)) == 1
    assert [(retry.reason, retry.status) for retry in heard.retries] == [("no_answer", None)]


@each_api
def test_success_that_breaks_off_is_one(make: MakePipeline, heard: Heard, api: str) -> None:
    """Its status is known; sent again, it might break off each time."""
    with ScriptedServer([truncated()]) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600)
        pipeline.track("5", "x")
        stats = settled(pipeline)

    assert (stats.sent, stats.retries, len(server.requests)) == (1, 0, 1)
    assert heard.retries == []


@each_api
def test_kept_connection_that_was_closed_costs_no_delay(
    make: MakePipeline, heard: Heard, api: str
) -> None:
    """Servers close idle connections; that is no failure, and is not counted as one."""
    with ScriptedServer([close_after(answer())] * 4) as server:
        pipeline = make(track_url=server.url, api=api, retry_base=3600, retry_cap=3600)
        for n in range(4):
            pipeline.track("5", f"{n}")
            assert pipeline.flush(LONG)
        count = len(server.requests)

    stats = balanced(pipeline)
    assert (stats.sent, stats.retries, count) == (4, 0, 4)
    assert heard.retries == []
    assert {report.attempts for report in heard.sent} == {1}


@each_api
def test_kept_connection_that_breaks_under_a_request_is_resent_once_at_once(
    make: MakePipeline, heard: Heard, api: str
) -> None:
    """And if the new one breaks too, that is a failure like any other."""
    script = [answer(), reset(), answer(), reset(), reset()]
    with ScriptedServer(script) as server:
        pipeline = make(track_url=server.url, api=api)
        for n in range(3):
            pipeline.track("5", f"{n}")
            assert pipeline.flush(LONG)
        count = len(server.requests)

    # One for the first, two for the second; the third: kept, new, and after its delay.
    stats = balanced(pipeline)
    assert (stats.sent, stats.retries, count) == (3, 1, 6)
    assert len(heard.retries) == 1


@each_api
@pytest.mark.parametrize("fault", [stall(), drip_headers()], ids=["stall", "drip-headers"])
def test_request_has_an_end(make: MakePipeline, heard: Heard, fault: Any, api: str) -> None:
    """A server that never answers, or byte by byte, takes the timeout and not more."""
    with ScriptedServer([fault]) as server:
        pipeline = make(track_url=server.url, api=api, timeout=0.3, flush_interval=3600)
        pipeline.track("5", "x")
        started = time.monotonic()
        stats = settled(pipeline)
        took = time.monotonic() - started
        count = len(server.requests)

    assert (stats.sent, stats.retries, count) == (1, 1, 2)
    assert 0.3 <= took < LONG / 2
    assert [retry.reason for retry in heard.retries] == ["no_answer"]


@each_api
def test_answer_without_an_end_has_its_status(make: MakePipeline, heard: Heard, api: str) -> None:
    """The calls were taken, whatever else the server wanted to say."""
    with ScriptedServer([drip_body()]) as server:
        pipeline = make(track_url=server.url, api=api, timeout=0.3, flush_interval=3600)
        pipeline.track("5", "x")
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.retries, count) == (1, 0, 1)


def test_connecting_has_an_end(make: MakePipeline, heard: Heard) -> None:
    """A host that swallows packets."""
    with unanswered_port() as port:
        pipeline = make(track_url=f"http://127.0.0.1:{port}", timeout=0.2)
        pipeline.track("5", "x")
        assert eventually(lambda: len(heard.retries) >= 2)

    assert {retry.reason for retry in heard.retries} == {"no_connection"}


@pytest.mark.cio_live  # a name that is none of this machine's
def test_name_that_does_not_resolve_is_tried_again(make: MakePipeline, heard: Heard) -> None:
    """As when the network of a laptop is down."""
    pipeline = make(track_url="http://track.customer-io.invalid")
    pipeline.track("5", "x")

    assert eventually(lambda: len(heard.retries) >= 3)
    assert {retry.reason for retry in heard.retries} == {"no_connection"}
    assert balanced(pipeline).pending == 1


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "held"), (407, "held"), (502, "server_error")]
)
@pytest.mark.cio_live  # a name that is none of this machine's
def test_proxy_that_refuses_loses_nothing(
    make: MakePipeline, heard: Heard, status: int, reason: str
) -> None:
    """Its answer is judged as if it came from Customer.io, who cannot be told from it."""
    with ScriptedServer([answer(status)] * 2) as proxy, requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": proxy.url}
        pipeline = make(track_url="http://track.customer-io.invalid", session=session)
        pipeline.track("5", "x")
        assert settled(pipeline).sent == 1
        targets = [request.target for request in proxy.requests]

    assert targets == ["http://track.customer-io.invalid/api/v2/batch"] * 3
    assert [retry.reason for retry in heard.retries] == [reason] * 2


@pytest.mark.parametrize("status", [403, 407, 502])
@pytest.mark.cio_live  # a name that is none of this machine's
def test_proxy_that_refuses_to_connect_loses_nothing(
    make: MakePipeline, heard: Heard, status: int
) -> None:
    """With TLS, no request has left: even a message can wait for better times."""
    with ScriptedServer([close_after(answer(status))] * 9) as proxy, requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": proxy.url}
        pipeline = make(
            track_url="https://track.customer-io.invalid",
            app_url="https://api.customer-io.invalid",
            session=session,
        )
        pipeline.track("5", "x")
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        assert eventually(lambda: len(heard.retries) >= 4)
        assert balanced(pipeline).pending == 2
        pipeline.close(0)

    assert {request.method for request in proxy.requests} == {"CONNECT"}
    reason = "held" if status == 407 else "no_connection"
    assert {retry.reason for retry in heard.retries} == {reason}


def test_message_on_a_kept_connection_that_breaks_is_not_resent(
    make: MakePipeline, heard: Heard
) -> None:
    """What is right for an event would send a message twice."""
    with ScriptedServer([answer(200, b'{"delivery_id":"x","queued_at":5}'), reset()]) as server:
        pipeline = make(app_url=server.url)
        for n in range(2):
            pipeline.send(SendPush(transactional_message_id=n, identifiers="5"))
            assert pipeline.flush(LONG)
        count = len(server.requests)

    assert count == 2
    assert balanced(pipeline).failed_by_reason == {"ambiguous": 1}


class Faulty(requests.adapters.HTTPAdapter):
    """An adapter of the application's that raises what none should, some times."""

    def __init__(self, times: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = times, error

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Raise, or send."""
        if self.left:
            self.left -= 1
            raise self.error
        return super().send(*args, **kwargs)


@each_api
@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), KeyError("secret"), ValueError("secret")]
)
def test_adapter_that_raises_anything_loses_nothing(
    make: MakePipeline, sandbox: Sandbox, caplog: Any, error: Exception, api: str
) -> None:
    """The thread goes on, and so does delivery; what was raised is not quoted."""
    with requests.Session() as session:
        session.mount("http://", Faulty(3, error))
        pipeline = make(session=session, api=api, flush_interval=3600)
        for n in range(10):
            pipeline.track(f"{n}", f"{n}")
        stats = settled(pipeline)
        pipeline.close()

    assert stats.sent == 10
    assert sorted(names(sandbox)) == [str(n) for n in range(10)]
    assert not any("secret" in line for line in said(caplog))


def test_adapter_that_raises_under_a_message_leaves_a_doubt(
    make: MakePipeline, sandbox: Sandbox
) -> None:
    """Nobody knows how far it came, so it is not sent again."""
    with requests.Session() as session:
        session.mount("http://", Faulty(1, RuntimeError()))
        pipeline = make(session=session, app_url=sandbox.url)
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        assert settled(pipeline).failed_by_reason == {"ambiguous": 1}
        pipeline.close()

    assert sandbox.messages == []


@pytest.mark.parametrize("pending", [1, 100])
def test_we_never_listen_to_ourselves(
    make: MakePipeline, caplog: Any, pending: int, later: Callable[[float], None]
) -> None:
    """
    No record of ours, of requests or of urllib3 is ever taken.

    Not with a handler on the root logger, at DEBUG, while a server always fails: the number of
    requests is the policy's.
    """
    root = logging.getLogger()
    before = root.level
    seen: list[str] = []
    with ScriptedServer([answer(500)] * 10_000) as server:
        pipeline = make(track_url=server.url, max_pending=pending, max_age=60, flush_interval=3600)
        handler = CustomerIOHandler(pipeline)
        watcher = logging.Handler()
        watcher.emit = lambda record: seen.append(record.name)  # type: ignore[method-assign]
        root.addHandler(handler)
        root.addHandler(watcher)
        root.setLevel(logging.DEBUG)
        # Whatever these loggers say carries a tag, as a filter or a factory may add one.
        factory = logging.getLogRecordFactory()

        def tagging(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = factory(*args, **kwargs)
            if record.name.startswith(("cio_events", "urllib3", "requests")):
                record.cio_customer = "5"
            return record

        logging.setLogRecordFactory(tagging)
        try:
            for _ in range(pending + 5):
                logging.getLogger("app").info("bought", extra={"cio_customer": "5"})
            pipeline.flush(0)
            assert eventually(lambda: len(server.requests) > 3)
            later(90)
            stats = settled(pipeline)
        finally:
            logging.setLogRecordFactory(factory)
            root.setLevel(before)
            root.removeHandler(handler)
            root.removeHandler(watcher)
        count = len(server.requests)

    assert any(name.startswith("urllib3") for name in seen)
    assert any(name.startswith("cio_events") for name in seen)
    assert stats.received == pending + 5
    assert stats.failed_by_reason == {"expired": pending}
    assert stats.dropped_by_reason == {"full": 5}
    assert count == stats.retries + 1


def test_logging_handlers_that_raise_or_hang_do_not_stop_delivery(
    make: MakePipeline, sandbox: Sandbox
) -> None:
    """What the application does with our lines is its own affair."""
    logger, go = logging.getLogger("cio_events"), threading.Event()

    class Raising(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:  # type: ignore[override]
            """Raise, as handlers should not."""
            raise RuntimeError("no disk")

    class Hanging(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            """Wait for something that takes its time."""
            go.wait(LONG)

    for handler in (Raising(), Hanging()):
        logger.addHandler(handler)
        go.clear()
        try:
            sandbox.fail_next(401, times=1)
            pipeline = make()
            pipeline.send(Track("5", "x"))
            if isinstance(handler, Hanging):
                assert not pipeline.flush(0.2)
                pipeline.track("5", "y")
                assert not pipeline.close(0.2)
                assert balanced(pipeline).pending == 0
                go.set()
            else:
                assert settled(pipeline).sent == 1
        finally:
            go.set()
            logger.removeHandler(handler)
