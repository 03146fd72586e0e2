"""Track API v2: each call as an operation, back again, and several as a batch; envelopes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_events import (
    AddDevice,
    AddToSegment,
    Call,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    ParamError,
    RemoveFromSegment,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._delivery.destination import Batch
from cio_events._wire import batch as v2
from cio_events._wire.encode import call_of, customers_of, encode, too_long_attribute
from cio_events._wire.envelope import Route, accepted_at, body_of, route_of, seal, ulid_of
from tests.support.effort import times

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
NOW = 1_704_067_200_123  # milliseconds

RELATED = [{"identifiers": {"object_type_id": "1", "object_id": "acme"}}]


@pytest.mark.parametrize(
    ("call", "operation"),
    [
        (
            Identify("5", {"plan": "pro", "cio_relationships": RELATED}),
            {
                "type": "person",
                "identifiers": {"id": "5"},
                "action": "identify",
                "timestamp": 7,
                "attributes": {"plan": "pro"},
                "cio_relationships": RELATED,
            },
        ),
        (
            Identify(Identifier("a@example.com", "email"), {"_timestamp": 3, "_update": True}),
            {
                "type": "person",
                "identifiers": {"email": "a@example.com"},
                "action": "identify",
                "timestamp": 3,
                "attributes": {"_update": True},
            },
        ),
        (
            Track(Identifier("03", "cio_id"), "bought", {"price": 1.5}),
            {
                "type": "person",
                "identifiers": {"cio_id": "03"},
                "action": "event",
                "name": "bought",
                "id": ULID,
                "timestamp": 7,
                "attributes": {"price": 1.5},
            },
        ),
        (
            Track("5", "/home", type="page", id=OTHER, timestamp=0),
            {
                "type": "person",
                "identifiers": {"id": "5"},
                "action": "page",
                "name": "/home",
                "id": OTHER,
                "timestamp": 0,
                "attributes": {},
            },
        ),
        (
            Track("5", "home", type="screen"),
            {
                "type": "person",
                "identifiers": {"id": "5"},
                "action": "screen",
                "name": "home",
                "id": ULID,
                "timestamp": 7,
                "attributes": {},
            },
        ),
        (Delete("5"), {"type": "person", "identifiers": {"id": "5"}, "action": "delete"}),
        (Suppress("5"), {"type": "person", "identifiers": {"id": "5"}, "action": "suppress"}),
        (Unsuppress("5"), {"type": "person", "identifiers": {"id": "5"}, "action": "unsuppress"}),
        (
            Merge("5", Identifier("a@example.com", "email")),
            {
                "type": "person",
                "action": "merge",
                "primary": {"id": "5"},
                "secondary": {"email": "a@example.com"},
            },
        ),
        (
            AddDevice("5", "token", "ios", {"last_used": 3, "id": "theirs", "a": "b"}),
            {
                "type": "person",
                "identifiers": {"id": "5"},
                "action": "add_device",
                "device": {
                    "token": "token",
                    "platform": "ios",
                    "last_used": 3,
                    "attributes": {"id": "theirs", "a": "b"},
                },
            },
        ),
        (
            AddDevice("5", "token", "android"),
            {
                "type": "person",
                "identifiers": {"id": "5"},
                "action": "add_device",
                "device": {"token": "token", "platform": "android"},
            },
        ),
        (
            DeleteDevice("5", "token"),
            {
                "type": "person",
                "identifiers": {"id": "5"},
                "action": "delete_device",
                "device": {"token": "token"},
            },
        ),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, Call) else "",
)
def test_call_is_the_operation_that_the_vendor_describes(call: Call, operation: Any) -> None:
    """Every field, and nothing that was not set; id and time are those of the log call."""
    assert orjson.loads(body_of(encode(call, ULID, 7_000, "v2"))) == operation


def test_batch_is_its_operations_as_they_were_encoded() -> None:
    """Encoded once, joined later."""
    envelopes = [encode(Track("5", name), ULID, 7_000, "v2") for name in "abc"]
    operations = [body_of(envelope) for envelope in envelopes]
    body = v2.batch(envelopes)

    assert orjson.loads(body) == {"batch": [orjson.loads(one) for one in operations]}
    assert all(one in body for one in operations)


# Round trip.

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
IDS = TEXT.map(lambda text: f"x{text}"[:37])
WHO = st.builds(Identifier, IDS, st.sampled_from(["id", "email", "cio_id"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DATA = st.dictionaries(TEXT.map(lambda text: f"k{text}"[:37]), JSON, max_size=4)
WHEN = st.none() | st.integers(0, 10**11 - 1)
KIND = st.sampled_from(["event", "page", "screen"])
EVENT_ID = st.none() | st.sampled_from([ULID, OTHER])
NAME = TEXT.map(lambda text: f"n{text}"[:24])
CALLS = st.one_of(
    st.builds(Identify, WHO, DATA, timestamp=WHEN),
    st.builds(Track, WHO, NAME, DATA, type=KIND, id=EVENT_ID, timestamp=WHEN),
    st.builds(TrackAnonymous, IDS, NAME, DATA, type=KIND, id=EVENT_ID, timestamp=WHEN),
    st.builds(
        TrackAnonymous,
        st.none(),
        NAME,
        DATA.map(lambda data: {**data, "recipient": "a@example.com"}),
        type=KIND,
        id=EVENT_ID,
        timestamp=WHEN,
    ),
    st.builds(Delete, WHO),
    st.builds(Suppress, WHO),
    st.builds(Unsuppress, WHO),
    st.builds(Merge, WHO, WHO),
    st.builds(
        AddDevice,
        WHO,
        IDS,
        st.sampled_from(["ios", "android"]),
        st.builds(
            lambda data, used: {**data, **used}, DATA, st.just({}) | st.just({"last_used": 3})
        ),
    ),
    st.builds(DeleteDevice, WHO, IDS),
    *(
        st.builds(
            kind,
            st.integers(1, 2**31 - 1),
            st.lists(IDS.map(lambda text: Identifier(text, "id")), min_size=1, max_size=3),
        )
        for kind in (AddToSegment, RemoveFromSegment)
    ),
)


@settings(max_examples=times(300), deadline=None)
@given(CALLS)
def test_call_comes_back_from_its_bytes(call: Any) -> None:
    """What was waiting is the call again, with the id and the time of its acceptance."""
    envelope = encode(call, ULID, NOW, "v2")
    back = call_of(envelope)

    filled = {"id": ULID, "timestamp": NOW // 1000}
    expected = {
        name: filled[name] if value is None and name in filled else value
        for name, value in vars(call).items()
    }
    assert type(back) is type(call)
    assert vars(back) == expected


@settings(max_examples=times(100), deadline=None)
@given(CALLS)
def test_envelope_says_what_it_holds(call: Any) -> None:
    """Route, time and id are in the header; whom it is about is the key of its order."""
    envelope = encode(call, ULID, NOW, "v2")

    alone = type(call) in (TrackAnonymous, AddToSegment, RemoveFromSegment)
    assert route_of(envelope) is (Route.SINGLE if alone else Route.BATCH)
    assert (accepted_at(envelope), ulid_of(envelope)) == (NOW, ULID)
    assert envelope == seal(route_of(envelope), NOW, ULID, body_of(envelope))
    assert route_of(encode(call, ULID, NOW, "v1")) is Route.SINGLE
    assert body_of(encode(call, ULID, NOW, "v1")) == body_of(envelope)


@pytest.mark.parametrize(
    ("call", "customers"),
    [
        (Track("5", "x"), ("5",)),
        (Track(Identifier("5", "email"), "x"), ("5",)),
        (Track(Identifier("5", "cio_id"), "x"), ("cio_5",)),
        (Track(Identifier("cio_5", "cio_id"), "x"), ("cio_5",)),
        (Merge("5", Identifier("6", "cio_id")), ("5", "cio_6")),
        (DeleteDevice("5", "6"), ("5",)),
        (TrackAnonymous("5", "x"), ("anonymous 5",)),
        (AddToSegment(7, ["5", "6"]), ("5", "6")),
        (RemoveFromSegment(7, ["cio_5"]), ("cio_5",)),
        (TrackAnonymous("", "x", {"recipient": "a"}), ()),
    ],
)
def test_customers_of_an_envelope(call: Call, customers: tuple[str, ...]) -> None:
    """All whom it names; an invite names nobody."""
    assert customers_of(encode(call, ULID, NOW, "v2")) == customers


def test_envelope_that_cannot_be_read_is_about_nobody() -> None:
    """Bytes that were damaged where they waited must not stop those of others."""
    for body in (b"", b"{", b"[]", b"{}", b'{"type":"person","identifiers":5}'):
        assert customers_of(seal(Route.SINGLE, NOW, ULID, body)) == ()


def test_repr_shows_no_personal_data() -> None:
    """What is on its way shows how often it was tried alone."""
    job = Batch([encode(Track("secret", "secret", {"secret": "secret"}), ULID, NOW, "v2")])

    assert repr(job) == "Batch(attempts=0, again=False)"


# Which way, and whether at all.


def with_size(size: int, make: Any) -> Any:
    """A call whose operation has just that many bytes."""
    empty = len(body_of(encode(make(""), ULID, NOW, "v2")))
    return make("x" * (size - empty))


def tracked(text: str) -> Track:
    """An event of any size."""
    return Track("5", "x", {"text": text})


def test_operation_goes_alone_when_it_is_over_the_limit_of_a_batch() -> None:
    """32 000 bytes travel in a batch, one more does not."""
    assert route_of(encode(with_size(32_000, tracked), ULID, NOW, "v2")) is Route.BATCH
    assert route_of(encode(with_size(32_001, tracked), ULID, NOW, "v2")) is Route.SINGLE


@pytest.mark.parametrize(
    ("param", "make"),
    [
        ("data", lambda data: Track("5", "x", data)),
        ("data", lambda data: TrackAnonymous("5", "x", data)),
        ("attributes", lambda data: Identify("5", data)),
        ("data", lambda data: AddDevice("5", "t", "ios", data)),
    ],
)
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_data_over_the_limit_is_refused_with_it(param: str, make: Any, api: Any) -> None:
    """100 000 bytes of JSON are taken, one more is not."""
    just = {"text": "x" * (100_000 - len(orjson.dumps({"text": ""})))}

    assert route_of(encode(make(just), ULID, NOW, api)) is Route.SINGLE
    with pytest.raises(ParamError) as caught:
        encode(make({"text": just["text"] + "x"}), ULID, NOW, api)
    assert (caught.value.param, caught.value.limit) == (param, 100_000)
    assert "100000" in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_device_token_has_the_limit_of_an_operation() -> None:
    """There is no larger way for it."""
    with pytest.raises(ParamError) as caught:
        encode(DeleteDevice("5", "x" * 32_000), ULID, NOW, "v2")

    assert caught.value.limit == 32_000


def test_relationships_in_the_form_of_v1_go_by_v1() -> None:
    """Only v1 can take relationships away while it identifies; v2's form goes in a batch."""
    removed = {"action": "delete_relationships", "relationships": RELATED}

    assert route_of(encode(Identify("5", {"cio_relationships": removed}), ULID, NOW, "v2")) is (
        Route.SINGLE
    )
    assert route_of(encode(Identify("5", {"cio_relationships": RELATED}), ULID, NOW, "v2")) is (
        Route.BATCH
    )


@pytest.mark.parametrize("call", [None, "track", {"cio": "track"}, Call(), object()])
def test_what_is_no_call_is_refused(call: Any) -> None:
    """The error names the parameter."""
    with pytest.raises(ParamError) as caught:
        encode(call, ULID, NOW, "v2")

    assert caught.value.param == "call"


def test_value_that_customer_io_cuts_is_found() -> None:
    """Over 1 000 bytes of UTF-8 in one attribute; events too."""
    assert too_long_attribute(Identify("5", {"a": "x", "bio": "x" * 1_001})) == "bio"
    assert too_long_attribute(Track("5", "x", {"bio": "é" * 501})) == "bio"
    assert too_long_attribute(Track("5", "x", {"bio": "é" * 500, "n": [1] * 2_000})) is None
    assert too_long_attribute(Delete("5")) is None


def test_waiting_call_takes_hardly_more_than_its_bytes() -> None:
    """It is one bytes object of just its length."""
    envelope = encode(Track("5", "x", {"a": 1}), ULID, NOW, "v2")

    assert type(envelope) is bytes
    assert envelope.__sizeof__() - len(envelope) < 60
