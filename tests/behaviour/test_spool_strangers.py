"""What a stranger has written into a spool is refused, and stops nobody else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cio_events import DeadLetter, Pipeline
from cio_events._buffers.failures import Failure
from cio_events._buffers.spool.dead_letters import DeadLetters
from cio_events._buffers.workspace import NOBODYS
from cio_events._calls.ulid import new_id
from cio_events._wire.envelope import Envelope, Route
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import names, said, settled
from tests.cli.commands import run
from tests.support.spools import opened

if TYPE_CHECKING:
    import pytest

MakePipeline = Callable[..., Pipeline]

MESSAGE = json.dumps(
    {"to": "a@example.com", "transactional_message_id": "1", "identifiers": {"id": "5"}}
).encode()

NO_KINDS = {
    "climbing": b"../../x",
    "climbing, escaped": b"..%2f..%2fx",
    "absolute": b"/etc/passwd",
    "another host": b"//example.com/x",
    "nul": b"e\0mail",
    "line": b"email\r\nX-Header: 1",
    "long": b"x" * 10_000,
    "not ascii": "émail".encode(),
    "of the Track API": b"person event",
    "none": b"",
}

BODIES = [
    b"[" * 200_000,
    b"\xff",
    b"[]",
    b'{"type":"../../x","action":"../../y"}',
    b'{"type":"person","action":"event","name":"n","identifiers":[1]}',
    b'{"type":["person"],"action":{}}',
]


def planted(route: bytes, body: bytes, id_: bytes | None = None) -> Envelope:
    """A call as somebody may write it who knows the form."""
    now = time.time_ns() // 1_000_000
    return b"".join((route, now.to_bytes(6, "big"), id_ or new_id(now).encode(), body))


def plant(directory: Path, *calls: Envelope) -> None:
    """Leave them in a file that nobody has."""
    spool = opened(directory)
    for one in calls:
        spool.put(one)
    spool.close()


def letters_of(pipeline: Pipeline) -> dict[str, DeadLetter]:
    """By id."""
    return {letter.id: letter for letter in pipeline.failures()}


def test_a_kind_that_there_is_not_leaves_no_path(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No request is made of it, by a call that waits and by a letter that is sent again."""
    strangers = [planted(Route.APP, kind + b"\n" + MESSAGE) for kind in NO_KINDS.values()]
    plant(tmp_path, *strangers, planted(Route.APP, b"email\n" + MESSAGE))
    pipeline = make(spool=tmp_path, app_url=sandbox.url)
    pipeline.track("5", "good")

    for again in (False, True):
        if again:
            assert pipeline.resend() == len(NO_KINDS)
            pipeline._worker._dispatcher.adopt_soon()
        stats = settled(pipeline)
        assert (stats.sent, stats.failed) == (2, len(NO_KINDS) * (1 + again))
        paths = sorted(request.path for request in sandbox.requests)
        assert paths == ["/api/v2/batch", "/v1/send/email"]
        letters = letters_of(pipeline)
        assert len(letters) == len(NO_KINDS)
        assert {(one.reason, one.detail, one.call) for one in letters.values()} == {
            ("invalid", "it cannot be read any more", None)
        }
    assert not [line for line in said(caplog) if "passwd" in line or "example.com" in line]


def test_an_id_that_is_none_stops_nothing(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It is damage; what lies around it is delivered, and `close` ends."""
    ids = [
        "é".encode() * 13,
        b"01" + "é".encode() * 12,
        b"../../../../../../../../xx",
        b"9" * 26,
        b"'" * 26,
    ]
    bad = [planted(Route.BATCH, b'{"type":"person","action":"event"}', id_) for id_ in ids]
    plant(tmp_path, *bad[:3], planted(Route.APP, b"email\n" + MESSAGE), *bad[3:])
    pipeline = make(spool=tmp_path, app_url=sandbox.url)
    pipeline.track("5", "good")

    assert pipeline.close(30)
    stats = pipeline.stats()
    assert (stats.received, stats.sent, stats.dropped) == (7, 2, 5)
    assert stats.dropped_by_reason == {"damaged": 5}
    assert names(sandbox) == ["good"]


def test_letters_of_strangers_are_listed_and_shown(tmp_path: Path) -> None:
    """The commands end well, whatever lies there, and `call` is None where nothing can be read."""
    letters = DeadLetters(tmp_path, NOBODYS)
    calls = [planted(Route.APP, kind + b"\n" + MESSAGE) for kind in NO_KINDS.values()]
    for body in BODIES:
        calls += [planted(route, body) for route in (Route.BATCH, Route.SINGLE)]
        calls.append(planted(Route.APP, b"email\n" + body))
    no_ids = [planted(Route.BATCH, b"{}", b"\x1b[2J" + b"0" * 22)]
    letters.add([(one, Failure("rejected", 400, "\x1b[2J")) for one in calls])
    with closing(letters._open()) as database:
        for one in no_ids:
            database.execute(
                "INSERT INTO letters (id, reason, failed_at, workspace, envelope) "
                "VALUES (?, 'rejected', 10000000000000, '', ?)",
                (one[7:33].decode(), one),
            )
    listed = run("spool", "list", tmp_path, "--json", "--limit", 100)
    found = list(letters.select())

    assert listed.exit_code == 0, listed.output
    assert len(listed.stdout.splitlines()) == len(calls) == len(found)
    assert {letter.call for letter in found[: len(NO_KINDS)]} == {None}
    for letter in found:
        shown = run("spool", "show", tmp_path, letter.id)
        assert shown.exit_code == 0, (letter.envelope[:80], shown.exception)
        assert "\x1b" not in shown.output
