"""
What becomes of one request: over real sockets, against servers that misbehave in every way.
"""

from __future__ import annotations

import base64
import contextvars
import json
import os
import pickle
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter

from cio_events._http.adapter import DeadlineAdapter
from cio_events._http.deadline import deadline
from cio_events._http.endpoint import (
    APP_URLS,
    TRACK_URLS,
    USER_AGENT,
    Endpoint,
    app_url,
    basic,
    bearer,
    track_url,
)
from cio_events._wire.request import Request
from cio_events.errors import AnswerTimeoutError, CustomerIOError, NoAnswerError, ParamError
from cio_events.version import __version__
from tests.support.servers import (
    ScriptedServer,
    Step,
    answer,
    drip_body,
    drip_headers,
    hang_up,
    raw,
    redirect,
    reset,
    stall,
    stall_handshake,
    truncated,
    tunnel,
    unanswered_port,
)

# What a request gets that must time out, and what a test grants it to do so: without a deadline
# over the whole of the exchange, the servers here go on forever.
BUDGET = 0.4
GENEROUS = 20.0

REQUEST = Request("POST", "/api/v2/entity", b'{"who":"lucy@example.com"}')
SECRET_PATH = Request("PUT", "/api/v1/customers/lucy%40example.com", b"{}")


@pytest.fixture(autouse=True)
def _no_network_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the environment says of proxies and certificates is for the tests to say.
    """
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@pytest.fixture
def ca() -> trustme.CA:
    """
    An authority for certificates that nobody trusts yet.
    """
    return trustme.CA()


@pytest.fixture
def tls_server(ca: trustme.CA) -> Iterator[ScriptedServer]:
    """
    A server at ``https://localhost``.
    """
    with ScriptedServer(tls=_server_context(ca)) as server:
        yield server


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    """
    The authority's own certificate, for whoever shall trust it.
    """
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


def _server_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return context


def endpoint(url: str, **options: object) -> Endpoint:
    """
    A client of the server at *url*.
    """
    return Endpoint(url, basic("site", "key"), **options)


def failure(url: str, request: Request = REQUEST, **options: object) -> NoAnswerError:
    """
    What a request that must fail fails with, in a time that a deadline explains.
    """
    timeout = options.pop("timeout", BUDGET)
    repeatable = options.pop("repeatable", True)
    client = endpoint(url, **options)
    started = time.monotonic()
    with pytest.raises(NoAnswerError) as raised:
        client.send(request, timeout=timeout, repeatable=repeatable)
    client.close()

    assert time.monotonic() - started < GENEROUS
    return raised.value


class TestWhatIsSent:
    def test_the_method_the_path_and_the_body_arrive_as_they_are(self) -> None:
        """
        A percent-encoded slash stays encoded, and the body is not written anew.
        """
        body = b'{"b": 1,"a":"\xc3\xa9"}'
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(Request("PUT", "/api/v1/customers/a%2Fb%40c~d%20%C3%A9", body))
            client.close()
        (received,) = server.requests

        assert received.method == "PUT"
        assert received.target == "/api/v1/customers/a%2Fb%40c~d%20%C3%A9"
        assert received.body == body
        assert received.headers["content-type"] == "application/json"

    def test_basic_credentials_are_utf8_in_standard_base64(self) -> None:
        """
        Alone, requests would write them in Latin-1; go-customerio takes the URL-safe alphabet.
        """
        with ScriptedServer() as server:
            client = Endpoint(server.url, basic("sïte>?", "kéy??>>ÿ"))
            client.send(REQUEST)
            client.close()
        scheme, _, value = server.requests[0].headers["authorization"].partition(" ")

        assert scheme == "Basic"
        assert base64.b64decode(value, validate=True) == "sïte>?:kéy??>>ÿ".encode()

    def test_bearer_credentials(self) -> None:
        """
        The App API's key is sent as a bearer token.
        """
        with ScriptedServer() as server:
            client = Endpoint(server.url, bearer("app-key"))
            client.send(REQUEST)
            client.close()

        assert server.requests[0].headers["authorization"] == "Bearer app-key"

    @pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
    def test_every_method_has_our_user_agent(self, method: str) -> None:
        """
        That of go-customerio's DELETE is Go's own.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(Request(method, "/x", None))
            client.close()
        headers = server.requests[0].headers

        assert headers["user-agent"] == USER_AGENT
        assert USER_AGENT.startswith(f"cio-events/{__version__} (Python 3.")
        assert "content-type" not in headers

    def test_a_user_agent_of_ones_own(self) -> None:
        """
        It replaces ours.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url, user_agent="shop/1.0")
            client.send(REQUEST)
            client.close()

        assert server.requests[0].headers["user-agent"] == "shop/1.0"

    def test_a_netrc_does_not_replace_the_credentials(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        It is what requests reads for whoever gives it no ``auth``.
        """
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login someone password else\n")
        monkeypatch.setenv("NETRC", str(netrc))
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            client.close()

        expected = base64.b64encode(b"site:key").decode()
        assert server.requests[0].headers["authorization"] == f"Basic {expected}"

    def test_more_headers_can_be_sent(self) -> None:
        """
        They are added to our own.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(REQUEST, headers={"X-Trace": "1"})
            client.close()

        assert server.requests[0].headers["x-trace"] == "1"

    def test_one_connection_carries_request_after_request(self) -> None:
        """
        A new one for each would cost a handshake each.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url)
            for _ in range(5):
                client.send(REQUEST)
            client.close()

        assert len(server.requests) == 5
        assert server.connections == 1

    def test_several_threads_send_at_once(self) -> None:
        """
        Each gets the answer to its own request.
        """
        steps = []
        for _ in range(64):

            def echo(peer) -> bool:
                received = peer.read()
                return _send_answer(peer, received.body)

            steps.append(echo)
        got: dict[int, bytes] = {}
        with ScriptedServer(steps) as server:
            client = endpoint(server.url)

            def send(start: int) -> None:
                for number in range(start, start + 8):
                    got[number] = client.send(Request("POST", "/x", b"%d" % number)).body

            threads = [threading.Thread(target=send, args=(n * 8,)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(GENEROUS)
            client.close()

        assert got == {number: b"%d" % number for number in range(64)}


def _send_answer(peer, body: bytes) -> bool:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    return True


class TestWhatIsAnswered:
    def test_the_answer_has_status_headers_and_body(self) -> None:
        """
        Header names in any case; the status is not judged here.
        """
        with ScriptedServer([answer(429, b"slow down", {"Retry-After": "7"})]) as server:
            client = endpoint(server.url)
            got = client.send(REQUEST)
            client.close()

        assert (got.status, got.body) == (429, b"slow down")
        assert got.headers["retry-after"] == "7"
        assert got.headers.get("RETRY-AFTER") == "7"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("location", ["/elsewhere", "https://track-eu.customer.io/", "//["])
    def test_a_redirect_is_an_answer_and_not_followed(self, status: int, location: str) -> None:
        """
        A followed 301 turns POST into GET and loses the event.

        A target that is no URL does no harm.
        """
        with ScriptedServer([redirect(location, status)]) as server:
            client = endpoint(server.url)
            got = client.send(REQUEST)
            client.send(REQUEST)
            client.close()

        assert (got.status, got.headers["Location"]) == (status, location)
        assert [received.method for received in server.requests] == ["POST", "POST"]

    def test_an_endless_answer_is_given_up(self) -> None:
        """
        Its size is bounded, so that nothing that answers takes all memory.
        """
        endless = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(9_000_000))
        with ScriptedServer([endless]) as server:
            error = failure(server.url, timeout=GENEROUS)

        assert error.maybe_received
        assert "too long" in str(error)

    def test_cookies_are_not_kept(self) -> None:
        """
        Calls have no state at Customer.io that is not in them.
        """
        with ScriptedServer([answer(headers={"Set-Cookie": "a=1"})]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            client.send(REQUEST)
            client.close()

        assert "cookie" not in server.requests[1].headers


STALLS: dict[str, Step] = {
    "before reading": stall(read=False),
    "after reading": stall(),
    "in the headers, which drip": drip_headers(),
    "in the body, which drips": drip_body(),
}


class TestTheDeadline:
    @pytest.mark.parametrize("where", STALLS)
    def test_covers_a_server_that_stalls(self, where: str) -> None:
        """
        The timeout is for all of the exchange, not for each wait.
        """
        with ScriptedServer([STALLS[where]]) as server:
            error = failure(server.url)

        assert isinstance(error, AnswerTimeoutError)
        assert isinstance(error, TimeoutError)
        assert error.maybe_received

    @pytest.mark.parametrize("where", STALLS)
    def test_covers_a_server_that_stalls_over_tls(
        self, where: str, tls_server: ScriptedServer, ca_file: str
    ) -> None:
        """
        The same for an encrypted connection.
        """
        tls_server.then(STALLS[where])
        session = requests.Session()
        session.verify = ca_file
        error = failure(tls_server.url, session=session)

        assert isinstance(error, AnswerTimeoutError)
        assert error.maybe_received

    def test_covers_a_body_that_nobody_reads(self) -> None:
        """
        A request larger than the buffers of the network does not fit into them.
        """
        request = Request("POST", "/x", bytes(20_000_000))
        with ScriptedServer([stall(read=False)]) as server:
            error = failure(server.url, request)

        assert isinstance(error, AnswerTimeoutError)
        assert error.maybe_received

    def test_covers_connecting(self) -> None:
        """
        Then it is certain that nothing was received.
        """
        with unanswered_port() as port:
            error = failure(f"http://127.0.0.1:{port}")

        assert isinstance(error, AnswerTimeoutError)
        assert not error.maybe_received

    def test_covers_the_tls_handshake(self, tls_server: ScriptedServer, ca_file: str) -> None:
        """
        No request can have been sent before its end.
        """
        tls_server.then(stall_handshake())
        session = requests.Session()
        session.verify = ca_file
        error = failure(tls_server.url, session=session)

        assert isinstance(error, AnswerTimeoutError)
        assert not error.maybe_received

    @pytest.mark.parametrize("step", [stall(), drip_headers()], ids=["stalls", "drips"])
    def test_covers_a_proxy(
        self, step: Step, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Its answer to CONNECT is part of the exchange, and still nothing was sent.
        """
        with ScriptedServer([step]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            error = failure(tls_server.url)

        assert isinstance(error, AnswerTimeoutError)
        assert not error.maybe_received

    def test_gives_each_address_of_a_name_its_share(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        An address that swallows packets does not take the time of the next one.
        """
        look_up = socket.getaddrinfo
        with ScriptedServer() as server, unanswered_port() as silent:

            def two_addresses(host, port, *more):
                if host != "customer.test":
                    return look_up(host, port, *more)
                one = look_up("127.0.0.1", silent, *more)
                return one + look_up("127.0.0.1", server.port, *more)

            monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
            client = endpoint("http://customer.test")
            status = client.send(REQUEST, timeout=2.0).status
            client.close()

        assert status == 200

    def test_a_timeout_for_one_request_goes_before_the_endpoints(self) -> None:
        """
        Either way round.
        """
        with ScriptedServer([stall(), stall()]) as server:
            client = endpoint(server.url, timeout=60)
            with pytest.raises(AnswerTimeoutError):
                client.send(REQUEST, timeout=BUDGET)
            client.close()
            client = endpoint(server.url, timeout=BUDGET)
            with pytest.raises(AnswerTimeoutError):
                client.send(REQUEST)
            client.close()

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), "10", True])
    def test_a_timeout_that_cannot_be_is_refused(self, timeout: object) -> None:
        """
        Where it is given, for all requests or for one.
        """
        with pytest.raises(ParamError, match="timeout"):
            endpoint("http://127.0.0.1", timeout=timeout)
        with pytest.raises(ParamError, match="timeout"):
            endpoint("http://127.0.0.1").send(REQUEST, timeout=timeout)

    def test_a_long_timeout_is_no_problem(self) -> None:
        """
        Although the system's calls take less.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url, timeout=float("inf"))
            assert client.send(REQUEST).status == 200
            assert client.send(REQUEST, timeout=1e12).status == 200
            client.close()


class TestDeadlineBlocks:
    def test_bound_the_requests_inside(self) -> None:
        """
        A longer timeout does not extend them.
        """
        with ScriptedServer([stall()]) as server:
            client = endpoint(server.url, timeout=60)
            with deadline(BUDGET), pytest.raises(AnswerTimeoutError):
                client.send(REQUEST)
            client.close()

    def test_a_shorter_timeout_still_counts(self) -> None:
        """
        The nearer of the two ends the request.
        """
        with ScriptedServer([stall()]) as server:
            client = endpoint(server.url)
            with deadline(60), pytest.raises(AnswerTimeoutError):
                client.send(REQUEST, timeout=BUDGET)
            client.close()

    @pytest.mark.parametrize(("outer", "inner"), [(60, BUDGET), (BUDGET, 60)])
    def test_nested_ones_are_bound_by_the_nearest(self, outer: float, inner: float) -> None:
        """
        Whichever of them that is.
        """
        with ScriptedServer([stall()]) as server:
            client = endpoint(server.url, timeout=60)
            started = time.monotonic()
            with deadline(outer), deadline(inner), pytest.raises(AnswerTimeoutError):
                client.send(REQUEST)
            client.close()

        assert time.monotonic() - started < GENEROUS

    def test_nothing_is_sent_when_the_time_is_up_already(self) -> None:
        """
        Then it is certain that nothing was received.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url)
            for seconds in (0, -5):
                with deadline(seconds), pytest.raises(AnswerTimeoutError) as raised:
                    client.send(REQUEST)
                assert not raised.value.maybe_received
            client.close()

        assert server.connections == 0

    def test_end_with_their_block(self) -> None:
        """
        What comes after is not bound.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url)
            with pytest.raises(KeyError), deadline(0):
                raise KeyError
            assert client.send(REQUEST).status == 200
            client.close()

    def test_follow_context_variables(self) -> None:
        """
        A copied context takes the deadline along to another thread; a bare thread has none.
        """
        with ScriptedServer() as server:
            client = endpoint(server.url)
            found: dict[str, object] = {}

            def send(name: str) -> None:
                try:
                    found[name] = client.send(REQUEST).status
                except AnswerTimeoutError as error:
                    found[name] = type(error)

            with deadline(0):
                context = contextvars.copy_context()
                threads = [
                    threading.Thread(target=context.run, args=(send, "copied")),
                    threading.Thread(target=send, args=("bare",)),
                ]
            for thread in threads:
                thread.start()
                thread.join(GENEROUS)
            client.close()

        assert found == {"copied": AnswerTimeoutError, "bare": 200}

    @pytest.mark.parametrize("seconds", [None, "1", True, float("nan")])
    def test_need_a_number(self, seconds: object) -> None:
        """
        Anything else is refused before the block begins.
        """
        with pytest.raises(ParamError, match="seconds"), deadline(seconds):
            pytest.fail("the block began")


class TestNoAnswer:
    def test_a_refused_connection(self) -> None:
        """
        Nothing can have been received.
        """
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        error = failure(f"http://127.0.0.1:{port}")

        assert not error.maybe_received
        assert str(error) == f"no connection to http://127.0.0.1:{port}: Connection refused"

    def test_a_name_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Nothing can have been received.
        """

        def look_up(*_: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        error = failure("http://nowhere.invalid")

        assert not error.maybe_received
        assert "Name or service not known" in str(error)

    def test_a_certificate_that_is_not_trusted(self, tls_server: ScriptedServer) -> None:
        """
        Nothing can have been received, and the text says what is wrong.
        """
        error = failure(tls_server.url, timeout=GENEROUS)

        assert not error.maybe_received
        assert "certificate verify failed" in str(error)
        assert tls_server.requests == []

    @pytest.mark.parametrize("status", [403, 407, 502])
    def test_a_proxy_that_refuses(
        self, status: int, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Nothing can have been received.
        """
        with ScriptedServer([answer(status)]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{proxy.port}")
            error = failure(tls_server.url)

        assert not error.maybe_received
        assert "proxy" in str(error)
        assert "hunter2" not in str(error)

    @pytest.mark.parametrize(
        "step",
        [reset(), hang_up(), truncated(), raw(b"nonsense\r\n\r\n"), reset(read=False)],
        ids=["reset", "hung up", "truncated", "nonsense", "reset at once"],
    )
    def test_a_broken_connection(self, step: Step) -> None:
        """
        The request may have been received, and it is not sent again here.
        """
        with ScriptedServer([step]) as server:
            error = failure(server.url, timeout=GENEROUS)

        assert error.maybe_received
        assert not isinstance(error, TimeoutError)
        assert server.connections == 1

    def test_a_truncated_answer_without_a_length(self) -> None:
        """
        One in chunks is noticed as well.
        """
        chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"er'
        with ScriptedServer([raw(chunked)]) as server:
            error = failure(server.url, timeout=GENEROUS)

        assert error.maybe_received

    @pytest.mark.parametrize("step", [stall(), reset()], ids=["time out", "break"])
    def test_errors_hold_no_personal_data(self, step: Step) -> None:
        """
        The exceptions of requests quote the URL, which names the customer.
        """
        with ScriptedServer([step]) as server:
            error = failure(server.url, SECRET_PATH)
        while error is not None:
            shown = f"{error!s} {error!r} {vars(error)}"
            assert "lucy" not in shown
            assert "key" not in shown
            assert isinstance(error, CustomerIOError)
            error = error.__cause__ or error.__context__

    def test_what_the_caller_was_handling_is_no_reason(self) -> None:
        """
        A request in an ``except`` clause does not fail with the clause's own error.
        """
        with ScriptedServer([hang_up()]) as server:
            try:
                raise FileNotFoundError(2, "No such file", "lucy.txt")
            except FileNotFoundError:
                error = failure(server.url)

        assert "No such file" not in str(error)
        assert "RemoteDisconnected" in str(error)

    def test_errors_can_be_pickled(self) -> None:
        """
        They cross process boundaries, as those of a pool of workers.
        """
        with ScriptedServer([stall()]) as server:
            error = failure(server.url)
        copy = pickle.loads(pickle.dumps(error))

        assert type(copy) is AnswerTimeoutError
        assert (str(copy), copy.maybe_received) == (str(error), True)


class TestStaleConnections:
    """
    A server closes an idle connection just as the next request is on its way.
    """

    @pytest.mark.parametrize("step", [reset(read=False), hang_up(read=False), hang_up()])
    def test_a_request_on_a_kept_connection_is_sent_again_at_once(self, step: Step) -> None:
        """
        Nobody hears of it.
        """
        with ScriptedServer([answer(), step, answer(202)]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            status = client.send(REQUEST).status
            client.close()

        assert status == 202
        assert server.connections == 2

    def test_it_is_sent_again_on_a_new_connection(self) -> None:
        """
        Of several that are kept, all may have been closed.
        """
        both = threading.Barrier(2)

        def wait_for_both(peer) -> bool:
            peer.read()
            both.wait(GENEROUS)
            return _send_answer(peer, b"{}")

        closed = reset(read=False)
        with ScriptedServer([wait_for_both, wait_for_both, closed, answer(202)]) as server:
            client = endpoint(server.url)
            threads = [threading.Thread(target=client.send, args=(REQUEST,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(GENEROUS)
            assert server.connections == 2
            status = client.send(REQUEST).status
            client.close()

        assert status == 202
        assert server.requests[-1].connection == 2

    def test_it_is_sent_again_only_once(self) -> None:
        """
        Whether to try again later is for others to say.
        """
        with ScriptedServer([answer(), reset(), reset(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(NoAnswerError) as raised:
                client.send(REQUEST)
            client.close()

        assert raised.value.maybe_received
        assert len(server.requests) == 3

    def test_an_answer_that_breaks_off_is_not_asked_for_again(self) -> None:
        """
        The server was there and alive: it was no stale connection.
        """
        with ScriptedServer([answer(), truncated(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(NoAnswerError):
                client.send(REQUEST)
            client.close()

        assert len(server.requests) == 2

    def test_a_timeout_is_no_reason_to_send_again(self) -> None:
        """
        The time is up.
        """
        with ScriptedServer([answer(), stall(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(AnswerTimeoutError):
                client.send(REQUEST, timeout=BUDGET)
            client.close()

        assert len(server.requests) == 2

    def test_what_must_not_be_sent_twice_is_not(self) -> None:
        """
        The caller is told that it may have been received.
        """
        with ScriptedServer([answer(), reset(), answer()]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            with pytest.raises(NoAnswerError) as raised:
                client.send(REQUEST, repeatable=False)
            client.close()

        assert raised.value.maybe_received
        assert len(server.requests) == 2

    def test_what_must_not_be_sent_twice_takes_no_idle_connection(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Else it would be in doubt whenever the server closes a connection.
        """
        monkeypatch.setattr("cio_events._http.endpoint._IDLE_SECONDS_UNREPEATABLE", 0.0)
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            client.send(REQUEST, repeatable=False)
            client.send(REQUEST)
            client.close()

        assert [received.connection for received in server.requests] == [0, 1, 1]


class TestTheEnvironmentsProxy:
    def test_a_change_counts_before_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        The environment is not asked for each request, but the process need not start again.
        """
        with ScriptedServer() as server, ScriptedServer() as proxy:
            client = endpoint(server.url)
            client.send(REQUEST)
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            ends = time.monotonic() + GENEROUS
            while not proxy.requests and time.monotonic() < ends:
                client.send(REQUEST)
                time.sleep(0.01)
            client.close()

        assert proxy.requests
        assert proxy.requests[0].target == f"{server.url}/api/v2/entity"


class TestAnApplicationsSession:
    def test_its_headers_are_sent_but_ours_win(self) -> None:
        """
        Credentials, user agent and content type are not its to change.
        """
        session = requests.Session()
        session.headers.update(
            {"X-Mesh": "a", "User-Agent": "b", "Content-Type": "c", "Authorization": "d"}
        )
        session.auth = ("someone", "else")
        with ScriptedServer() as server:
            client = endpoint(server.url, session=session)
            client.send(REQUEST)
            session.close()
        headers = server.requests[0].headers

        assert headers["x-mesh"] == "a"
        assert headers["user-agent"] == USER_AGENT
        assert headers["content-type"] == "application/json"
        assert headers["authorization"] == f"Basic {base64.b64encode(b'site:key').decode()}"

    def test_its_proxies_are_used(self) -> None:
        """
        A plain HTTP proxy gets the whole URL.
        """
        with ScriptedServer() as proxy:
            session = requests.Session()
            session.proxies = {"http": proxy.url}
            client = endpoint("http://track.test", session=session)
            client.send(REQUEST)
            client.close()

        assert proxy.requests[0].target == "http://track.test/api/v2/entity"

    def test_its_proxies_are_used_for_tls(self, tls_server: ScriptedServer, ca_file: str) -> None:
        """
        Through a tunnel, with the destination's certificate verified.
        """
        with ScriptedServer([tunnel(tls_server.port)]) as proxy:
            session = requests.Session()
            session.proxies = {"https": proxy.url}
            session.verify = ca_file
            client = endpoint(tls_server.url, session=session)
            assert client.send(REQUEST).status == 200
            client.close()

        assert [received.method for received in proxy.requests] == ["CONNECT"]
        assert [received.method for received in tls_server.requests] == ["POST"]

    def test_what_changes_about_it_counts_at_once(self) -> None:
        """
        It is the application's, which may change it at any time.
        """
        with ScriptedServer() as server, ScriptedServer() as proxy:
            session = requests.Session()
            client = endpoint(server.url, session=session)
            client.send(REQUEST)
            session.proxies = {"http": proxy.url}
            client.send(REQUEST)
            client.close()

        assert [len(one.requests) for one in (server, proxy)] == [1, 1]

    def test_its_settings_go_before_the_environments(
        self, tls_server: ScriptedServer, ca_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Alone, requests has it the other way round.
        """
        with ScriptedServer([tunnel(tls_server.port)]) as proxy, ScriptedServer() as other:
            monkeypatch.setenv("HTTPS_PROXY", other.url)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
            session = requests.Session()
            session.proxies = {"https": proxy.url}
            session.verify = ca_file
            client = endpoint(tls_server.url, session=session)
            assert client.send(REQUEST).status == 200
            client.close()

        assert other.connections == 0

    def test_its_client_certificate_is_shown(
        self, ca: trustme.CA, ca_file: str, tmp_path: Path
    ) -> None:
        """
        As a service mesh asks for.
        """
        context = _server_context(ca)
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        certificate = tmp_path / "client.pem"
        ca.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        session = requests.Session()
        session.verify, session.cert = ca_file, str(certificate)
        with ScriptedServer(tls=context) as server:
            client = endpoint(server.url, session=session)
            assert client.send(REQUEST).status == 200
            client.close()

    def test_its_adapter_is_used(self) -> None:
        """
        One of the application's own is not replaced; broken connections are still told apart.
        """
        sent = []

        class Adapter(HTTPAdapter):
            def send(self, request, *args, **kwargs):
                sent.append(request.url)
                return super().send(request, *args, **kwargs)

        session = requests.Session()
        session.mount("http://", Adapter())
        with ScriptedServer([answer(202), reset(), stall()]) as server:
            client = endpoint(server.url, session=session)
            assert client.send(REQUEST).status == 202
            with pytest.raises(NoAnswerError) as broken:
                client.send(REQUEST)
            with pytest.raises(AnswerTimeoutError) as stalled:
                client.send(REQUEST, timeout=BUDGET)
            session.close()
        refused = failure(server.url, session=session)

        assert len(sent) == 4
        assert (broken.value.maybe_received, stalled.value.maybe_received) == (True, True)
        assert not refused.maybe_received

    def test_its_retries_do_not_multiply(self) -> None:
        """
        There is one place for retries, and it is not urllib3.
        """
        session = requests.Session()
        session.mount("http://", HTTPAdapter(max_retries=5))
        with ScriptedServer([reset(), answer()]) as server:
            failure(server.url, session=session, timeout=GENEROUS)

        assert len(server.requests) == 1

    def test_a_full_pool_that_blocks_is_bound_too(self) -> None:
        """
        Waiting for a connection of one's own is part of the time.
        """
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        with ScriptedServer([stall(), stall()]) as server:
            client = endpoint(server.url, session=session)
            errors = []

            def send(timeout: float) -> None:
                try:
                    client.send(REQUEST, timeout=timeout)
                except AnswerTimeoutError as error:
                    errors.append(error.maybe_received)

            first = threading.Thread(target=send, args=(BUDGET * 5,))
            first.start()
            while not server.requests:
                time.sleep(0.01)
            send(BUDGET)
            first.join(GENEROUS)
            client.close()

        assert errors == [False, True]

    def test_it_goes_on_to_serve_the_application(self) -> None:
        """
        Other hosts keep their adapter, and closing our client leaves the session open.
        """
        session = requests.Session()
        with ScriptedServer() as ours, ScriptedServer() as theirs:
            client = endpoint(ours.url, session=session)
            client.send(REQUEST)
            client.close()
            assert session.get(f"{theirs.url}/page", timeout=GENEROUS).status_code == 200
            assert session.get(f"{ours.url}/page", timeout=GENEROUS).status_code == 200
            assert type(session.get_adapter(theirs.url)) is HTTPAdapter
            session.close()

    def test_two_endpoints_can_share_it(self) -> None:
        """
        They share its connections too.
        """
        session = requests.Session()
        with ScriptedServer() as server:
            for _ in range(2):
                endpoint(server.url, session=session).send(REQUEST)
            session.close()

        assert server.connections == 1

    def test_its_hooks_see_the_answer(self) -> None:
        """
        Such as those of instrumentation.
        """
        seen = []
        session = requests.Session()
        session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
        with ScriptedServer([answer(202)]) as server:
            client = endpoint(server.url, session=session)
            client.send(REQUEST)
            client.close()

        assert seen == [202]


class TestWhereTo:
    @pytest.mark.parametrize("region", ["us", "eu"])
    def test_each_region_has_its_hosts(self, region: str) -> None:
        """
        As the vendor's documentation gives them.
        """
        hosts = {"us": ("track", "api"), "eu": ("track-eu", "api-eu")}[region]

        assert track_url(region) == TRACK_URLS[region] == f"https://{hosts[0]}.customer.io"
        assert app_url(region) == APP_URLS[region] == f"https://{hosts[1]}.customer.io"

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8026", "http://127.0.0.1:8026//"])
    def test_a_slash_at_the_end_is_not_doubled(self, url: str) -> None:
        """
        ``//api`` would be another path.
        """
        assert track_url(url=url) == "http://127.0.0.1:8026"

    def test_a_path_before_the_path(self) -> None:
        """
        As a gateway has it.
        """
        with ScriptedServer() as server:
            client = endpoint(track_url(url=f"{server.url}/gateway/"))
            client.send(REQUEST)
            client.close()

        assert server.requests[0].target == "/gateway/api/v2/entity"

    @pytest.mark.parametrize("region", ["US", "de", "", None, 1])
    def test_another_region_is_refused(self, region: object) -> None:
        """
        By its name.
        """
        with pytest.raises(ParamError) as raised:
            track_url(region)

        assert raised.value.param == "region"

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "track.customer.io",
            "ftp://track.customer.io",
            "https://",
            "https://user:hunter2@track.customer.io",
            "https://track.customer.io?a=b",
            "https://track.customer.io#a",
            "https://track.customer.io:port",
            "https://track.customer.io\n",
            "https://[",
            5,
        ],
    )
    def test_a_url_that_cannot_be_is_refused(self, url: object) -> None:
        """
        By its name, and without what it holds.
        """
        with pytest.raises(ParamError) as raised:
            app_url(url=url)

        assert raised.value.param == "url"
        assert "hunter2" not in str(raised.value)


class TestCredentials:
    @pytest.mark.parametrize(
        "value", ["", "  ", None, 5, b"key", "hunter2\n", "hun\0ter2", "\ud800"]
    )
    def test_those_that_cannot_be_are_refused_without_being_shown(self, value: object) -> None:
        """
        The text names the setting and not its value.
        """
        for param, make in {
            "site_id": lambda: basic(value, "key"),
            "api_key": lambda: basic("site", value),
            "app_api_key": lambda: bearer(value),
        }.items():
            with pytest.raises(ParamError) as raised:
                make()
            assert raised.value.param == param
            assert "hunter2" not in str(raised.value)

    def test_a_site_id_has_no_colon(self) -> None:
        """
        Basic credentials could not be taken apart again.
        """
        with pytest.raises(ParamError, match="site_id"):
            basic("a:b", "c")

    def test_a_bearer_key_is_ascii(self) -> None:
        """
        No header can hold anything else.
        """
        with pytest.raises(ParamError, match="app_api_key"):
            bearer("kéy")

    def test_no_repr_shows_them(self) -> None:
        """
        Neither their own nor that of whoever has them.
        """
        credentials = basic("hunter1", "hunter2")
        shown = repr(credentials) + repr(Endpoint("https://track.customer.io", credentials))

        assert "hunter" not in shown
        assert base64.b64encode(b"hunter1:hunter2").decode() not in shown

    @pytest.mark.parametrize("user_agent", ["", "a\r\nX-Evil: 1", "é", 5])
    def test_a_user_agent_that_cannot_be_is_refused(self, user_agent: object) -> None:
        """
        It is a header.
        """
        with pytest.raises(ParamError, match="user_agent"):
            endpoint("https://track.customer.io", user_agent=user_agent)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
class TestForks:
    @pytest.mark.parametrize("given", [False, True], ids=["own session", "given session"])
    def test_parent_and_child_do_not_share_connections(
        self,
        given: bool,
        tls_server: ScriptedServer,
        ca_file: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        Both send through the same endpoint, at the same time and over TLS.
        """
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
        session = requests.Session() if given else None
        closed: list[HTTPAdapter] = []
        original = _TellingAdapter(closed)
        if session is not None:
            session.mount("https://", original)
        client = endpoint(tls_server.url, session=session)
        client.send(Request("POST", "/parent", b"{}"))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(50):
                    client.send(Request("POST", "/child", b"{}"))
                client.close()
                status = 2 if original in closed else 0
            finally:
                os._exit(status)
        for _ in range(50):
            client.send(Request("POST", "/parent", b"{}"))
        _, status = os.waitpid(child, 0)
        client.close()
        ports = {
            path: {received.port for received in tls_server.requests if received.target == path}
            for path in ("/parent", "/child")
        }

        assert os.waitstatus_to_exitcode(status) == 0
        assert len(tls_server.requests) == 101
        assert ports["/parent"].isdisjoint(ports["/child"])
        assert len(ports["/parent"]) == len(ports["/child"]) == 1

    def test_a_session_of_the_applications_keeps_its_ways_in_the_child(self) -> None:
        """
        Also what its class and its adapters have of their own.
        """

        class Session(requests.Session):
            def __init__(self) -> None:
                super().__init__()
                self.mark = "mesh"

            def prepare_request(self, request):
                request.headers["X-Mark"] = self.mark
                return super().prepare_request(request)

        session = Session()
        session.mount("http://", _TellingAdapter([]))
        session.cookies["a"] = "1"
        with ScriptedServer() as server:
            client = endpoint(server.url, session=session)
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    status = 0 if client.send(REQUEST).status == 200 else 2
                finally:
                    os._exit(status)
            _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert server.requests[0].headers["x-mark"] == "mesh"
        assert server.requests[0].headers["cookie"] == "a=1"

    def test_a_child_forked_while_requests_is_being_imported_does_not_hang(
        self, tmp_path: Path
    ) -> None:
        """
        Another thread's import is waited for, not inherited half done.
        """
        package = tmp_path / "requests"
        package.mkdir()
        (package / "__init__.py").write_text(
            textwrap.dedent(
                """
                import sys, threading, time, __main__
                __main__.importing.set()
                time.sleep(1)
                sys.path.remove(sys.path[0])
                del sys.modules["requests"]
                import requests
                """
            )
        )
        script = """
            import logging, os, sys, threading
            importing = threading.Event()
            from cio_events.errors import NoAnswerError
            from cio_events._http.endpoint import Endpoint, basic
            from cio_events._wire.request import Request
            assert "requests" not in sys.modules
            client = Endpoint("http://127.0.0.1:1", basic("a", "b"))
            def send():
                try:
                    client.send(Request("GET", "/", None))
                except NoAnswerError:
                    pass
            thread = threading.Thread(target=send)
            thread.start()
            assert importing.wait(10)
            child = os.fork()
            send()
            if child == 0:
                os._exit(7)
            thread.join()
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        done = _python(script, PYTHONPATH=f"{tmp_path}{os.pathsep}{Path.cwd()}")

        assert done == "7\n"


class _TellingAdapter(DeadlineAdapter):
    """
    An adapter with something that no copy by `copy` would have, which tells when it is closed.
    """

    def __init__(self, closed: list[HTTPAdapter]) -> None:
        self.closed = closed
        super().__init__()

    def close(self) -> None:
        self.closed.append(self)
        super().close()


class TestImport:
    def test_requests_is_not_imported_until_something_is_sent(self) -> None:
        """
        It takes longer than all else together, and many programs never send anything.
        """
        script = """
            import sys
            from cio_events._http.endpoint import Endpoint, basic, track_url
            Endpoint(track_url("eu"), basic("a", "b")).close()
            print(json.dumps(sorted({"requests", "urllib3"} & set(sys.modules))))
        """
        assert json.loads(_python("import json\n" + textwrap.dedent(script))) == []

    def test_nothing_is_printed_when_a_client_is_left_open(self) -> None:
        """
        Connections that die with the interpreter make no noise.
        """
        with ScriptedServer() as server:
            script = f"""
                from cio_events._http.endpoint import Endpoint, basic
                from cio_events._wire.request import Request
                client = Endpoint({server.url!r}, basic("a", "b"))
                client.send(Request("GET", "/", None))
            """
            assert _python(script) == ""


def _python(script: str, **environ: str) -> str:
    """
    What *script* prints in an interpreter of its own, to which all warnings are errors.
    """
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd()), **environ}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
