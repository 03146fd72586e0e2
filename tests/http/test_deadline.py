"""How long a request may last, whatever the server does."""

from __future__ import annotations

import contextvars
import socket
import threading
import time

import pytest
import requests

from cio_events._http.deadline import deadline
from cio_events._wire.request import Request
from cio_events.errors import AnswerTimeoutError, ParamError
from tests.http.asking import BUDGET, GENEROUS, REQUEST, endpoint, failure
from tests.support.servers import (
    ScriptedServer,
    Step,
    drip_body,
    drip_headers,
    stall,
    stall_handshake,
    unanswered_port,
)

STALLS: dict[str, Step] = {
    "before reading": stall(read=False),
    "after reading": stall(),
    "in the headers, which drip": drip_headers(),
    "in the body, which drips": drip_body(),
}


class TestTheDeadline:
    @pytest.mark.parametrize("where", STALLS)
    def test_covers_a_server_that_stalls(self, where: str) -> None:
        """The timeout is for all of the exchange, not for each wait."""
        with ScriptedServer([STALLS[where]]) as server:
            error = failure(server.url)

        assert isinstance(error, AnswerTimeoutError)
        assert isinstance(error, TimeoutError)
        assert error.maybe_received

    @pytest.mark.parametrize("where", STALLS)
    def test_covers_a_server_that_stalls_over_tls(
        self, where: str, tls_server: ScriptedServer, ca_file: str
    ) -> None:
        """The same for an encrypted connection."""
        tls_server.then(STALLS[where])
        session = requests.Session()
        session.verify = ca_file
        error = failure(tls_server.url, session=session)

        assert isinstance(error, AnswerTimeoutError)
        assert error.maybe_received

    def test_covers_a_body_that_nobody_reads(self) -> None:
        """A request larger than the buffers of the network does not fit into them."""
        request = Request("POST", "/x", bytes(20_000_000))
        with ScriptedServer([stall(read=False)]) as server:
            error = failure(server.url, request)

        assert isinstance(error, AnswerTimeoutError)
        assert error.maybe_received

    def test_covers_connecting(self) -> None:
        """Then it is certain that nothing was received."""
        with unanswered_port() as port:
            error = failure(f"http://127.0.0.1:{port}")

        assert isinstance(error, AnswerTimeoutError)
        assert not error.maybe_received

    def test_covers_the_tls_handshake(self, tls_server: ScriptedServer, ca_file: str) -> None:
        """No request can have been sent before its end."""
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
        """Its answer to CONNECT is part of the exchange, and still nothing was sent."""
        with ScriptedServer([step]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            error = failure(tls_server.url)

        assert isinstance(error, AnswerTimeoutError)
        assert not error.maybe_received

    @pytest.mark.cio_live  # a name that is none of this machine's
    def test_gives_each_address_of_a_name_its_share(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An address that swallows packets does not take the time of the next one."""
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
        """Either way round."""
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
        """Where it is given, for all requests or for one."""
        with pytest.raises(ParamError, match="timeout"):
            endpoint("http://127.0.0.1", timeout=timeout)
        with pytest.raises(ParamError, match="timeout"):
            endpoint("http://127.0.0.1").send(REQUEST, timeout=timeout)

    def test_a_long_timeout_is_no_problem(self) -> None:
        """Although the system's calls take less."""
        with ScriptedServer() as server:
            client = endpoint(server.url, timeout=float("inf"))
            assert client.send(REQUEST).status == 200
            assert client.send(REQUEST, timeout=1e12).status == 200
            assert client.send(REQUEST, timeout=10**400).status == 200
            with deadline(10**400):
                assert client.send(REQUEST).status == 200
            client.close()


class TestDeadlineBlocks:
    def test_bound_the_requests_inside(self) -> None:
        """A longer timeout does not extend them."""
        with ScriptedServer([stall()]) as server:
            client = endpoint(server.url, timeout=60)
            with deadline(BUDGET), pytest.raises(AnswerTimeoutError):
                client.send(REQUEST)
            client.close()

    def test_a_shorter_timeout_still_counts(self) -> None:
        """The nearer of the two ends the request."""
        with ScriptedServer([stall()]) as server:
            client = endpoint(server.url)
            with deadline(60), pytest.raises(AnswerTimeoutError):
                client.send(REQUEST, timeout=BUDGET)
            client.close()

    @pytest.mark.parametrize(("outer", "inner"), [(60, BUDGET), (BUDGET, 60)])
    def test_nested_ones_are_bound_by_the_nearest(self, outer: float, inner: float) -> None:
        """Whichever of them that is."""
        with ScriptedServer([stall()]) as server:
            client = endpoint(server.url, timeout=60)
            started = time.monotonic()
            with deadline(outer), deadline(inner), pytest.raises(AnswerTimeoutError):
                client.send(REQUEST)
            client.close()

        assert time.monotonic() - started < GENEROUS

    def test_nothing_is_sent_when_the_time_is_up_already(self) -> None:
        """Then it is certain that nothing was received."""
        with ScriptedServer() as server:
            client = endpoint(server.url)
            for seconds in (0, -5):
                with deadline(seconds), pytest.raises(AnswerTimeoutError) as raised:
                    client.send(REQUEST)
                assert not raised.value.maybe_received
            client.close()

        assert server.connections == 0

    def test_end_with_their_block(self) -> None:
        """What comes after is not bound."""
        with ScriptedServer() as server:
            client = endpoint(server.url)
            with pytest.raises(KeyError), deadline(0):
                raise KeyError
            assert client.send(REQUEST).status == 200
            client.close()

    def test_follow_context_variables(self) -> None:
        """A copied context takes the deadline along to another thread; a bare thread has none."""
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
        """Anything else is refused before the block begins."""
        with pytest.raises(ParamError, match="seconds"), deadline(seconds):
            pytest.fail("the block began")
