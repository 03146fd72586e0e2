"""
A time limit in the midst of a request, at whatever it waits for, reaches its owner as it is.

The libraries beneath take one of some kinds for an error of the connection's, and we must not.
"""

from __future__ import annotations

import ctypes
import logging
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
from rq.timeouts import JobTimeoutException

from cio_events import AppClient, NoAnswerError, Pipeline, SendEmail, TrackClient
from tests.http.asking import server_context
from tests.support import garbage
from tests.support.alarms import handled
from tests.support.limits import LIMITS, LimitError, alarmed, forgetful
from tests.support.servers import (
    Peer,
    ScriptedServer,
    Step,
    answer,
    head,
    unanswered_port,
)

if TYPE_CHECKING:
    import trustme

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX signals")

EMAIL = SendEmail(
    to="lucy@example.com", transactional_message_id="welcome", identifiers={"id": "5"}
)
SECRETS = ("api-key-canary", "YXBpLWtleS1jYW5hcnk", "lucy@example.com")


def alarm(peer: Peer) -> bool:
    """Have the alarm go off in the thread that waits for this server, and leave it waiting."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGALRM)
    peer.stall()
    return False


def read_and_alarm(peer: Peer) -> bool:
    """Before anything is answered."""
    peer.read()
    return alarm(peer)


def begin_and_alarm(peer: Peer) -> bool:
    """Within the answer's headers."""
    peer.read()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-")
    return alarm(peer)


def break_off_and_alarm(peer: Peer) -> bool:
    """Within the answer's body."""
    peer.read()
    peer.send(head(200, 1_000) + b'{"deli')
    return alarm(peer)


READING = [read_and_alarm, begin_and_alarm, break_off_and_alarm]


def track(url: str, session: requests.Session | None = None) -> None:
    """Send an event now."""
    with TrackClient("site", "api-key-canary", url=url, timeout=30, session=session) as client:
        client.track("lucy@example.com", "bought")


def message(url: str, session: requests.Session | None = None) -> None:
    """Send a message now."""
    with AppClient("api-key-canary", url=url, timeout=30, session=session) as client:
        client.send(EMAIL)


CLIENTS = [track, message]


def values_in(error: BaseException) -> str:
    """What an error tracker shows of *error*: the variables of each frame of ours."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return "\n".join(repr(frame.f_locals) for frame in frames if _is_beneath(frame))


def _is_beneath(frame: Any) -> bool:
    return str(frame.f_globals["__name__"]).partition(".")[0] in ("urllib3", "requests", "http")


@pytest.mark.parametrize("limit", list(LIMITS))
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("step", READING)
def test_while_the_answer_is_awaited(
    client: Callable[[str], None], step: Step, limit: str
) -> None:
    """It is none of our errors, has none of theirs for its cause, and shows no frame of theirs."""
    handler, kind = LIMITS[limit]
    with ScriptedServer([step]) as server, handled(handler):
        with pytest.raises(kind) as raised:
            client(server.url)

        assert type(raised.value) is kind
        assert raised.value.__cause__ is None
        assert not any(secret in values_in(raised.value) for secret in SECRETS)
        assert server.connections == 1


# It may come between the making of a socket and the line that guards it.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("limit", ["celery", "alarm", "Ctrl-C"])
@pytest.mark.parametrize("client", CLIENTS)
def test_while_a_connection_is_made(client: Callable[[str], None], limit: str) -> None:
    """No other address is tried then."""
    handler, kind = LIMITS[limit]
    with unanswered_port() as port, pytest.raises(kind):
        alarmed(handler, lambda: client(f"http://localhost:{port}"))


@pytest.mark.parametrize("limit", ["celery", "alarm", "Ctrl-C"])
@pytest.mark.parametrize("client", CLIENTS)
def test_while_tls_begins(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, client: Callable[[str], None], limit: str
) -> None:
    """The server never says a word."""
    handler, kind = LIMITS[limit]

    def serve(sock: socket.socket, *_: object) -> None:
        with sock:
            alarm(Peer(server, sock, 0, 0))

    with ScriptedServer(tls=server_context(ca)) as server, handled(handler):
        monkeypatch.setattr(server, "_serve", serve)
        with pytest.raises(kind):
            client(server.url)


# PySocks leaves it to the garbage collector to close what was interrupted.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("limit", ["celery", "alarm"])
def test_while_a_proxy_is_awaited(scheme: str, limit: str) -> None:
    """PySocks takes what is raised then for an error of the proxy's."""
    handler, kind = LIMITS[limit]
    with ScriptedServer([alarm]) as proxy, handled(handler), requests.Session() as session:
        session.proxies = {"https": f"{scheme}://127.0.0.1:{proxy.port}"}
        with pytest.raises(kind):
            track("https://localhost:1", session)
    garbage.collect()


def test_in_a_hook_of_the_applications_session() -> None:
    """The answer is there; but what a signal's handler raises is no error of the hook's."""

    def wait(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGALRM)

    with ScriptedServer([answer()]) as server, requests.Session() as session:
        session.hooks["response"].append(wait)
        with handled(forgetful), pytest.raises(LimitError):
            track(server.url, session)


# It may come between the making of a socket and the line that guards it.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_one_that_is_raised_into_the_thread() -> None:
    """As RQ's is where there are no signals."""

    def read_and_raise(peer: Peer) -> bool:
        peer.read()
        raised = ctypes.py_object(JobTimeoutException)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), raised)
        while not peer.server.closing.wait(0.02):  # so that the thread wakes now and then
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    main = threading.get_ident()
    with ScriptedServer([read_and_raise]) as server, pytest.raises(JobTimeoutException):
        track(server.url)


def test_what_the_caller_handles_is_no_part_of_it() -> None:
    """Who tells Customer.io of a time limit gets the errors of that."""

    def exceeded() -> None:
        with handled(forgetful):
            signal.raise_signal(signal.SIGALRM)

    try:
        exceeded()
    except LimitError:
        with pytest.raises(NoAnswerError):
            track("http://127.0.0.1:1")


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Pipeline]]:
    """Pipelines without a thread, whose calls the one that waits for them delivers."""
    made: list[Pipeline] = []
    logging.getLogger("cio_events").addHandler(quiet := logging.NullHandler())
    yield lambda url: made.append(_threadless(monkeypatch, url)) or made[-1]
    for pipeline in made:
        pipeline.close(0)
    logging.getLogger("cio_events").removeHandler(quiet)


def _threadless(monkeypatch: pytest.MonkeyPatch, url: str) -> Pipeline:
    pipeline = Pipeline(
        site_id="site", api_key="key", app_api_key="key", track_url=url, app_url=url, timeout=30
    )
    monkeypatch.setattr(pipeline._worker, "_threaded", False)
    monkeypatch.setattr(pipeline._worker._dispatcher._couriers, "take", lambda task: False)
    return pipeline


@pytest.mark.parametrize("limit", list(LIMITS))
def test_a_flush_that_delivers_itself(inline: Callable[[str], Pipeline], limit: str) -> None:
    """It reaches whoever flushes, and the next flush delivers what was interrupted."""
    handler, kind = LIMITS[limit]
    with ScriptedServer([read_and_alarm]) as server:
        pipeline = inline(server.url)
        assert pipeline.track("5", "bought")
        with handled(handler), pytest.raises(kind):
            pipeline.flush(30)

        assert pipeline.stats().pending == 1
        assert pipeline.flush(30)
        assert pipeline.stats().sent == 1
        first, second = (request.json["batch"] for request in server.requests)
        assert first == second


@pytest.mark.parametrize("limit", ["celery", "Ctrl-C"])
def test_a_message_that_was_interrupted_goes_no_second_time(
    inline: Callable[[str], Pipeline], limit: str
) -> None:
    """It may have arrived."""
    handler, kind = LIMITS[limit]
    with ScriptedServer([read_and_alarm]) as server:
        pipeline = inline(server.url)
        assert pipeline.send(EMAIL)
        with handled(handler), pytest.raises(kind):
            pipeline.flush(30)

        assert pipeline.flush(30)
        assert (pipeline.stats().failed, len(server.requests)) == (1, 1)
