"""An entry that lies in Redis under several ids, or others than before, is one entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cio_events._calls.messages import SendEmail
from cio_events._calls.people import Track
from cio_events._redis import entries
from cio_events._relay.buffer import InHand
from cio_events._relay.recorder import Recorder
from tests.relay.conftest import Publisher, envelope, relay, running, until
from tests.relay.led import Led, unexpected
from tests.support.needs import needs_redis

if TYPE_CHECKING:
    import pytest

    from cio_events.sandbox import Sandbox

pytestmark = needs_redis

EMAIL = SendEmail(to="ada@example.com", identifiers="5", transactional_message_id=3)


def test_a_repeat_that_becomes_known_at_the_end_of_its_first_is_counted_once(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """It was read before that, and then the end is written of both."""
    ids = [publisher.add([envelope(Track("5", "one"))], 1) for _ in range(2)]
    recorder = Recorder(led.link, led.lease, unexpected, unexpected, unexpected)
    knows = led.buffer.knows

    def knows_late(number: Any, id_: bytes, size: int, **more: Any) -> bool:
        # Between the reading of both and this, the first has ended.
        if id_ == ids[1]:
            led.buffer.forget(led.buffer.take(10))
            assert recorder._write(list(led.ended))
        return knows(number, id_, size, **more)

    monkeypatch.setattr(led.buffer, "knows", knows_late)
    led.read()  # nothing was read before
    led.read()
    assert recorder._write(led.ended[1:])
    assert set(led.ended[1].ids) == set(ids)
    assert publisher.balanced()


def test_a_mark_holds_for_the_same_message_under_another_id(
    led: Led, publisher: Publisher, sandbox: Sandbox
):
    """As where a promoted replica had the mark, and its publisher stored the entry once more."""
    message = envelope(EMAIL)
    entry = entries.entry_of([message], publisher.name, 1)
    led.buffer.add(InHand((publisher.name, 1), {b"1-1": 1}, 1), entry)
    (taken,) = led.buffer.take(10)
    assert led.buffer.sending(taken)
    led.lease.release()
    publisher.add([message], 1)
    with running(relay(led.server, sandbox)):
        until(publisher.balanced)
    assert publisher.counts["relay_failed:ambiguous"] == 1
    assert not sandbox.messages
    assert not led.server.do("EXISTS", publisher.keys.marks)


def test_an_end_that_redis_has_forgotten_the_beginning_of_leaves_the_entry_there(
    led: Led, publisher: Publisher, sandbox: Sandbox
):
    """As where a replica was promoted that has the entry, and not that it was read."""
    led.read()
    publisher.publish(Track("5", "before"))
    assert led.read() == 1
    id_ = publisher.add([envelope(EMAIL)], 2)
    led.server.do("HSET", publisher.keys.marks, f"{publisher.name}.2", led.lease.generation)
    recorder = Recorder(led.link, led.lease, unexpected, unexpected, unexpected)
    assert recorder._write([InHand((publisher.name, 2), {id_: 1}, 0)])
    assert publisher.left == 2
    led.lease.release()
    with running(relay(led.server, sandbox)):
        until(lambda: not publisher.left)
    # It may have been sent: this relay cannot know.
    assert publisher.counts["relay_failed:ambiguous"] == 1
    assert [event.name for event in sandbox.events] == ["before"]
