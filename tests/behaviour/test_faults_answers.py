"""Answers that are no success: what is tried again, held, split or given up, and how often."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import orjson
import pytest
import requests

from cio_events import Identify, Pipeline, Receipt, SendPush, Track
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import Heard, balanced, eventually, names, said, settled
from tests.support.servers import (
    Peer,
    ScriptedServer,
    Step,
    answer,
    head,
    redirect,
    unanswered_port,
)

MakePipeline = Callable[..., Pipeline]
each_api = pytest.mark.parametrize("api", ["v1", "v2"])


def track_many(pipeline: Pipeline, count: int) -> None:
    """Log that many events, of one customer."""
    for n in range(count):
        pipeline.track("5", f"{n}")


# Tried again.


@each_api
@pytest.mark.parametrize("status", [408, 429, 500, 501, 502, 503, 504, 507, 599])
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
    make: MakePipeline, heard: Heard
) -> None:
    """There is one retry layer: each request is one announced retry, but the first."""
    with ScriptedServer([answer(500)] * 1_000) as server:
        pipeline = make(track_url=server.url, max_age=0.4)
        track_many(pipeline, 3)
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
@pytest.mark.parametrize("status", [401, 403, 407])
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
        pipeline.flush(0.9)

        assert len(server.requests) <= 8 + 5
        assert balanced(pipeline).pending == 100


@each_api
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
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


# Given up.


@pytest.mark.parametrize("status", [400, 402, 404, 405, 406, 409, 410, 413, 415, 422, 451])
def test_single_call_that_is_refused_has_failed(
    make: MakePipeline, heard: Heard, status: int
) -> None:
    """It is not sent again, and the customer's next call goes out."""
    with ScriptedServer([answer(status, b'{"meta":{"error":"no"}}')]) as server:
        pipeline = make(track_url=server.url, api="v1", flush_interval=3600)
        track_many(pipeline, 2)
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.failed_by_reason, stats.retries) == (1, {"rejected": 1}, 0)
    assert count == 2
    (report,) = heard.failed
    assert (report.status, report.attempts, report.detail) == (
        status,
        1,
        '{"meta":{"error":"no"}}',
    )


def refuse(poison: bytes, status: int) -> Step:
    """Refuse any request that holds *poison*."""

    def step(peer: Peer) -> bool:
        found = poison in peer.read().body
        body = b'{"errors":[{"reason":"invalid"}]}' if found else b"{}"
        peer.send(head(status if found else 200, len(body)) + body)
        return True

    return step


def requests_for(count: int, bad: int) -> int:
    """How many requests it takes to find one bad call among *count*, by halves."""
    if count == 1:
        return 1
    half = count // 2
    found = requests_for(half, bad) if bad < half else requests_for(count - half, bad - half)
    return 1 + found + 1


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("bad", [0, 123, 250, 499])
def test_one_bad_call_takes_nobody_with_it(
    make: MakePipeline, heard: Heard, status: int, bad: int
) -> None:
    """A refused batch is split in half until the culprit stands alone."""
    with ScriptedServer([refuse(b"poison", status)] * 100) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        for n in range(500):
            pipeline.track("5", "poison" if n == bad else f"{n}")
        stats = settled(pipeline)
        requests = list(server.requests)

    assert (stats.sent, stats.failed_by_reason, stats.retries) == (499, {"rejected": 1}, 0)
    assert len(requests) == requests_for(500, bad)
    assert [report.call.name for report in heard.failed] == ["poison"]
    assert heard.failed[0].status == status
    taken = [
        operation["name"]
        for request in requests
        if b"poison" not in request.body
        for operation in request.json["batch"]
    ]
    assert taken == [str(n) for n in range(500) if n != bad]


def test_split_goes_on_over_failures(make: MakePipeline, heard: Heard) -> None:
    """A server that fails while the culprit is looked for changes neither order nor outcome."""
    script = [step for _ in range(40) for step in (refuse(b"poison", 400), answer(503))]
    with ScriptedServer(script) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        for n in range(32):
            pipeline.track("5", "poison" if n == 9 else f"{n}")
        stats = settled(pipeline)

    assert (stats.sent, stats.failed_by_reason) == (31, {"rejected": 1})
    assert stats.retries > 3
    assert [report.call.name for report in heard.sent] == [str(n) for n in range(32) if n != 9]


# 207.


def errors(*indices: Any) -> bytes:
    """The body of a 207 that lists these."""
    return orjson.dumps(
        {
            "errors": [
                {"batch_index": index, "reason": "invalid", "field": "name", "message": "is bad"}
                for index in indices
            ]
        }
    )


@pytest.mark.parametrize("listed", [[0], [4], [1, 3], [3, 1, 1], [0, 1, 2, 3, 4]])
def test_only_what_a_207_lists_has_failed(
    make: MakePipeline, heard: Heard, listed: list[int]
) -> None:
    """Everything else was taken, and nothing is sent again."""
    with ScriptedServer([answer(207, errors(*listed))]) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        track_many(pipeline, 5)
        stats = settled(pipeline)
        count = len(server.requests)

    bad = set(listed)
    assert (count, stats.retries) == (1, 0)
    assert (stats.sent, stats.failed) == (5 - len(bad), len(bad))
    assert {report.call.name for report in heard.failed} == {str(n) for n in bad}
    assert {report.call.name for report in heard.sent} == {str(n) for n in set(range(5)) - bad}
    assert all("invalid name is bad" in (report.detail or "") for report in heard.failed)
    assert {report.status for report in [*heard.failed, *heard.sent]} == {207}


def test_what_customer_io_says_is_cut(make: MakePipeline, heard: Heard) -> None:
    """A report does not keep a megabyte of it."""
    body = orjson.dumps({"errors": [{"batch_index": 0, "message": "x" * 1_000_000}]})
    with ScriptedServer([answer(207, body)]) as server:
        pipeline = make(track_url=server.url)
        pipeline.track("5", "x")
        settled(pipeline)

    assert len(heard.failed[0].detail or "") == 1_000


NAMES_NOBODY = [
    b"null",
    b"[]",
    b"{}",
    b'{"errors":null}',
    b'{"errors":[null]}',
    b'{"errors":["x"]}',
    b'{"errors":[{}]}',
    b'{"errors":[{"batch_in',
    errors(None),
    errors("0"),
    errors(-1),
    errors(5_000),
    errors(0.5),
    errors(True),
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", NAMES_NOBODY)
def test_207_that_names_nobody_is_split(make: MakePipeline, heard: Heard, body: bytes) -> None:
    """Until the call that was refused stands alone; to repeat the others is safe."""

    def step(peer: Peer) -> bool:
        operations = peer.read().json["batch"]
        bad = any(operation["name"] == "poison" for operation in operations)
        said = body if bad else b"{}"
        if bad and len(operations) == 1:
            said = errors(7)
        peer.send(head(207 if bad else 200, len(said)) + said)
        return True

    with ScriptedServer([step] * 100) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        for n in range(64):
            pipeline.track(f"{n % 5}", "poison" if n == 9 else f"{n}")
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.failed_by_reason, stats.retries) == (63, {"rejected": 1}, 0)
    assert count == requests_for(64, 9)
    assert [report.call.name for report in heard.failed] == ["poison"]


@pytest.mark.parametrize(("place", "sent"), [(1.0, 4), (0, 4)])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
def test_207_is_read_whatever_its_numbers_look_like(
    make: MakePipeline, place: float, sent: int, before: bytes
) -> None:
    """A whole number with a point is one, and a byte order mark is nothing."""
    with ScriptedServer([answer(207, before + errors(place))]) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        track_many(pipeline, 5)
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.failed_by_reason, count) == (sent, {"rejected": 1}, 1)


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


@each_api
@pytest.mark.parametrize("status", [404, 405])
def test_path_that_nobody_knows_is_a_wrong_url(
    make: MakePipeline, heard: Heard, caplog: Any, status: int, api: str
) -> None:
    """Unless the answer is Customer.io's own: everything is held, and nothing lost."""
    with ScriptedServer([answer(status, b"<html>not here</html>")] * 2) as server:
        pipeline = make(track_url=server.url, app_url=server.url, api=api, flush_interval=3600)
        pipeline.track("5", "x")
        stats = settled(pipeline)

    assert (stats.sent, stats.failed, stats.retries) == (1, 0, 2)
    assert {retry.reason for retry in heard.retries} == {"held"}
    (line,) = said(caplog)
    assert "track_url" in line


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


# Transactional messages: at most once.

RECEIPT = b'{"delivery_id":"x","queued_at":5}'


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"null", b'{"queued_at":5}', b'{"delivery_id":null}', b'{"del']
)
def test_message_without_a_receipt_is_ambiguous(
    make: MakePipeline, heard: Heard, body: bytes
) -> None:
    """Whoever has answered, and whatever: it is not sent again."""
    with ScriptedServer([answer(200, body)]) as server:
        pipeline = make(app_url=server.url)
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.failed_by_reason, count) == (0, {"ambiguous": 1}, 1)


def test_receipt_may_lack_its_time(make: MakePipeline, heard: Heard) -> None:
    """The delivery's id is what says that the message was taken."""
    with ScriptedServer([answer(200, b'{"delivery_id":"x"}')]) as server:
        pipeline = make(app_url=server.url)
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        assert settled(pipeline).sent == 1

    assert heard.sent[0].receipt == Receipt("x")


@pytest.mark.parametrize("status", [404, 405])
def test_message_to_a_wrong_url_waits(make: MakePipeline, caplog: Any, status: int) -> None:
    """Nothing was received there; it goes once the URL is right."""
    with ScriptedServer([answer(status, b"nginx"), answer(200, RECEIPT)]) as server:
        pipeline = make(app_url=server.url)
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        assert settled(pipeline).sent == 1

    (line,) = said(caplog)
    assert "app_url" in line


@pytest.mark.parametrize(
    ("status", "requests", "sent", "failed"),
    [
        (200, 1, 0, {"ambiguous": 1}),
        (202, 1, 0, {"ambiguous": 1}),
        (429, 2, 1, {}),
        (503, 2, 1, {}),
        (500, 1, 0, {"ambiguous": 1}),
        (502, 1, 0, {"ambiguous": 1}),
        (504, 1, 0, {"ambiguous": 1}),
        (408, 1, 0, {"ambiguous": 1}),
        (421, 1, 0, {"ambiguous": 1}),
        (400, 1, 0, {"rejected": 1}),
        (404, 1, 0, {"rejected": 1}),
        (413, 1, 0, {"rejected": 1}),
        (401, 2, 1, {}),
        (403, 2, 1, {}),
        (301, 2, 1, {}),
    ],
)
def test_message_is_never_sent_twice(
    make: MakePipeline,
    heard: Heard,
    status: int,
    requests: int,
    sent: int,
    failed: dict[str, int],
) -> None:
    """Again only when it certainly was not received; after any doubt it has failed."""
    body = b'{"meta":{"error":"the words"}}'
    with ScriptedServer([answer(status, body), answer(200, RECEIPT)]) as server:
        pipeline = make(app_url=server.url, flush_interval=3600)
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        stats = settled(pipeline)
        count = len(server.requests)

    assert (stats.sent, stats.failed_by_reason, count) == (sent, failed, requests)
    for report in heard.failed:
        assert report.status == status
        assert "the words" in (report.detail or "")


def test_message_that_finds_no_connection_waits(make: MakePipeline, sandbox: Sandbox) -> None:
    """Nothing was received for certain."""
    with unanswered_port() as port:
        pipeline = make(app_url=f"http://127.0.0.1:{port}", timeout=0.2)
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        assert eventually(lambda: balanced(pipeline).retries >= 1)
        assert balanced(pipeline).pending == 1


@pytest.mark.parametrize("fault", ["forget_next", "drop_next"])
def test_message_whose_answer_is_lost_is_ambiguous(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, fault: str
) -> None:
    """Whether it was received or not: who is to know."""
    getattr(sandbox, fault)()
    pipeline = make(app_url=sandbox.url)
    pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
    stats = settled(pipeline)

    assert (stats.failed_by_reason, len(sandbox.requests)) == ({"ambiguous": 1}, 1)
    assert len(sandbox.messages) == (1 if fault == "forget_next" else 0)
    assert [report.reason for report in heard.failed] == ["ambiguous"]


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
