"""
The table of the page on guarantees, over HTTP: each row, each way that a call takes, each buffer.

Three calls travel: one that gets the answer of the row, one behind it of the same customer, and
another customer's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cio_events import Call, Pipeline, SendPush, Track
from tests.behaviour.watching import Heard, eventually, said, settled
from tests.contract import pages
from tests.support.effort import THOROUGH
from tests.support.ports import free_port
from tests.support.servers import Peer, ScriptedServer, head

MakePipeline: TypeAlias = Callable[..., Pipeline]
Reply: TypeAlias = Callable[[Peer], bool]

RECEIPT = b'{"delivery_id":"x","queued_at":5}'
THEIRS = b'{"meta":{"error":"the words"}}'
PAGE = b"<html>Welcome to our hotel</html>"

SENT, REJECTED, AMBIGUOUS = "sent", "`rejected`", "`ambiguous`"
AGAIN, HELD = "tried again", "held"


def says(status: int, body: bytes = THEIRS, **headers: str) -> Reply:
    """Answer with that."""

    def reply(peer: Peer) -> bool:
        peer.send(_head(status, len(body), headers) + body)
        return True

    return reply


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    # Of some, Python has no name.
    return head(200, length, headers).replace(b"200 OK", f"{status} Whatever".encode(), 1)


def cut_off(status: int, body: bytes) -> Reply:
    """Close the connection in the middle of the answer."""

    def reply(peer: Peer) -> bool:
        peer.send(_head(status, len(body) + 10, {}) + body)
        return False

    return reply


def breaks(peer: Peer) -> bool:
    """Break the connection."""
    peer.reset()
    return False


def stalls(peer: Peer) -> bool:
    """Never answer."""
    peer.stall()
    return False


def hints(*statuses: int) -> Reply:
    """Answer with success, behind so many 1xx."""

    def reply(peer: Peer) -> bool:
        peer.send(b"".join(b"HTTP/1.1 %d Wait\r\nLink: </x>\r\n\r\n" % one for one in statuses))
        return says(200, RECEIPT)(peer)

    return reply


def listed(index: str) -> bytes:
    """The body of a 207 that lists the call of that index."""
    return b'{"errors":[{"batch_index":%s,"reason":"invalid","message":"the words"}]}' % (
        index.encode()
    )


FORBIDS = says(403)


@dataclass(frozen=True)
class Case:
    """An answer, and what it means for calls about people and for a message."""

    reply: Reply | None
    """None: nobody listens."""
    people: str
    message: str


def cases(replies: Sequence[Reply | None], people: str, message: str) -> list[Case]:
    """Answers that mean the same."""
    return [Case(reply, people, message) for reply in replies]


# By the words with which the page begins each row.
ROWS: dict[str, list[Case]] = {
    "2xx with JSON, or without a body": [
        *cases([says(200, RECEIPT), says(202, RECEIPT), says(201, RECEIPT)], SENT, SENT),
        *cases([says(200, b"{}"), says(200, b""), says(204, b"")], SENT, AMBIGUOUS),
    ],
    "207 that lists calls": cases([says(207, listed("0"))], REJECTED, AMBIGUOUS),
    "207 with an error that names no call": cases(
        [says(207, listed(index)) for index in ("7", '"0"', "null", "0.5")], REJECTED, AMBIGUOUS
    ),
    "2xx with a page of HTML or other text": cases(
        [says(200, PAGE), says(207, PAGE), says(200, b"ok")], AGAIN, AMBIGUOUS
    ),
    "400, 413, 422, another 4xx": cases(
        [says(status) for status in (400, 402, 406, 409, 410, 413, 415, 422, 451)],
        REJECTED,
        REJECTED,
    ),
    "404 and 405 with Customer.io's own JSON": cases([says(404), says(405)], REJECTED, REJECTED),
    "404 and 405 without it": cases(
        [says(404, PAGE), says(405, b""), says(404, b'{"not":"theirs"}')], HELD, HELD
    ),
    "401, 407, a redirect": cases(
        [
            says(401),
            says(407),
            *(says(n, b"", Location="https://x.invalid/") for n in (301, 302, 307, 308)),
        ],
        HELD,
        HELD,
    ),
    "403": cases([FORBIDS], HELD, REJECTED),
    "429, 503": cases([says(429), says(503)], AGAIN, AGAIN),
    "408, 421, 425, another 5xx": cases(
        [says(status) for status in (408, 421, 425, 500, 501, 502, 504, 599)], AGAIN, AMBIGUOUS
    ),
    "no connection": cases([None], AGAIN, AGAIN),
    "a connection that breaks, no answer in time": cases([breaks, stalls], AGAIN, AMBIGUOUS),
    "1xx": cases([hints(103), hints(102, 103, 103), hints(100)], SENT, SENT),
    "a body that is cut off, or cannot be read": [
        *cases([cut_off(200, b'{"deli')], SENT, AMBIGUOUS),
        *cases([cut_off(207, b'{"errors":[{"ba')], REJECTED, AMBIGUOUS),
        *cases([cut_off(400, b"no")], REJECTED, REJECTED),
        *cases([cut_off(503, b"no")], AGAIN, AGAIN),
    ],
}


def test_page_has_these_rows() -> None:
    """And each says what the test of its row expects."""
    rows = pages.table("guarantees#What an answer of Customer.io means", "answer")
    assert [row[0] for row in rows] == list(ROWS)
    for answer, people, message in rows:
        for case in ROWS[answer]:
            assert case.people in people, answer
            assert case.message in message, answer


WAYS = ("v2", "v1", "App")


def _combinations() -> list[Any]:
    """Each row by each way; from the spool, unless all is asked for, by one way each, in turn."""
    return [
        pytest.param(row, way, spooled, id=f"{row}-{way}-{'spool' if spooled else 'memory'}")
        for number, row in enumerate(ROWS)
        for turn, way in enumerate(WAYS)
        for spooled in (False, True)
        if not spooled or THOROUGH or number % len(WAYS) == turn
    ]


@pytest.mark.parametrize(("row", "way", "spooled"), _combinations())
def test_answer_means_what_the_page_says(
    make: MakePipeline,
    heard: Heard,
    caplog: Any,
    tmp_path: Path,
    row: str,
    way: str,
    spooled: bool,
) -> None:
    """The ledger has the end, the signals tell it, and nobody else is concerned."""
    spool = str(tmp_path / "spool") if spooled else None
    of_row = ROWS[row]
    if spooled:  # one of each outcome: it is the disk that may differ
        of_row = list({(case.people, case.message): case for case in of_row}.values())
    for number, case in enumerate(of_row):
        step = Once(case.reply, case.message if way == "App" else case.people)
        port = free_port()
        options: dict[str, Any] = {"flush_interval": 3600, "spool": spool}
        if case.reply is stalls:
            options["timeout"] = 2.0  # far more than an answer takes
        if way != "App":
            options["api"] = way
        url = f"http://127.0.0.1:{port}"
        pipeline = make(track_url=url, app_url=url, **options)
        heard.__init__()  # type: ignore[misc]
        caplog.clear()
        _check(step, port, pipeline, heard, caplog, way, number)
        if spooled:
            reasons = [dead.reason for dead in pipeline.failures()]
            assert reasons == [report.reason for report in heard.failed]
            pipeline.discard()
        pipeline.close()


def _check(
    step: Once, port: int, pipeline: Pipeline, heard: Heard, caplog: Any, way: str, number: int
) -> None:
    outcome = step.outcome
    listens = step.reply is not None
    server = ScriptedServer([step] * 100, port=port) if listens else None
    for who, name in (("5", "poison"), ("5", "behind"), ("6", "other")):
        if name == "other" and step.forbids and way == "App":
            # Of those that are under way together, the other one might pass before.
            pipeline.flush(0)
            assert eventually(lambda: heard.retries)
        pipeline.send(call(way, f"{who}-{number}", name))
    if server is None:
        assert pipeline.flush(0) is False
        assert eventually(lambda: heard.retries)
        server = ScriptedServer([step] * 100, port=port)
    with server:
        stats = settled(pipeline)
        bodies = [request.body for request in server.requests]

    poisoned = sum(b"poison" in body for body in bodies)
    sent = [name_of(report.call) for report in heard.sent]
    failed = [(name_of(report.call), f"`{report.reason}`") for report in heard.failed]
    bad = outcome in (REJECTED, AMBIGUOUS)
    assert failed == ([("poison", outcome)] if bad else []), heard.failed
    assert sorted(sent) == sorted(["behind", "other"] if bad else ["behind", "other", "poison"])
    assert stats.sent == len(sent)
    if not bad:
        assert sent.index("poison") < sent.index("behind")
    lines = said(caplog)
    if outcome == SENT:
        assert (poisoned, heard.retries, lines) == (1, [], [])
    elif outcome == AMBIGUOUS:
        assert poisoned == 1
    elif outcome == AGAIN:
        reasons = {retry.reason for retry in heard.retries}
        assert reasons
        assert reasons <= {"server_error", "rate_limited", "no_answer", "no_connection"}
        assert any("tried again" in line for line in lines)
    elif outcome == HELD:
        assert {retry.reason for retry in heard.retries} == {"held"}
    if bad:
        assert any(report.id in line for report in heard.failed for line in lines)


class Once:
    """Gives *reply* to the requests with the first call, as long as it takes to see *outcome*."""

    def __init__(self, reply: Reply | None, outcome: str) -> None:
        self.reply = reply
        self.outcome = outcome
        self.forbids = reply is FORBIDS
        times = {AGAIN: 1, HELD: 1}.get(outcome, 100)
        self._left = itertools.count(times, -1)

    def __call__(self, peer: Peer) -> bool:
        """Play it."""
        request = peer.read()
        if self.reply is not None and b"poison" in request.body and next(self._left) > 0:
            return self.reply(peer)
        # A kept connection that breaks is tried again at once, and who gets which is chance.
        peer.send(head(200, len(RECEIPT), {"Connection": "close"}) + RECEIPT)
        return False


def call(way: str, who: str, name: str) -> Call:
    """A call that takes that way."""
    if way == "App":
        return SendPush(transactional_message_id=1, identifiers=who, title=name)
    return Track(who, name)


def name_of(call: Any) -> str:
    """What the call is known by here."""
    return str(call.title if isinstance(call, SendPush) else call.name)
