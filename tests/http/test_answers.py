"""
What is answered, by servers that misbehave in every way.
"""

from __future__ import annotations

import pytest

from tests.http.asking import GENEROUS, REQUEST, endpoint, failure
from tests.support.servers import ScriptedServer, answer, raw, redirect


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
