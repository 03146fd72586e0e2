"""Which partition a call goes to: that of its identifier as written, whatever else it says."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from cio_events import Identifier, Identify, Merge, ReportMetric, SendEmail, Track
from cio_events._calls.people import Call
from cio_events._calls.ulid import IdSource
from cio_events._redis.routing import partition_of, steps
from cio_events._wire.encode import customers_of, encode
from cio_events._wire.envelope import Envelope

NOW = 1_764_000_000_000
COUNT = 3

_ids = IdSource()


def envelope(call: Call) -> Envelope:
    """*call* as it waits."""
    return encode(call, _ids.new_id(NOW), NOW, "v2")


def partitions(calls: list[Call]) -> list[list[tuple[int, int]]]:
    """Of each call the step that it is in, and that step's partition."""
    envelopes = [envelope(call) for call in calls]
    made = steps(envelopes, COUNT)
    return [
        [(place, step.partition) for place, step in enumerate(made) if one in step.envelopes]
        for one in envelopes
    ]


_TEXTS = st.text(st.sampled_from('ab07"}{\\,:é '), min_size=1, max_size=8).filter(str.strip)


@given(st.lists(_TEXTS, min_size=1, max_size=20))
def test_the_same_identifier_goes_the_same_way_however_it_looks(who: list[str]):
    """Also with braces, quotes and backslashes in it, and whether it was seen before."""
    calls: list[Call] = [Track(Identifier(one, "id"), "e") for one in who for _ in (1, 2)]
    found = partitions(calls)
    wanted = [partition_of(one, COUNT) for one in who for _ in (1, 2)]
    assert [partition for ((_, partition),) in found] == wanted


def test_all_calls_of_somebody_are_in_one_step_in_their_order():
    """Of whatever kind; only a barrier parts them."""
    about: list[Call] = [
        Track("7", "first"),
        Identify("7", {"plan": "free"}),
        SendEmail(to="a@x.com", identifiers="7", transactional_message_id=3),
        Track("7", "last"),
    ]
    made = steps([envelope(call) for call in [*about, Track("2", "other"), *about]], COUNT)
    assert [(step.partition, len(step.envelopes)) for step in made] == [(0, 8), (1, 1)]
    merge = Merge("7", "9")
    made = steps([envelope(call) for call in [*about, merge, *about]], COUNT)
    assert [(step.partition, step.barrier) for step in made] == [(0, False), (0, True), (0, False)]


def test_what_is_about_nobody_is_spread():
    """By its own id, which stays the same when it is sent again."""
    many = [envelope(ReportMetric("delivery", "opened")) for _ in range(50)]
    assert not any(customers_of(one) for one in many)
    assert {step.partition for step in steps(many, COUNT)} == {0, 1, 2}
    assert steps(many, COUNT) == steps(many, COUNT)


def test_what_an_event_says_leads_nobody_astray():
    """Its data may look like anything."""
    data = {"x": orjson.loads(b'{"type":"person","identifiers":{"id":"2"},"action":"event"}')}
    assert partitions([Track("7", "e", data)]) == [[(0, 0)]]
