"""What is sent: over real sockets, to servers that write down what came."""

from __future__ import annotations

import base64
import gc
import sys
import threading
import time
from pathlib import Path

import pytest

from cio_events._http.credentials import basic, bearer
from cio_events._http.deadline import deadline
from cio_events._http.endpoint import USER_AGENT, Answer, Endpoint
from cio_events._wire.request import Request
from cio_events.errors import AnswerTimeoutError
from cio_events.version import __version__
from tests.http.asking import BUDGET, GENEROUS, REQUEST, endpoint, send_answer
from tests.support.servers import Peer, ScriptedServer, drip_headers, stall


class TestWhatIsSent:
    def test_the_method_the_path_and_the_body_arrive_as_they_are(self) -> None:
        """A percent-encoded slash stays encoded, and the body is not written anew."""
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
        """The App API's key is sent as a bearer token."""
        with ScriptedServer() as server:
            client = Endpoint(server.url, bearer("app-key"))
            client.send(REQUEST)
            client.close()

        assert server.requests[0].headers["authorization"] == "Bearer app-key"

    @pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
    def test_every_method_has_our_user_agent(self, method: str) -> None:
        """That of go-customerio's DELETE is Go's own."""
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(Request(method, "/x", None))
            client.close()
        headers = server.requests[0].headers

        assert headers["user-agent"] == USER_AGENT
        assert USER_AGENT.startswith(f"cio-events/{__version__} (Python 3.")
        assert "content-type" not in headers

    def test_a_user_agent_of_ones_own(self) -> None:
        """It replaces ours."""
        with ScriptedServer() as server:
            client = endpoint(server.url, user_agent="shop/1.0")
            client.send(REQUEST)
            client.close()

        assert server.requests[0].headers["user-agent"] == "shop/1.0"

    def test_a_netrc_does_not_replace_the_credentials(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is what requests reads for whoever gives it no ``auth``."""
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
        """They are added to our own."""
        with ScriptedServer() as server:
            client = endpoint(server.url)
            client.send(REQUEST, headers={"X-Trace": "1"})
            client.close()

        assert server.requests[0].headers["x-trace"] == "1"

    def test_one_connection_carries_request_after_request(self) -> None:
        """A new one for each would cost a handshake each."""
        with ScriptedServer() as server:
            client = endpoint(server.url)
            for _ in range(5):
                client.send(REQUEST)
            client.close()

        assert len(server.requests) == 5
        assert server.connections == 1

    def test_several_threads_send_at_once(self) -> None:
        """Each gets the answer to its own request."""
        steps = []
        for _ in range(64):

            def echo(peer) -> bool:
                received = peer.read()
                return send_answer(peer, received.body)

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


class TestTheEnvironmentsProxy:
    def test_a_change_counts_before_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment is not asked for each request, but the process need not start again."""
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


class TestPlainHTTP:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "shop.localhost"])
    def test_to_this_machine_is_nothing_to_say(
        self, host: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A sandbox, most often."""
        endpoint(f"http://{host}:1").prepare()

        assert caplog.text == ""

    def test_to_another_is_said_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """When it is first used, whoever uses it."""
        for _ in range(2):
            client = endpoint("http://collector.test:8026")
            for _ in range(2):
                client.prepare()
        endpoint("https://collector.test:8026").prepare()
        (record,) = caplog.records

        assert record.name == "cio_events"
        assert "http://collector.test:8026" in record.getMessage()
        assert "without encryption" in record.getMessage()


class TestClocks:
    def test_one_that_stands_still_stops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As freezegun's does, which replaces every copy that a module has."""
        real, frozen = time.monotonic, time.monotonic()
        for name, module in list(sys.modules.items()):
            if name == "time" or name.startswith("cio_events"):
                for attribute, value in list(vars(module).items()):
                    if value is real:
                        monkeypatch.setattr(module, attribute, lambda: frozen)
        with ScriptedServer([stall(), drip_headers()]) as server:
            client = endpoint(server.url, timeout=BUDGET)
            for _ in range(2):
                with pytest.raises(AnswerTimeoutError):
                    client.send(REQUEST)
            server.then(stall())
            with deadline(BUDGET), pytest.raises(AnswerTimeoutError):
                client.send(REQUEST, timeout=60)
            client.close()


def test_a_request_under_way_at_a_close_keeps_no_connection() -> None:
    """It ends well, and what it went by is closed then, not when garbage is collected."""
    answering, closed = threading.Event(), threading.Event()

    def wait(peer: Peer) -> bool:
        peer.read()
        answering.wait(20)
        send_answer(peer, b"{}")
        if not peer.sock.recv(1):
            closed.set()
        return False

    with ScriptedServer([wait]) as server:
        client = endpoint(server.url)
        answers: list[Answer] = []
        thread = threading.Thread(
            target=lambda: answers.append(client.send(REQUEST, timeout=20)), daemon=True
        )
        gc.disable()
        try:
            thread.start()
            while not server.requests:
                thread.join(0.01)
            client.close()
            answering.set()
            thread.join()
            assert closed.wait(20)
        finally:
            gc.enable()
        assert [answer.status for answer in answers] == [200]
