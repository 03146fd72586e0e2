"""An entry that lies in Redis under several ids, or others than before, is one entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cio_events._calls.messages import SendEmail
from cio_events._calls.people import Track
from cio_events._delivery.ledger import Ledger
from cio_events._redis import entries
from cio_events._relay import reader as reading
from cio_events._relay.buffer import InHand, Memory, StreamBuffer
from cio_events._relay.lease import Lease
from cio_events._relay.link import GROUP, Link
from cio_events._relay.reader import Reader
from cio_events._relay.recorder import Recorder
from tests.relay.conftest import Publisher, envelope, relay, running, until
from tests.support.redis_server import RedisServer, needs_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox import Sandbox

pytestmark = needs_redis

EMAIL = SendEmail(to="ada@example.com", identifiers="5", transactional_message_id=3)


def unexpected(*what: Any) -> None:
    """What no test here may cause."""
    raise AssertionError(what)


@pytest.fixture
def link(server: RedisServer, publisher: Publisher) -> Iterator[Link]:
    """To a partition that nobody leads."""
    link = Link(server.url, publisher.keys)
    yield link
    link.close()


def test_a_repeat_that_becomes_known_at_the_end_of_its_first_is_counted_once(
    server: RedisServer, publisher: Publisher, link: Link, monkeypatch: pytest.MonkeyPatch
):
    """It was read before that, and then the end is written of both."""
    ids = [publisher.add([envelope(Track("5", "one"))], 1) for _ in range(2)]
    lease = Lease(link, 15.0)
    assert lease.take()
    server.do("XGROUP", "CREATE", publisher.keys.stream, GROUP, "0")
    ended: list[InHand] = []
    buffer = StreamBuffer(link, lease, Memory(), lambda entry, **_: ended.append(entry))
    reader = Reader(
        link,
        lease,
        buffer,
        Ledger(1_000, 1_000_000),
        notify=lambda: None,
        fenced=unexpected,
        trouble=unexpected,
        died=unexpected,
        say=unexpected,
        idle=lambda: True,
    )
    recorder = Recorder(link, lease, unexpected, unexpected, unexpected)
    knows = buffer.knows

    def knows_late(number: Any, id_: bytes, size: int, **more: Any) -> bool:
        # Between the reading of both and this, the first has ended.
        if id_ == ids[1]:
            buffer.forget(buffer.take(10))
            assert recorder._write(list(ended))
        return knows(number, id_, size, **more)

    monkeypatch.setattr(buffer, "knows", knows_late)
    reader._most = 2
    reader._read(reading._Place(b"0-0", new=True))
    assert recorder._write(ended[1:])
    assert set(ended[1].ids) == set(ids)
    assert publisher.balanced()


def test_a_mark_holds_for_the_same_message_under_another_id(
    server: RedisServer, publisher: Publisher, link: Link, sandbox: Sandbox
):
    """As where a promoted replica had the mark, and its publisher stored the entry once more."""
    message = envelope(EMAIL)
    lease = Lease(link, 15.0)
    assert lease.take()
    buffer = StreamBuffer(link, lease, Memory(), unexpected)
    entry = entries.entry_of([message], publisher.name, 1)
    buffer.add(InHand((publisher.name, 1), {b"1-1": 1}, 1), entry)
    (taken,) = buffer.take(10)
    assert buffer.sending(taken)
    lease.release()
    publisher.add([message], 1)
    with running(relay(server, sandbox)):
        until(publisher.balanced)
    assert publisher.counts["relay_failed:ambiguous"] == 1
    assert not sandbox.messages
    assert not server.do("EXISTS", publisher.keys.marks)


def test_an_end_that_redis_has_forgotten_the_beginning_of_leaves_the_entry_there(
    server: RedisServer, publisher: Publisher, link: Link, sandbox: Sandbox
):
    """As where a replica was promoted that has the entry, and not that it was read."""
    publisher.publish(Track("5", "before"))
    message = envelope(EMAIL)
    id_ = publisher.add([message], 2)
    lease = Lease(link, 15.0)
    assert lease.take()
    server.do("XGROUP", "CREATE", publisher.keys.stream, GROUP, "0")
    server.do(
        "XREADGROUP", "GROUP", GROUP, GROUP, "COUNT", 1, "STREAMS", publisher.keys.stream, ">"
    )
    server.do("HSET", publisher.keys.marks, f"{publisher.name}.2", lease.generation)
    recorder = Recorder(link, lease, unexpected, unexpected, unexpected)
    assert recorder._write([InHand((publisher.name, 2), {id_: 1}, 0)])
    assert publisher.left == 2
    lease.release()
    with running(relay(server, sandbox)):
        until(lambda: not publisher.left)
    # It may have been sent: this relay cannot know.
    assert publisher.counts["relay_failed:ambiguous"] == 1
    assert [event.name for event in sandbox.events] == ["before"]
