"""Answers about the calls: which of a batch are refused, and what becomes of a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from cio_events import Pipeline, Receipt, SendPush
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import Heard, balanced, eventually, settled
from tests.support.servers import Peer, ScriptedServer, Step, answer, head, unanswered_port

MakePipeline = Callable[..., Pipeline]


def track_many(pipeline: Pipeline, count: int) -> None:
    """Log that many events, of one customer."""
    for n in range(count):
        pipeline.track("5", f"{n}")


# Given up.


@pytest.mark.parametrize("status", [400, 404])
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
@pytest.mark.parametrize("bad", [0, 61, 100, 199])
def test_one_bad_call_takes_nobody_with_it(
    make: MakePipeline, heard: Heard, status: int, bad: int
) -> None:
    """A refused batch is split in half until the culprit stands alone."""
    with ScriptedServer([refuse(b"poison", status)] * 100) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        for n in range(200):
            pipeline.track("5", "poison" if n == bad else f"{n}")
        stats = settled(pipeline)
        requests = list(server.requests)

    assert (stats.sent, stats.failed_by_reason, stats.retries) == (199, {"rejected": 1}, 0)
    assert len(requests) == requests_for(200, bad)
    assert [report.call.name for report in heard.failed] == ["poison"]
    assert heard.failed[0].status == status
    taken = [
        operation["name"]
        for request in requests
        if b"poison" not in request.body
        for operation in request.json["batch"]
    ]
    assert taken == [str(n) for n in range(200) if n != bad]


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


@pytest.mark.parametrize(
    ("status", "requests", "sent", "failed"),
    [
        (200, 1, 0, {"ambiguous": 1}),
        (429, 2, 1, {}),
        (503, 2, 1, {}),
        (500, 1, 0, {"ambiguous": 1}),
        (400, 1, 0, {"rejected": 1}),
        (404, 1, 0, {"rejected": 1}),
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
