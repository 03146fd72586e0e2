"""Calls become entries of the stream and are read again as they were; damage is seen."""

from __future__ import annotations

import orjson
import pytest

from cio_events import Delete, Identify, SendEmail, Track, TrackAnonymous
from cio_events._calls.ulid import IdSource
from cio_events._redis import entries
from cio_events._redis.entries import Kind, NewerEntryError, decode, encode, entry_of, parts
from cio_events._redis.keys import Keys
from cio_events._wire import batch as v2
from cio_events._wire.encode import call_of
from cio_events._wire.encode import encode as wire
from cio_events._wire.envelope import Envelope, ulid_of

NOW = 1_764_000_000_000
PUBLISHER = IdSource().new_id(NOW)


def envelopes(*calls: object) -> list[Envelope]:
    """These calls as they wait."""
    ids = IdSource()
    return [wire(call, ids.new_id(NOW + n), NOW + n, "v2") for n, call in enumerate(calls)]  # type: ignore[arg-type]


MIXED = envelopes(
    Identify("5", {"name": "Ann"}),
    Track("5", "bought", {"price": 13.99}),
    TrackAnonymous("a1", "seen"),
    Track("5", "large", {"text": "x" * 40_000}),
    SendEmail(to="a@example.com", identifiers={"id": "5"}, transactional_message_id=3),
    Delete("5"),
)


def fields_of(entry: entries.Entry) -> dict[bytes, bytes]:
    """What Redis gives for *entry*."""
    flat = encode(entry)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_what_was_published_is_read_again():
    """Each call is the same bytes, in its order, in an entry of its kind."""
    found = []
    for sequence, part in enumerate(parts(MIXED), 1):
        entry = entry_of(part, PUBLISHER, sequence)
        again = decode(fields_of(entry))
        assert again == entry
        assert again.ids == [ulid_of(one) for one in part]
        assert again.count == len(part)
        assert again.size == sum(map(len, part))
        found += [(again.kind, again.repeatable, again.envelopes())]
    assert [kind for kind, *_ in found] == [
        *(Kind.BATCH, Kind.CALL, Kind.CALL, Kind.MESSAGE, Kind.BATCH)
    ]
    assert [repeatable for _, repeatable, _ in found] == [True, True, True, False, True]
    assert [one for *_, them in found for one in them] == MIXED
    assert all(call_of(one) for one in MIXED)


def test_the_body_of_a_batch_is_ready_to_be_sent():
    """It is what a request carries."""
    (part,) = parts(MIXED[:2])
    entry = entry_of(part, PUBLISHER, 1)
    assert entry.body == v2.batch(part)
    assert len(orjson.loads(entry.body)["batch"]) == 2
    assert entry.first == NOW


def test_a_batch_is_never_larger_than_a_request_may_be():
    """Customer.io's limit parts calls into entries."""
    many = envelopes(*[Track("5", "e", {"text": "x" * 30_000}) for _ in range(40)])
    bodies = [entry_of(part, PUBLISHER, 1).body for part in parts(many)]
    assert len(bodies) == 3
    assert max(map(len, bodies)) <= 500_000
    assert sum(len(orjson.loads(body)["batch"]) for body in bodies) == 40


def test_an_entry_has_its_number_of_fields_and_shows_nobody():
    """The script counts on the one, and logs on the other."""
    entry = entry_of(MIXED[:2], PUBLISHER, 7)
    flat = encode(entry)
    assert len(flat) == 2 * entries.FIELDS
    assert entries.size_of(fields_of(entry)) == sum(map(len, flat))
    assert repr(entry) == f"<Entry {PUBLISHER}.7 BATCH calls=2>"


@pytest.mark.parametrize(("field", "later"), [(b"version", b"3"), (b"encoding", b"2")])
def test_an_entry_of_a_later_version_is_left_alone(field: bytes, later: bytes):
    """Whatever else it has and lacks."""
    newer = {**fields_of(entry_of(MIXED[:2], PUBLISHER, 1)), field: later}
    with pytest.raises(NewerEntryError):
        decode(newer)
    with pytest.raises(NewerEntryError):
        decode({b"version": b"2", b"encoding": b"2"})


@pytest.mark.parametrize("name", fields_of(entry_of(MIXED[:2], PUBLISHER, 1)))
def test_damage_is_seen(name: bytes):
    """Whatever is wrong, an error says so and shows nobody."""
    sound = fields_of(entry_of(MIXED[:2], PUBLISHER, 1))
    values: list[bytes | None] = [None, b"\xff" * 33]
    if name not in (b"publisher", b"sequence"):  # where another is as good as the right one
        values += [b"", sound[name][:-1], sound[name] + b"0", b"message"]
    for value in values:
        damaged = {key: one for key, one in sound.items() if key != name}
        if value is not None:
            damaged[name] = value
        with pytest.raises(ValueError, match=r"^an entry") as caught:
            decode(damaged)
        assert "Ann" not in str(caught.value)


@pytest.mark.parametrize("publisher", ["", "a\0b", "a.1"])
def test_a_publisher_has_a_name_that_scripts_read_as_well(publisher: str):
    """Else a message's mark, which is under it, would not be found again."""
    fields = fields_of(entry_of(MIXED[:2], PUBLISHER, 1))
    with pytest.raises(ValueError, match="without a publisher"):
        decode({**fields, b"publisher": publisher.encode()})


def test_keys_of_a_partition_share_a_slot():
    """All of them have the same hash tag, and each is another."""
    keys = Keys("staging", 3)
    names = [
        getattr(keys, name) for name in dir(Keys) if isinstance(getattr(Keys, name), property)
    ]
    names.append(keys.publisher(PUBLISHER))
    assert {name.partition("}")[0] for name in names} == {"{staging:3"}
    assert len(set(names)) == len(names)
    assert Keys().stream == "{cio_events:0}:stream"
