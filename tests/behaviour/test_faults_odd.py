"""
Answers that no server should give: none of them interrupts delivery or has a message sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cio_events import Call, Pipeline, SendPush, Track
from tests.behaviour.watching import Heard, said, settled
from tests.support.bombs import bomb
from tests.support.servers import Peer, ScriptedServer, Step, answer, raw

MakePipeline = Callable[..., Pipeline]

RECEIPT = b'{"delivery_id":"x","queued_at":5}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def deep(status: int, nest: bytes, depth: int) -> Step:
    """Answer with JSON of that depth."""
    start, end = nest.split(b"...")
    return answer(status, start * depth + b'"x"' + end * depth)


def listing(count: int) -> Step:
    """Answer with a 207 of so many errors."""
    item = b'{"batch_index":0,"reason":"invalid"}'
    return answer(207, b'{"errors":[' + b",".join([item] * count) + b"]}")


def endless(start: bytes, more: bytes) -> Step:
    """Answer without an end, as fast as it is read."""

    def step(peer: Peer) -> bool:
        peer.read()
        peer.send(start)
        while not peer.server.closing.is_set():
            peer.send(more)
        return False

    return step


def plain(first: bytes, body: bytes = b"{}") -> Step:
    """Answer with these first lines, byte by byte as they are."""
    return raw(b"HTTP/1.1 " + first + b"\r\n\r\n" + body)


ODD: dict[str, Step] = {
    # Bodies.
    **{
        f"{status}, {depth} deep, {nest!r}": deep(status, nest, depth)
        for status in (200, 207, 400)
        for depth in (500, 1_000)
        for nest in (b"[...]", b'{"errors":[...]}', b'{"errors":...}', b'{"reason":[...]}')
    },
    "many errors": listing(100_000),
    "an index of 5 000 digits": answer(207, b'{"errors":[{"batch_index":1%s}]}' % (b"0" * 5_000)),
    "an index without an end": answer(207, b'{"errors":[{"batch_index":1e400}]}'),
    "errors of all kinds": answer(207, b'{"errors":[null,5,[1],{"batch_index":0,"reason":{}}]}'),
    "errors that are none": answer(207, b'{"errors":{"0":"bad"}}'),
    "a reason that is no text": answer(207, b'{"errors":[{"batch_index":0,"reason":"\\ud800"}]}'),
    "another coding": answer(400, '{"meta":{}}'.encode("utf-16")),
    "a coding that is none": answer(
        400, b"hello", {"Content-Type": "application/json; charset=zlib_codec"}
    ),
    "a receipt of all kinds": answer(200, b'{"delivery_id":[5],"queued_at":1e400}'),
    "a bomb": answer(200, bomb(100), {"Content-Encoding": "gzip"}),
    "no gzip": answer(200, b"hello", {"Content-Encoding": "gzip"}),
    "chunks without a size": raw(CHUNKED + b"zz\r\nhello\r\n"),
    "a chunk of a negative size": raw(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"),
    "a size without an end": endless(CHUNKED, b"1" * 10_000),
    "two answers": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" * 2),
    # Headers.
    "a header without an end": endless(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 10_000),
    "headers without an end": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1_000),
    "a length of 5 000 digits": plain(b"200 OK\r\nContent-Length: " + b"9" * 5_000),
    "a negative length": plain(b"200 OK\r\nContent-Length: -5"),
    "two lengths": plain(b"200 OK\r\nContent-Length: 2\r\nContent-Length: 5"),
    "a header without a name": plain(b"200 OK\r\n\x00: y\r\nnonsense\r\nContent-Length: 2"),
    "many 1xx": plain(b"103 Wait\r\n\r\nHTTP/1.1 " * 2_000 + b"200 OK\r\nContent-Length: 2"),
    # First lines.
    **{
        f"the first line {line!r}": raw(line + b"\r\n\r\n{}")
        for line in (
            *(b"hello", b"{}", b"SSH-2.0-OpenSSH_9", b"PRI * HTTP/2.0", b"\x15\x03\x01\x00\x02"),
            *(b"HTTP/1.1 99999 X", b"HTTP/1.1 -05 X", b"HTTP/1.1 20", b"HTTP/3.7 200 OK"),
            *(b"HTTP/1.1 999 X", b"HTTP/1.1 200", b"HTTP/1.1 \xef\xbc\x92\xef\xbc\x90 OK"),
        )
    },
}


def numbered(way: str, number: int) -> Call:
    """A call that takes that way."""
    if way == "App":
        return SendPush(transactional_message_id=1, identifiers=f"{number}", title=f"n{number}.")
    return Track(f"{number}", f"n{number}.")


@pytest.mark.parametrize("way", ["v2", "v1", "App"])
def test_odd_answers_interrupt_nothing(
    make: MakePipeline, heard: Heard, caplog: Any, way: str
) -> None:
    """What is behind them is sent, each call ends once, and none is waited for."""
    with ScriptedServer() as server:
        options: dict[str, Any] = {} if way == "App" else {"api": way}
        pipeline = make(track_url=server.url, app_url=server.url, timeout=20.0, **options)
        for number, (name, step) in enumerate(ODD.items()):
            server.then(step)
            pipeline.send(numbered(way, number))
            settled(pipeline)
            assert not [line for line in said(caplog) if "interrupted" in line], name
            server.forgive()
            if way == "App":  # whatever it was, it is not known whether it has arrived
                bodies = [request.body for request in server.requests]
                assert sum(b'"n%d."' % number in body for body in bodies) == 1, name

    assert len(heard.sent) + len(heard.failed) == len(ODD)
    assert {report.reason for report in heard.failed} <= {"rejected", "ambiguous"}
    assert not [line for line in said(caplog) if not line.isprintable()]
