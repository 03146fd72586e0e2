"""Entries are looked at first and claimed then: only what is still there, and behind what was."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cio_events._calls.people import Track
from cio_events._redis import entries
from cio_events._relay import reader as reading
from cio_events._relay import recorder as recording
from cio_events._relay import scripts
from cio_events._relay.buffer import InHand
from cio_events._relay.link import ERRORS, GROUP, FencedError
from cio_events._relay.recorder import Recorder
from tests.relay.conftest import PATIENCE_SECONDS, Publisher, envelope, until
from tests.relay.led import Led, unexpected
from tests.support.needs import needs_redis

pytestmark = needs_redis


def track(number: int) -> Track:
    """One call."""
    return Track("5", f"event {number}")


def meanwhile(led: Led, monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Have *change* happen once, between the next look and the claim."""
    look = led.reader._look

    def look_once(place: Any) -> Any:
        found = look(place)
        monkeypatch.setattr(led.reader, "_look", look)
        change()
        return found

    monkeypatch.setattr(led.reader, "_look", look_once)


def test_what_is_claimed_is_as_if_the_group_had_read_it(led: Led, publisher: Publisher):
    """It is pending, counted, and Redis itself tells that nothing is left to read."""
    for number in range(1, 4):
        publisher.add([envelope(track(number))], number)
    assert led.read() == 0  # nothing was read before
    assert led.read() == 3
    assert publisher.counts["relay_read"] == 3
    group = led.group
    assert (group["pending"], group["lag"]) == (3, 0)
    assert led.place == reading._Place(group["last-delivered-id"], new=True)


def test_an_entry_that_is_gone_when_it_is_claimed_is_not_taken(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """What lies before it is; what lies behind is looked at again."""
    led.read()
    ids = [publisher.add([envelope(track(number))], number) for number in range(1, 4)]
    meanwhile(led, monkeypatch, lambda: led.server.do("XDEL", led.keys.stream, ids[1]))
    assert led.read() == 1
    assert led.group["last-delivered-id"] == ids[0]
    assert led.place == reading._START
    assert led.read() + led.read() + led.read() == 1  # those before, of which none is new; behind
    assert publisher.counts["relay_read"] == 2


def test_what_is_not_claimed_any_more_is_read_as_new(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """Redis has come back from before an earlier relay had claimed it."""
    for number in range(1, 3):
        publisher.add([envelope(track(number))], number)
    led.server.do("XREADGROUP", "GROUP", GROUP, GROUP, "STREAMS", led.keys.stream, ">")

    def come_back() -> None:
        led.server.do("XGROUP", "DESTROY", led.keys.stream, GROUP)
        led.server.do("XGROUP", "CREATE", led.keys.stream, GROUP, "0")

    meanwhile(led, monkeypatch, come_back)
    assert led.read() == 0
    assert not led.server.do("EXISTS", led.keys.seen(publisher.name))
    assert [led.read(), led.read()] == [0, 2]


@pytest.mark.parametrize("looked", [False, True])
def test_a_group_that_stands_elsewhere_is_read_from_there(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, looked: bool
):
    """As on a promoted replica, with the relay's connection made by another of its threads."""
    led.read()
    for number in range(1, 3):
        publisher.add([envelope(track(number))], number)
    assert led.read() == 2

    def come_back() -> None:
        led.server.do("FLUSHALL")
        led.server.do("SET", led.keys.lease, led.lease.token)
        led.server.do("XADD", led.keys.stream, "1-1", *entry(publisher, 7))
        led.server.do("XGROUP", "CREATE", led.keys.stream, GROUP, "0")

    if looked:
        publisher.add([envelope(track(3))], 3)
        meanwhile(led, monkeypatch, come_back)
    else:
        monkeypatch.setattr(reading, "_BLOCK_MILLISECONDS", 1)
        come_back()
    assert led.read() == 0
    assert led.place == reading._START
    assert led.read() + led.read() == 1
    assert led.group["last-delivered-id"] == b"1-1"


def test_nothing_is_claimed_behind_what_is_not_claimed_any_more(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """Whoever leads next would never look at it."""
    led.read()
    publisher.add([envelope(track(1))], 1)
    assert led.read() == 1
    publisher.add([envelope(track(2))], 2)
    meanwhile(
        led, monkeypatch, lambda: led.server.do("XGROUP", "SETID", led.keys.stream, GROUP, "0")
    )
    assert led.read() == 0
    assert led.group["last-delivered-id"] == b"0-0"


def entry(publisher: Publisher, sequence: int) -> list[bytes]:
    """The fields of an entry with one call."""
    part = [envelope(track(sequence))]
    return entries.encode(entries.entry_of(part, publisher.name, sequence))


def test_a_group_that_is_gone_is_made_again(led: Led, publisher: Publisher):
    """Whatever Redis says of a stream that is gone as well."""
    led.read()
    for gone in ("XGROUP", "DESTROY", led.keys.stream, GROUP), ("DEL", led.keys.stream):
        led.server.do(*gone)
        with pytest.raises(Exception, match="NOGROUP") as caught:
            led.reader._claim([], reading._Place(b"0-0", new=True))
        assert led.link.make_group(caught.value, led.lease.token)


def test_what_is_pending_again_in_a_redis_that_came_back_is_read_again(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """Though it stands where it stood, and another thread has met the lost connection first."""
    monkeypatch.setattr(reading, "_BLOCK_MILLISECONDS", 1)
    id_ = publisher.add([envelope(track(1))], 1)
    led.read()
    assert led.read() == 1
    before = led.server.do("DUMP", led.keys.stream)
    led.server.do("XACK", led.keys.stream, GROUP, id_)
    assert led.read() == 0
    assert led.place.new
    led.server.do("RESTORE", led.keys.stream, 0, before, "REPLACE")
    led.server.do("CLIENT", "KILL", "TYPE", "normal")
    with pytest.raises(ERRORS):
        led.link.do("PING")
    led.read()
    assert led.place == reading._Place(id_, new=False)


def test_whoever_leads_no_longer_claims_nothing(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """It may look, and that is all."""
    led.read()
    publisher.add([envelope(track(1))], 1)
    meanwhile(led, monkeypatch, lambda: led.server.do("SET", led.keys.lease, "another"))
    with pytest.raises(FencedError):
        led.read()
    assert led.group["pending"] == 0
    assert led.group["last-delivered-id"] == b"0-0"
    assert "relay_read" not in publisher.counts


def test_a_reader_of_an_earlier_reign_claims_nothing_in_a_later_one(
    led: Led, publisher: Publisher
):
    """Though the same process leads, what it claimed would be in nobody's buffer."""
    led.read()
    publisher.add([envelope(track(1))], 1)
    led.lease.release()
    assert led.lease.take()
    with pytest.raises(FencedError):
        led.read()
    assert led.group["pending"] == 0


def test_the_last_id_of_a_millisecond_ends_like_any_other(led: Led, publisher: Publisher):
    """Lua counts exactly to 2**53 only."""
    id_ = f"{10**12}-{2**64 - 1}".encode()
    led.server.do("XADD", led.keys.stream, id_, *entry(publisher, 1))
    led.read()
    assert led.read() == 1
    recorder = Recorder(led.link, led.lease, unexpected, unexpected, unexpected)
    assert recorder._write([InHand((publisher.name, 1), {id_: 1}, 0)])
    assert publisher.left == 0
    assert led.group["pending"] == 0


def test_large_entries_are_looked_at_few_at_a_time(led: Led, publisher: Publisher):
    """So that a page of them is bounded, whatever a backlog holds; of small ones it is long."""
    large = Track("5", "large", {"text": "x" * 20_000})
    for number in range(1, 14):
        publisher.add([envelope(large)] * 24, number)
    for number in range(14, 100):
        publisher.add([envelope(track(number))], number)
    assert [led.read() for _ in range(5)] == [0, 10 * 24, 2 * 24, 24 + 1, 2]
    assert [led.read() for _ in range(3)] == [reading._ENTRIES, reading._ENTRIES, 100 - 17 - 64]


def test_an_entry_that_was_stored_thousands_of_times_ends(led: Led, publisher: Publisher):
    """Behind one that waits, where each has to be deleted: a script's stack is bounded."""
    with led.server.client.pipeline() as together:
        for _ in range(9_000):
            together.execute_command("XADD", led.keys.stream, "*", "a", "b")
        waits, *ids = together.execute()
    led.server.do("XREADGROUP", "GROUP", GROUP, GROUP, "STREAMS", led.keys.stream, ">")
    recorder = Recorder(led.link, led.lease, unexpected, unexpected, unexpected)
    assert recorder._write([InHand((publisher.name, 1), dict.fromkeys(ids, 2), 0)])
    assert [id_ for id_, _ in led.server.client.xrange(led.keys.stream)] == [waits]


def test_what_is_written_together_has_so_many_letters_at_the_most(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """Those of a backlog that expires come as fast as it is read; Redis waits for the script."""
    monkeypatch.setattr(recording, "_LETTER_BYTES", 30)
    recorder = Recorder(led.link, led.lease, unexpected, unexpected, unexpected)
    together: list[int] = []

    def note(entries: list[InHand]) -> bool:
        together.append(len(entries))
        return True

    monkeypatch.setattr(recorder, "_write", note)
    for number in range(1, 9):
        letters = [[b"id", b"x"]] if number > 4 else []
        recorder.put(InHand((publisher.name, number), {b"1-%d" % number: 20}, 0, letters=letters))
    recorder.start()
    recorder.finish(PATIENCE_SECONDS)
    assert together == [6, 2]


@pytest.mark.parametrize("more", [False, True])
def test_ends_that_come_together_are_written_together(
    led: Led, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, more: bool
):
    """While more are in hand; the last one has nothing to wait for."""
    monkeypatch.setattr(recording, "_GATHER_SECONDS", PATIENCE_SECONDS)
    ids = [publisher.add([envelope(track(number))], number) for number in range(1, 4)]
    led.read()
    led.read()
    written: list[int] = []
    run = led.link.run

    def noted(script: str, *arguments: Any) -> Any:
        if script == scripts.END:
            written.append(threading.get_ident())
        return run(script, *arguments)

    monkeypatch.setattr(led.link, "run", noted)
    recorder = Recorder(led.link, led.lease, unexpected, unexpected, unexpected)
    recorder.start()
    for number, id_ in enumerate(ids, 1):
        in_hand = InHand((publisher.name, number), {id_: 1}, 0)
        recorder.put(in_hand, more=more and number < 3)
        if not more:
            until(lambda: recorder.is_idle)
    until(lambda: recorder.is_idle)
    recorder.finish(PATIENCE_SECONDS)
    assert len(written) == (1 if more else 3)
    assert publisher.left == 0
