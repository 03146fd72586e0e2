"""How long doctor may take: five seconds, whoever does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cio_events._http import endpoint as http
from cio_events.doctor import network, readings
from cio_events.doctor.examination import CHECKS, run
from tests.doctor.settings_of import GOOD, subject
from tests.support.servers import Peer, ScriptedServer, answer, stall

if TYPE_CHECKING:
    import pytest

LIMIT = 5.0

# Of a budget that is a fraction of the real one.
FRACTION = 0.1


def test_it_ends_before_those_that_never_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Customer.io and Redis: both are waited for at once, and both are told."""
    for room, name in ((network, "SECONDS"), (network, "_SECONDS_IN_ALL"), (readings, "SECONDS")):
        monkeypatch.setattr(room, name, getattr(room, name) * FRACTION)
    with ScriptedServer([stall(), stall(read=False)]) as server:
        environ = {**GOOD, "CIO_TRACK_URL": server.url, "CIO_RELAY": f"redis://{server.url[7:]}"}
        results = list(run(CHECKS, subject(environ, network=True)))

        assert not server.closing.is_set()
    found = {result.check: [finding.id for finding in result.findings] for result in results}
    assert found["credentials"] == ["E211"]
    assert found["relay"] == ["E901"]


def test_what_one_answer_takes_the_next_has_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region that takes its time to refuse leaves the other one less."""
    clock = 1_000.0
    granted: list[float] = []
    send = http.Endpoint.send

    def sent(self: http.Endpoint, *given: Any, timeout: float) -> http.Answer:
        granted.append(timeout)
        return send(self, *given, timeout=20)

    def refuse_late(peer: Peer) -> bool:
        nonlocal clock
        clock += network.SECONDS
        return answer(401, b'{"meta":{"error":"Unauthorized request"}}')(peer)

    monkeypatch.setattr(network, "monotonic", lambda: clock)
    monkeypatch.setattr(http.Endpoint, "send", sent)
    with ScriptedServer([refuse_late]) as us, ScriptedServer() as eu:
        monkeypatch.setitem(http.TRACK_URLS, "us", us.url)
        monkeypatch.setitem(http.TRACK_URLS, "eu", eu.url)
        subject(GOOD, network=True).answers.wait()

    assert granted[0] == network.SECONDS
    assert 0 < sum(granted) == network._SECONDS_IN_ALL < LIMIT


def test_no_wait_is_longer_than_all_of_it() -> None:
    """They go side by side, and beside all that needs no network."""
    assert max(network._SECONDS_IN_ALL, readings.SECONDS) < LIMIT
