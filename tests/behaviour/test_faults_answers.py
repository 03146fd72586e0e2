"""Answers about the server or the settings: what is tried again or held, and how often."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
import requests

from cio_events import Identify, Pipeline, Track
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import Heard, balanced, eventually, names, said, settled
from tests.support.servers import (
    Peer,
    ScriptedServer,
    Step,
    answer,
    redirect,
)

MakePipeline = Callable[..., Pipeline]
each_api = pytest.mark.parametrize("api", ["v1", "v2"])


def track_many(pipeline: Pipeline, count: int) -> None:
    """Log that many events, of one customer."""
    for n in range(count):
        pipeline.track("5", f"{n}")


# Tried again.


@each_api
@pytest.mark.parametrize("status", [429, 599])
def test_failure_of_the_server_is_tried_again(
    make: MakePipeline, heard: Heard, status: int, api: str
) -> None:
    """One request for each attempt, the same each time, until it is taken."""
    with ScriptedServer([raw_status(status)] * 3) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600)
        pipeline.track("5", "x")
        stats = settled(pipeline)
        bodies = {request.body for request in server.requests}
        count = len(server.requests)

    assert (stats.sent, stats.retries, count, len(bodies)) == (1, 3, 4, 1)
    assert {(retry.status, retry.calls) for retry in heard.retries} == {(status, 1)}
    assert [report.attempts for report in heard.sent] == [4]


def raw_status(status: int) -> Step:
    """Answer with a status that Python may have no name for."""

    def step(peer: Peer) -> bool:
        peer.read()
        peer.send(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        return True

    return step


def test_server_that_always_fails_is_asked_as_often_as_the_policy_says(
    make: MakePipeline, heard: Heard, later: Callable[[float], None]
) -> None:
    """There is one retry layer: each request is one announced retry, but the first."""
    with ScriptedServer([answer(500)] * 1_000) as server:
        pipeline = make(track_url=server.url, max_age=60, flush_interval=3600)
        track_many(pipeline, 3)
        pipeline.flush(0)
        assert eventually(lambda: len(server.requests) > 3)
        later(90)
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.failed_by_reason) == (0, {"expired": 3})
    # The last retry that was announced may have come too late.
    assert count - 1 == stats.retries
    assert len(heard.retries) in (count, count + 1)
    assert count > 3


@pytest.mark.parametrize(("status", "seconds"), [(429, "1"), (503, "0.3"), (500, "0.3")])
def test_server_says_how_long_to_wait(
    make: MakePipeline, heard: Heard, status: int, seconds: str
) -> None:
    """Retry-After in seconds goes before our own delay."""
    with ScriptedServer([answer(status, headers={"Retry-After": seconds})]) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        pipeline.track("5", "x")
        started = time.monotonic()
        assert settled(pipeline).sent == 1
        took = time.monotonic() - started
        count = len(server.requests)

    assert [retry.delay for retry in heard.retries] == [float(seconds)]
    assert count == 2
    assert took >= float(seconds)


def test_server_says_until_when_to_wait(make: MakePipeline, heard: Heard) -> None:
    """Retry-After may be an HTTP date."""
    until = int(time.time()) + 2
    headers = {"Retry-After": formatdate(until, usegmt=True)}
    with ScriptedServer([answer(429, headers=headers)]) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        pipeline.track("5", "x")
        assert settled(pipeline).sent == 1
        assert len(server.requests) == 2

    assert time.time() >= until
    assert 0 < heard.retries[0].delay <= 2


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("86400", 300, 300),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 300, 300),
        ("0", 0, 0.02),
        ("-5", 0, 0.02),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0.02),
        ("soon", 0, 0.02),
        ("nan", 0, 0.02),
        ("inf", 0, 0.02),
        ("", 0, 0.02),
        ("9" * 400, 0, 300),
        ("0.001", 0.1, 0.1),
        ("1, 7", 7, 7),
        ("7, Wed, 21 Oct 2015 07:28:00 GMT, 1", 7, 7),
        ("Wed, 21 Oct 2099 07:28:00 GMT, 5", 300, 300),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 0, 300),
        ("Fri, 31 Dec 10000 23:59:59 GMT", 0, 300),
        ("Fri, 99 Dec 2099 99:59:59 GMT", 0, 0.02),
    ],
)
def test_delay_that_is_asked_for_has_bounds(
    make: MakePipeline, heard: Heard, text: str, low: float, high: float
) -> None:
    """
    Five minutes at the most and 100 ms at least, of several the longest.

    Nonsense and the past are as if nothing had been asked for.
    """
    with ScriptedServer([answer(503, headers={"Retry-After": text})] * 2) as server:
        pipeline = make(track_url=server.url)
        pipeline.track("5", "x")
        assert eventually(lambda: heard.retries)
        assert low <= heard.retries[0].delay <= high


def test_rate_limit_pauses_the_whole_destination(make: MakePipeline, sandbox: Sandbox) -> None:
    """No call of anybody is sent meanwhile, and one request finds out when it is over."""
    sandbox.fail_next(429, times=8, retry_after=1)
    pipeline = make(api="v1", flush_interval=3600)
    for n in range(64):
        pipeline.track(f"{n}", "x")
    assert settled(pipeline).sent == 64

    refused = [request for request in sandbox.requests if request.status == 429]
    taken = [request for request in sandbox.requests if request.status == 200]
    # Those that were under way at once, and then one alone for each second.
    assert len(refused) == 8
    assert len(taken) == 64
    together = [r for r in sandbox.requests if r.time < sandbox.requests[0].time + 0.7]
    assert len(together) <= 8


# Held.


@each_api
@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_hold_everything_and_lose_nothing(
    make: MakePipeline, heard: Heard, caplog: Any, status: int, api: str
) -> None:
    """One request each hold_interval, one line that says where to look, and then all arrive."""
    with ScriptedServer([answer(status)] * 3) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600, region="eu")
        track_many(pipeline, 5)
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.failed, stats.retries) == (5, 0, 3)
    assert count == (3 + 5 if api == "v1" else 3 + 1)
    assert [(r.reason, r.status, r.delay) for r in heard.retries] == [("held", status, 0.1)] * 3
    (line,) = said(caplog)
    assert all(word in line for word in ("credentials", "region", "eu", str(status)))
    assert "the-key" not in line


def test_held_destination_is_asked_by_one_request_each_time(make: MakePipeline) -> None:
    """However many customers wait."""
    with ScriptedServer([answer(401)] * 1_000) as server:
        pipeline = make(track_url=server.url, api="v1", flush_interval=3600, hold_interval=0.2)
        for n in range(100):
            pipeline.track(f"{n}", "x")
        started = time.monotonic()
        pipeline.flush(0.9)
        count = len(server.requests)
        took = time.monotonic() - started

        # Those that were under way at once, and then one each time.
        assert count <= 8 + 1 + took / pipeline.options.hold_interval
        assert balanced(pipeline).pending == 100


@each_api
@pytest.mark.parametrize("status", [301, 303])
def test_redirect_is_never_followed(
    make: MakePipeline, sandbox: Sandbox, caplog: Any, status: int, api: str
) -> None:
    """A followed 301 turns POST into GET and loses the event; it is the region that is wrong."""
    with ScriptedServer([redirect(f"{sandbox.url}/elsewhere", status)] * 2) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600)
        pipeline.track("5", "x")
        stats = settled(pipeline)
        methods = [request.method for request in server.requests]

    assert (stats.sent, stats.retries) == (1, 2)
    assert methods == ["POST"] * 3
    assert sandbox.requests == []
    (line,) = said(caplog)
    assert "region" in line


def test_path_that_a_batch_does_not_find_is_a_wrong_url(make: MakePipeline, caplog: Any) -> None:
    """Every call would fail: that is the setting's fault."""
    with ScriptedServer([answer(404)] * 2) as server:
        pipeline = make(track_url=f"{server.url}/wrong", flush_interval=3600)
        track_many(pipeline, 3)
        stats = settled(pipeline)
        targets = [request.target for request in server.requests]

    assert (stats.sent, stats.failed, stats.retries) == (3, 0, 2)
    assert targets == ["/wrong/api/v2/batch"] * 3
    (line,) = said(caplog)
    assert "URL" in line


# What is a success, and who else may answer.


@each_api
@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b""), (200, b"null"), (201, b"{}"), (202, b"\xff"), (204, b""), (200, b'{"half')],
)
def test_success_is_success_whatever_its_body(
    make: MakePipeline, status: int, body: bytes, api: str
) -> None:
    """2xx, and never a second request for it."""
    with ScriptedServer([answer(status, body)]) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600)
        pipeline.track("5", "x")
        assert settled(pipeline).sent == 1
        assert len(server.requests) == 1


@each_api
@pytest.mark.parametrize("status", [200, 207])
def test_page_of_a_captive_portal_is_no_success(
    make: MakePipeline, heard: Heard, status: int, api: str
) -> None:
    """Text that is not JSON comes from somebody else, and the call is sent again."""
    page = b"<html>Welcome to our hotel</html>"
    with ScriptedServer([answer(status, page)] * 2) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600)
        pipeline.track("5", "x")
        stats = settled(pipeline)
        host = server.url.removeprefix("http://")

    assert (stats.sent, stats.failed, stats.retries) == (1, 0, 2)
    assert {(retry.reason, retry.status) for retry in heard.retries} == {("server_error", status)}
    assert all(host in (retry.detail or "") for retry in heard.retries)


@pytest.mark.cio_live  # a name that is none of this machine's
def test_other_region_is_named(make: MakePipeline, caplog: Any) -> None:
    """A redirect there says which setting has to change."""
    step = redirect("https://track-eu.customer.io/api/v2/batch")
    with ScriptedServer([step]) as server, requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": server.url}
        # Not the region's own host: what is sent goes to the server above all the same.
        pipeline = make(track_url="http://track.customer.io", session=session)
        pipeline.track("5", "x")
        assert settled(pipeline).sent == 1

    (line,) = [line for line in said(caplog) if "301" in line]
    assert "track_url" in line
    assert "track-eu.customer.io" in line


# Retried calls keep their ids.


@each_api
def test_server_that_forgets_to_answer_sees_each_event_once(
    make: MakePipeline, sandbox: Sandbox, api: str
) -> None:
    """It had taken them; by their ids it knows the repeats, and the person stays right."""
    sandbox.forget_next(times=3)
    pipeline = make(api=api, flush_interval=3600)
    for n in range(20):
        pipeline.send(Identify("5", {"n": n}))
        pipeline.send(Track("5", f"{n}"))
    stats = settled(pipeline)

    assert (stats.sent, stats.retries) == (40, 3)
    assert names(sandbox) == [str(n) for n in range(20)]
    assert sandbox.people[0].attributes["n"] == 19
