"""Credentials and clock, against servers on loopback that answer as both regions, or otherwise."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from email.utils import formatdate

import pytest
import trustme

from cio_events._http import endpoint as http
from cio_events.doctor import Finding, clock, credentials, network
from cio_events.doctor.network import Asked, Reply
from cio_events.options import Options
from tests.doctor.settings_of import GOOD, subject
from tests.support.servers import ScriptedServer, Step, answer, raw, redirect, reset, stall

US, EU = answer(200, b'{"region":"us"}'), answer(200, b'{"region":"eu"}')
UNKNOWN = answer(401, b'{"meta":{"error":"Unauthorized request"}}')
PORTAL = answer(200, b"<html>Welcome to Hotel Lobby</html>", {"Content-Type": "text/html"})

CANARY = "kanarienvogel7"


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ScriptedServer]]:
    """A server for each region."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(ScriptedServer()) for name in ("us", "eu")}
        for name, server in servers.items():
            monkeypatch.setitem(http.TRACK_URLS, name, server.url)
        yield servers


# What the configured region (us) answers, and the other; and what is found.
CASES: dict[str, tuple[list[Step], list[Step], str]] = {
    "all is well": ([US], [], "I200"),
    "the answer names the other region": ([EU], [], "E204"),
    "only the other region knows them": ([UNKNOWN], [EU], "E204"),
    "neither knows them": ([UNKNOWN], [UNKNOWN], "E205"),
    "the other cannot be reached": ([UNKNOWN], [reset()], "E205"),
    "it sends everybody on": ([redirect("https://track-eu.customer.io/")], [], "E204"),
    "a captive portal": ([PORTAL], [], "E208"),
    "an address that is not allowed": ([answer(403)], [], "E214"),
    "too many requests": ([answer(429)], [], "W212"),
    "trouble": ([answer(503, b"<html>sorry</html>")], [], "W212"),
    "not the Track API": ([answer(404)], [], "E213"),
    "JSON of somebody else": ([answer(200, b'{"ok":true}')], [], "E213"),
    "no answer": ([reset()], [], "E210"),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_region_and_wrong_key_are_told_apart(
    case: str, regions: dict[str, ScriptedServer]
) -> None:
    """And all that may be on the way from either."""
    first, other, expected = CASES[case]
    regions["us"].then(*first)
    regions["eu"].then(*other)

    (finding,) = credentials.look(subject(GOOD, network=True))

    assert finding.id == expected, finding
    assert len(regions["eu"].requests) == len(other)
    assert {one.target for one in regions["us"].requests} <= {"/api/v1/accounts/region"}


def test_the_right_region_is_told(regions: dict[str, ScriptedServer]) -> None:
    """With the setting that says so."""
    regions["us"].then(UNKNOWN)
    regions["eu"].then(EU)

    (finding,) = credentials.look(subject(GOOD, network=True))

    assert "CIO_REGION=eu" in finding.fix


def test_who_does_not_answer_is_not_waited_for(
    regions: dict[str, ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are asked side by side, each for a while."""
    monkeypatch.setattr(network, "SECONDS", 0.2)
    regions["us"].then(stall())
    regions["eu"].then(stall(read=False))

    (us,) = credentials.look(subject(GOOD, network=True))
    (eu,) = credentials.look(subject(GOOD | {"CIO_REGION": "eu"}, network=True))

    assert (us.id, eu.id) == ("E211", "E211")


def test_a_look_up_that_never_ends_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can end it, so that nobody waits for it."""
    monkeypatch.setattr(network, "_SECONDS_IN_ALL", 0.05)
    never = network.threading.Event()
    monkeypatch.setattr(network.Answers, "_ask", lambda *_: never.wait(30))

    (finding,) = credentials.look(subject(GOOD, network=True))
    never.set()

    assert finding.id == "E211"


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"403 Forbidden"])
def test_a_proxy_that_refuses_is_named(status: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that says which, not by its own name and password."""
    with ScriptedServer([raw(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{CANARY}:{CANARY}@127.0.0.1:{proxy.port}")
        (finding,) = credentials.look(subject(GOOD, network=True))

    assert finding.id == "E206"
    assert "HTTPS_PROXY" in finding.why
    assert CANARY not in str(finding)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("the name cannot be looked up: Name or service not known", "E209"),
        ("certificate verify failed: self-signed certificate in certificate chain", "E207"),
        ("certificate verify failed: unable to get local issuer certificate", "E207"),
        ("at the proxy: Connection refused", "E206"),
        ("timeout before a connection was made", "E211"),
        ("Network is unreachable", "E210"),
    ],
)
def test_what_is_in_the_way_is_named(cause: str, expected: str) -> None:
    """By the cause that the transport knows."""
    asked = Asked(Options(), Reply("track.customer.io", cause=cause))

    assert credentials._judged(asked, subject(GOOD)).id == expected


def test_a_certificate_of_somebody_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of something that reads along."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with ScriptedServer(tls=context) as server:
        monkeypatch.setitem(http.TRACK_URLS, "us", server.url)
        (finding,) = credentials.look(subject(GOOD, network=True))

    assert finding.id == "E207"
    assert "certificate verify failed" in finding.title


# Seconds that the answer's clock is behind ours, and what is found.
@pytest.mark.parametrize(
    ("behind", "expected", "word"),
    [(0, "I300", ""), (100, "W302", "fast"), (-100, "W302", "slow"), (4000, "E303", "fast")],
)
def test_the_clock_is_compared_with_theirs(
    behind: int, expected: str, word: str, regions: dict[str, ScriptedServer]
) -> None:
    """A warning from 30 seconds on, an error from 300."""
    date = formatdate(time.time() - behind, usegmt=True)
    regions["us"].then(answer(200, b'{"region":"us"}', {"Date": date}))

    (finding,) = clock.look(subject(GOOD, network=True))

    assert finding.id == expected
    assert word in finding.title


def test_answers_without_a_time_tell_nothing(regions: dict[str, ScriptedServer]) -> None:
    """Nor does one that cannot be read."""
    regions["us"].then(answer(200, b'{"region":"us"}', {"Date": "tomorrow"}))

    assert [one.id for one in clock.look(subject(GOOD, network=True))] == ["S301"]


def test_nobody_is_asked_without_leave(regions: dict[str, ScriptedServer]) -> None:
    """Offline, without credentials, or where loopback alone may be reached."""

    def look(*, net: bool, **environ: str) -> list[str]:
        found: list[Finding] = list(credentials.look(subject(GOOD | environ, network=net)))
        return [finding.id for finding in found]

    assert look(net=False) == ["S201"]
    assert look(net=True, CIO_API_KEY="") == ["S202"]
    assert regions["us"].requests == []


def test_what_the_server_says_is_not_repeated(regions: dict[str, ScriptedServer]) -> None:
    """It may quote the key."""
    key = f'{{"meta":{{"error":"{CANARY}"}}}}'.encode()
    for server, status in ((regions["us"], 401), (regions["eu"], 500)):
        server.then(answer(status, key, {"X-Key": CANARY}))

    (finding,) = credentials.look(subject(GOOD | {"CIO_API_KEY": CANARY}, network=True))

    assert finding.id == "E205"
    assert CANARY not in str(finding)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://track-eu.customer.io/x", "track-eu.customer.io"),
        ("http://127.0.0.1:8026", "127.0.0.1"),
        ("http://[::1]:8026/", "[::1]"),
        ("https://proxy.example", "the host of track_url"),
        ("https://customer.io.example", "the host of track_url"),
    ],
)
def test_only_known_hosts_are_shown(url: str, shown: str) -> None:
    """Another may say whose it is."""
    assert network.shown_host(url) == shown
