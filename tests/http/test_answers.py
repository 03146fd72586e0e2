"""What is answered, by servers that misbehave in every way."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import requests

from cio_events._wire.request import Request
from tests.http.asking import GENEROUS, REQUEST, endpoint, send_answer, server_context
from tests.support.bombs import bomb
from tests.support.servers import Peer, ScriptedServer, Step, answer, head, raw, redirect

if TYPE_CHECKING:
    import trustme


class TestWhatIsAnswered:
    def test_the_answer_has_status_headers_and_body(self) -> None:
        """Header names in any case; the status is not judged here."""
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

    def test_cookies_are_not_kept(self) -> None:
        """Calls have no state at Customer.io that is not in them."""
        with ScriptedServer([answer(headers={"Set-Cookie": "a=1"})]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            client.send(REQUEST)
            client.close()

        assert "cookie" not in server.requests[1].headers


INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nX: y\r\n\r\n",
    "several": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" * 3,
}


class TestInterimAnswers:
    @pytest.mark.parametrize("interim", INTERIM)
    @pytest.mark.parametrize("apart", [False, True], ids=["in one packet", "apart"])
    def test_are_passed_over(self, interim: str, apart: bool) -> None:
        """Each request gets the answer to itself, on a connection that is kept."""

        def step(peer: Peer) -> bool:
            body = peer.read().body
            peer.send(INTERIM[interim])
            if apart:
                time.sleep(0.02)
            return send_answer(peer, body)

        with ScriptedServer([step] * 3) as server:
            client = endpoint(server.url)
            got = [client.send(Request("POST", "/x", b"%d" % number)) for number in range(3)]
            client.close()

        assert [(one.status, one.body) for one in got] == [(200, b"0"), (200, b"1"), (200, b"2")]
        assert server.connections == 1

    @pytest.mark.parametrize("tls", [False, True])
    def test_more_than_an_answer_is_none_to_the_next_request(
        self, tls: bool, ca: trustme.CA, ca_file: str
    ) -> None:
        """What a server sends too much must not shift the answers behind it."""
        context = server_context(ca) if tls else None

        def twice(peer: Peer) -> bool:
            peer.read()
            # More than is read at once of an answer.
            peer.send(head(200, 2) + b"{}" + head(500, 12_000) + b"x" * 12_000)
            return True

        session = requests.Session()
        session.verify = ca_file
        with ScriptedServer([twice, answer(202)], tls=context) as server:
            client = endpoint(server.url, session=session)
            statuses = [client.send(REQUEST).status for _ in range(2)]
            client.close()

        assert statuses == [200, 202]


def encoded(body: bytes, encoding: str, status: int = 200) -> Step:
    """An answer whose body is in the *encoding*, or says so."""
    return answer(status, body, {"Content-Encoding": encoding})


class TestBrokenBodies:
    @pytest.mark.parametrize("status", [200, 207, 400, 401, 503])
    @pytest.mark.parametrize(
        "form", ["cut off", "cut off in chunks", "no gzip", "half a gzip", "unknown encoding"]
    )
    def test_the_status_is_known_all_the_same(self, status: int, form: str) -> None:
        """And that there should be more."""
        chunked = b"HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"
        step = {
            "cut off": raw(head(status, 100) + b'{"errors":'),
            "cut off in chunks": raw(chunked % status),
            "no gzip": encoded(b"{}", "gzip", status),
            "half a gzip": encoded(gzip.compress(b"{}" * 1000)[:30], "gzip", status),
            "unknown encoding": encoded(b"{}", "br", status),
        }[form]
        with ScriptedServer([step]) as server:
            client = endpoint(server.url)
            got = client.send(REQUEST)
            client.close()

        assert got.status == status
        assert got.broken
        assert len(server.requests) == 1

    def test_an_endless_answer_is_given_up(self) -> None:
        """Its size is bounded, so that nothing that answers takes all memory."""
        endless = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(9_000_000))
        with ScriptedServer([endless]) as server:
            client = endpoint(server.url)
            got = client.send(REQUEST, timeout=GENEROUS)
            client.close()

        assert (got.status, got.broken) == (200, "too long")
        assert len(got.body) < 9_000_000

    def test_a_header_that_cannot_be_is_judged_by_the_status(self) -> None:
        """urllib3 stumbles over two lengths."""
        odd = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
        with ScriptedServer([raw(odd)]) as server:
            client = endpoint(server.url)
            got = client.send(REQUEST)
            client.close()

        assert got.status == 403
        assert got.broken


class TestEncodings:
    def test_gzip_is_asked_for_and_read(self) -> None:
        """And nothing else is asked for."""
        with ScriptedServer([encoded(gzip.compress(b'{"a":1}'), "gzip")]) as server:
            client = endpoint(server.url)
            got = client.send(REQUEST)
            client.close()

        assert (got.body, got.broken) == (b'{"a":1}', None)
        assert server.requests[0].headers["accept-encoding"] == "gzip"

    @pytest.mark.parametrize("layers", [1, 2, 3])
    @pytest.mark.parametrize("said", [1, 2, 3])
    def test_a_bomb_takes_bounded_memory(self, layers: int, said: int) -> None:
        """Of several layers one is taken off at most."""
        body = bomb(60)
        for _ in range(layers - 1):
            body = gzip.compress(body)
        with ScriptedServer([encoded(body, ", ".join(["gzip"] * said))]) as server:
            client = endpoint(server.url)
            client.send(REQUEST)
            server.then(encoded(body, ", ".join(["gzip"] * said)))
            tracemalloc.start()
            got = client.send(REQUEST, timeout=GENEROUS)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            client.close()

        assert got.status == 200
        assert len(got.body) <= 8 * 1024 * 1024
        assert peak < 40_000_000
