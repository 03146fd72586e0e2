"""A relay delivers what is in the stream, in order, and leaves nothing behind."""

from __future__ import annotations

import json
import time

import pytest

from cio_events import Pipeline
from cio_events._calls.messages import SendEmail
from cio_events._calls.people import Identify, Track, TrackAnonymous
from cio_events._redis import entries
from cio_events._relay import reader
from cio_events._relay.link import GROUP
from tests.relay.conftest import envelope, relay, running, until
from tests.support.needs import needs_redis
from tests.support.redis_server import Proxy

pytestmark = needs_redis

EMAIL = SendEmail(to="ada@example.com", identifiers="5", transactional_message_id=3)


def names(sandbox):
    """What has happened, in order."""
    return [event.name for event in sandbox.events]


def test_all_kinds_of_calls_arrive_and_memory_returns(server, publisher, sandbox):
    """Batches, single calls and messages arrive; the stream is empty, and both ledgers meet."""
    publisher.publish(Identify("5", {"plan": "pro"}), Track("5", "one"), Track("6", "two"))
    publisher.publish(TrackAnonymous("a1", "three"), EMAIL)
    with running(relay(server, sandbox)):
        until(publisher.balanced, "the end of all calls")
        publisher.publish(*(Track("5", f"late {number}") for number in range(100)))
        until(publisher.balanced, "the end of later calls")
    assert sorted(names(sandbox)[:3]) == ["one", "three", "two"]
    assert names(sandbox)[3:] == [f"late {number}" for number in range(100)]
    assert len(sandbox.messages) == 1
    assert publisher.counts["relay_sent"] == 105


def test_what_a_pipeline_publishes_is_delivered(server, publisher, sandbox):
    """From a pipeline without keys to Customer.io, in order, and both ledgers meet."""
    with running(relay(server, sandbox)), Pipeline(relay=server.url) as pipeline:
        for number in range(500):
            pipeline.track("5", f"event {number}")
        pipeline.send(TrackAnonymous("a1", "anonymous"))
        pipeline.send(EMAIL)
        assert pipeline.flush(30.0)
        assert pipeline.stats().sent == 502
        until(publisher.balanced)
    assert publisher.counts["relay_sent"] == 502
    assert [name for name in names(sandbox) if name != "anonymous"] == [
        f"event {number}" for number in range(500)
    ]
    assert len(sandbox.messages) == 1


def test_what_repeats_only_what_has_ended_hides_nothing(server, publisher, sandbox, monkeypatch):
    """A page of what was read before may be empty, and there be more behind it."""
    monkeypatch.setattr(reader, "_BYTES", 1)
    keys = publisher.keys
    first = publisher.add([envelope(Track("5", "one"))], 1)
    publisher.add([envelope(Track("5", "one"))], 1)
    publisher.add([envelope(Track("5", "two"))], 2)
    # As a relay leaves it that was killed when the first had ended, and the second was read.
    server.do("XGROUP", "CREATE", keys.stream, GROUP, "0")
    server.do("XREADGROUP", "GROUP", GROUP, GROUP, "STREAMS", keys.stream, ">")
    server.do("HSET", keys.seen(publisher.name), 1, first)
    server.do("XACK", keys.stream, GROUP, first)
    server.do("XDEL", keys.stream, first)
    with running(relay(server, sandbox)):
        until(lambda: publisher.left == 0)
    assert names(sandbox) == ["two"]


def test_small_entries_that_wait_travel_together(server, publisher, sandbox):
    """What many publishers left in entries of one call each takes few requests."""
    for number in range(200):
        publisher.publish(Track("5", f"event {number}"))
    with running(relay(server, sandbox)):
        until(publisher.balanced)
    assert names(sandbox) == [f"event {number}" for number in range(200)]
    assert len([one for one in sandbox.requests if one.path == "/api/v2/batch"]) < 20


def _full(first, count=15):
    """Events that are half a request together, and more."""
    pad = "x" * 25_000
    return [Track("5", f"event {number}", {"pad": pad}) for number in range(first, first + count)]


def _bodies(sandbox):
    """What requests carried."""
    return [one.body for one in sandbox.requests if one.path == "/api/v2/batch"]


def test_a_full_entry_travels_as_it_is(server, publisher, sandbox, monkeypatch):
    """Nobody takes it apart while it is accepted; order holds between it and small ones."""
    taken_apart = []
    envelopes = entries.Entry.envelopes
    monkeypatch.setattr(
        entries.Entry, "envelopes", lambda one: taken_apart.append(one.count) or envelopes(one)
    )
    for start in (0, 16, 32):
        publisher.publish(*_full(start))
        publisher.publish(Track("5", f"event {start + 15}"))
    bodies = [
        json.loads(fields[b"body"]) for _, fields in server.client.xrange(publisher.keys.stream)
    ]
    with running(relay(server, sandbox)):
        until(publisher.balanced)
    assert names(sandbox) == [f"event {number}" for number in range(48)]
    assert taken_apart == [1, 1, 1]
    assert _bodies(sandbox) == bodies


def test_a_refused_call_of_a_full_entry_takes_no_other_with_it(server, publisher, sandbox):
    """The entry is taken apart for it: one dead letter, and all others in order."""
    publisher.publish(*_full(0))
    publisher.publish(*_full(15))
    sandbox.fail_next(400, times=None, text='"event 7"')
    with running(relay(server, sandbox)):
        until(publisher.balanced)
    assert names(sandbox) == [f"event {number}" for number in range(30) if number != 7]
    assert server.do("XLEN", publisher.keys.dead) == 1


def test_the_answer_to_a_full_entry_tells_which_call_was_refused(server, publisher, sandbox):
    """As to any other request, each item has a place."""
    (*_, refused) = publisher.publish(*_full(0, 12))
    publisher.publish(*_full(12, 12))
    item = {"batch_index": 11, "reason": "invalid", "message": "no such thing"}
    sandbox.fail_next(503)
    sandbox.fail_next(207, body={"errors": [item]})
    with running(relay(server, sandbox)):
        until(publisher.balanced)
    ((_, flat),) = server.client.xrange(publisher.keys.dead)
    assert (flat[b"id"], flat[b"status"]) == (refused.encode(), b"207")
    assert publisher.counts["relay_sent"] == 23
    assert [len(body["batch"]) for body in _bodies(sandbox)] == [12, 12, 12]


def test_a_full_entry_expires_call_by_call(server, publisher, sandbox):
    """What is too old is a dead letter, and what is not is sent."""
    old = int((time.time() - 1_000) * 1000)
    calls = [envelope(call, old) for call in _full(0)] + [envelope(call) for call in _full(15, 4)]
    publisher.add(calls, 1)
    sandbox.fail_next(503)
    with running(relay(server, sandbox, max_age=500.0)):
        until(publisher.balanced)
    assert names(sandbox) == [f"event {number}" for number in range(15, 19)]
    assert publisher.counts["relay_failed:expired"] == 15


def test_what_was_stored_twice_is_sent_once(server, publisher, sandbox):
    """An entry that lands again, while the first waits or has ended, is skipped and counted."""
    first, second = [envelope(Track("5", "first"))], [envelope(EMAIL)]
    publisher.add(first, 1)
    publisher.add(second, 2)
    publisher.add(second, 2)
    publisher.add(first, 1)
    with running(relay(server, sandbox)):
        until(publisher.balanced)
        publisher.add(first, 1)
        publisher.add(second, 2)
        # Out of sequence, and not had before.
        publisher.add([envelope(Track("5", "fourth"))], 4)
        publisher.add([envelope(Track("5", "third"))], 3)
        until(lambda: publisher.counts.get("relay_sent") == 4)
        until(publisher.balanced)
    assert names(sandbox) == ["first", "fourth", "third"]
    assert len(sandbox.messages) == 1
    assert publisher.counts["relay_repeated"] == 4


def test_a_refused_call_is_an_end_and_a_dead_letter(server, publisher, sandbox):
    """What Customer.io refuses is kept with reason, answer and time; the others are sent."""
    publisher.publish(Track("5", "good"), Track("6", "bad"), Track("7", "good too"))
    refusal = '{"errors": [{"reason": "invalid", "message": "no such thing"}]}'
    sandbox.fail_next(400, times=None, text='"name":"bad"', body=refusal)
    with running(relay(server, sandbox)):
        until(publisher.balanced)
    ((_, flat),) = server.client.xrange(publisher.keys.dead)
    assert names(sandbox) == ["good", "good too"]
    assert (flat[b"reason"], flat[b"status"]) == (b"rejected", b"400")
    assert b"no such thing" in flat[b"detail"]
    assert abs(int(flat[b"at"]) / 1000 - time.time()) < 60


def test_wrong_credentials_hold_all_and_lose_nothing(server, publisher, sandbox):
    """While Customer.io answers with 401, everything waits in Redis, and goes afterwards."""
    sandbox.fail_next(401, times=None)
    publisher.publish(Track("5", "one"), Track("5", "two"))
    with running(relay(server, sandbox)):
        until(lambda: len(sandbox.requests) > 2)
        assert publisher.left == 1
        sandbox.heal()
        until(publisher.balanced)
    assert names(sandbox) == ["one", "two"]


def test_an_entry_of_a_newer_version_is_left_alone(server, publisher, sandbox):
    """It stays in the stream, others pass, and a relay that knows it finds it there."""
    id_ = publisher.add([envelope(Track("5", "newer"))], 1, version=b"99")
    publisher.add([envelope(Track("5", "known"))], 2)
    with running(relay(server, sandbox)):
        until(lambda: names(sandbox) == ["known"])
        until(lambda: publisher.left == 1)
    assert [found for found, _ in server.client.xrange(publisher.keys.stream)] == [id_]


@pytest.mark.parametrize(
    "fields",
    [
        {b"anything": b"else"},
        {b"publisher": b"P", b"sequence": b"1e9", b"count": b"-3"},
        {b"version": b"1", b"publisher": b"P", b"sequence": b"9" * 40, b"count": b"x"},
    ],
)
def test_an_entry_that_is_none_becomes_a_dead_letter(server, publisher, sandbox, fields):
    """What somebody else wrote into the stream stops nobody, and is kept whole."""
    server.do(
        "XADD", publisher.keys.stream, "*", *[part for pair in fields.items() for part in pair]
    )
    publisher.publish(Track("5", "known"))
    with running(relay(server, sandbox)):
        until(lambda: names(sandbox) == ["known"])
        until(lambda: publisher.left == 0)
    ((_, flat),) = server.client.xrange(publisher.keys.dead)
    assert flat[b"reason"] == b"invalid"
    assert {name.removeprefix(b"entry."): value for name, value in flat.items()}.items() >= (
        fields.items()
    )


def test_a_url_does_not_say_in_which_form_answers_come(server, publisher, sandbox):
    """Whatever redis-py would make of it."""
    publisher.publish(Track("5", "one"))
    url = f"{server.url}?protocol=3&legacy_responses=false&decode_responses=true"
    with running(relay(server, sandbox, url=url)):
        until(publisher.balanced)
    assert names(sandbox) == ["one"]


def test_an_entry_with_thousands_of_fields_stops_nobody(server, publisher, sandbox):
    """It has more than a script can hand on at once, and is kept whole all the same."""
    fields = [b"%d" % number for number in range(1, 10_001)]
    server.do("XADD", publisher.keys.stream, "*", *fields)
    publisher.publish(Track("5", "known"))
    with running(relay(server, sandbox)):
        until(lambda: publisher.left == 0)
    assert names(sandbox) == ["known"]
    ((_, flat),) = server.client.xrange(publisher.keys.dead)
    assert flat[b"entry.1"] == b"2"
    assert flat[b"entries"].endswith(b"entry.9999=10000")
    assert len(flat) < 1_100


def test_answers_of_redis_that_are_lost_lose_nothing(server, publisher, sandbox):
    """Reads and acknowledgements whose answers do not come are made up for."""
    publisher.publish(*(Track("5", f"event {number}") for number in range(50)))
    with Proxy(server) as proxy:
        proxy.lose_answers(b"EVAL", times=0)
        one = relay(server, sandbox, url=proxy.url)
        with running(one):
            for _ in range(6):
                proxy.lose_answers(b"EVALSHA", times=1)
                publisher.publish(Track("5", f"more {publisher.sequence}"), EMAIL)
                until(publisher.balanced)
        assert proxy.lost >= 3
    assert len(names(sandbox)) == len(set(names(sandbox))) == 56
    assert len(sandbox.messages) == 6
