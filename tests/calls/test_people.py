"""The vocabulary: what a call is made of, what is refused and how, and that it stays as it is."""

from __future__ import annotations

from collections import UserDict
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from cio_events import (
    AddDevice,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    ParamError,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

FOR_EVERY_CUSTOMER = {
    "identify": lambda who: Identify(who),
    "track": lambda who: Track(who, "x"),
    "delete": lambda who: Delete(who),
    "suppress": lambda who: Suppress(who),
    "unsuppress": lambda who: Unsuppress(who),
    "add_device": lambda who: AddDevice(who, "t", "ios"),
    "delete_device": lambda who: DeleteDevice(who, "t"),
}


class BrokenZone(tzinfo):
    """A time zone whose data is missing."""

    def utcoffset(self, _: datetime | None) -> timedelta | None:
        """Raise, as it then does."""
        raise RuntimeError("no such zone")


class BrokenMapping(UserDict):
    """A mapping that raises when it is read."""

    def __iter__(self) -> Any:
        """Raise, as a lazy one does whose database is gone."""
        raise RuntimeError("secret")


def refused(make: Any) -> ParamError:
    """The error of a call that cannot be made."""
    with pytest.raises(ParamError) as caught:
        make()
    return caught.value


# Who.


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("5", "5"),
        (5, "5"),
        (-5, "-5"),
        (0, "0"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (" 5 ", " 5 "),
        ("a/b?c#d%2F+e", "a/b?c#d%2F+e"),
        ("…", "…"),
        ("x" * 150, "x" * 150),
        ("é" * 75, "é" * 75),
        ("...", "..."),
    ],
)
def test_plain_customer_means_the_id(given: Any, value: str) -> None:
    """Text, integers and UUIDs are ids, as they are written."""
    assert Delete(given).customer == Identifier(value, "id")


@pytest.mark.parametrize("make", FOR_EVERY_CUSTOMER.values(), ids=FOR_EVERY_CUSTOMER)
@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("", "blank"),
        (" \t", "blank"),
        (".", '"."'),
        ("..", '".."'),
        (True, "text, an integer or a UUID"),
        (None, "text, an integer or a UUID"),
        (1.5, "text, an integer or a UUID"),
        (b"5", "text, an integer or a UUID"),
        (["5"], "text, an integer or a UUID"),
        ("\ud800", "surrogate"),
    ],
)
def test_customer_that_cannot_be_is_refused(make: Any, who: Any, words: str) -> None:
    """Every call that names a customer refuses the same, and the error names the field."""
    error = refused(lambda: make(who))

    assert error.param == "customer"
    assert words in str(error)
    assert error.limit is None


@pytest.mark.parametrize("who", ["x" * 151, "é" * 76, 10**151, 10**5000], ids=lambda _: "")
def test_customer_over_the_limit_is_refused_with_it(who: Any) -> None:
    """The limit is in bytes of UTF-8, and the error says it."""
    error = refused(lambda: Delete(who))

    assert (error.param, error.limit) == ("customer", 150)
    assert "150 bytes" in str(error)


def test_each_side_of_a_merge_is_named() -> None:
    """Which of the two people is wrong can be told from the error."""
    assert refused(lambda: Merge("", "5")).param == "primary"
    assert refused(lambda: Merge("5", " ")).param == "secondary"
    assert refused(lambda: Merge("5", True)).param == "secondary"


@pytest.mark.parametrize("type_", ["id", "email", "cio_id"])
def test_identifier_says_which_it_is(type_: Any) -> None:
    """The three kinds of identifiers are told apart explicitly."""
    who = Identifier("a@example.com", type_)

    assert (who.value, who.type) == ("a@example.com", type_)
    assert Delete(who).customer is who
    assert who != Identifier("other", type_)


@pytest.mark.parametrize("type_", ["fax", "", None, "ID", "auto", 5, [], True])
def test_unknown_identifier_type_is_refused(type_: Any) -> None:
    """The error lists what there is."""
    error = refused(lambda: Identifier("5", type_))

    assert error.param == "type"
    assert all(f'"{word}"' in str(error) for word in ("id", "email", "cio_id", "phone"))


# Events.


@pytest.mark.parametrize("make", [Track, TrackAnonymous])
def test_event_name_is_trimmed(make: Any) -> None:
    """Blanks around a name are none of it, as Customer.io has it."""
    assert make("5", " bought \n").name == "bought"
    assert make("5", "x" * 100).name == "x" * 100
    assert make("5", "é" * 50).name == "é" * 50


@pytest.mark.parametrize("make", [Track, TrackAnonymous])
@pytest.mark.parametrize(
    ("name", "words", "limit"),
    [
        ("", "blank", None),
        ("  ", "blank", None),
        (None, "text", None),
        (5, "text", None),
        ("x" * 101, "100 bytes", 100),
        ("é" * 51, "100 bytes", 100),
    ],
)
def test_event_name_that_cannot_be_is_refused(
    make: Any, name: Any, words: str, limit: int | None
) -> None:
    """Blank, no text, or too long."""
    error = refused(lambda: make("5", name))

    assert (error.param, error.limit) == ("name", limit)
    assert words in str(error)


@pytest.mark.parametrize("make", [Track, TrackAnonymous])
def test_event_type_and_id_are_checked(make: Any) -> None:
    """There are three types of events, and ids are ULIDs."""
    assert [make("5", "x", type=t).type for t in ("event", "page", "screen")] == [
        "event",
        "page",
        "screen",
    ]
    assert make("5", "x", id=ULID.lower()).id == ULID
    assert make("5", "x").id is None
    assert refused(lambda: make("5", "x", type="view")).param == "type"
    assert refused(lambda: make("5", "x", type=None)).param == "type"
    assert refused(lambda: make("5", "x", id="5")).param == "id"


def test_anonymous_id_may_be_left_out_for_an_invite() -> None:
    """None and an empty text are an invite, which needs somebody to receive it."""
    for nobody in (None, ""):
        assert TrackAnonymous(nobody, "x", {"recipient": "a@example.com"}).anonymous_id is None
        for data in (None, {}, {"recipient": ""}, {"recipient": " "}, {"recipient": None}):
            assert refused(lambda: TrackAnonymous(nobody, "x", data)).param == "recipient"  # noqa: B023
    for nothing in (float("nan"), Decimal("nan"), object(), 5):
        # What would be empty on the wire must not get as far as that.
        assert refused(lambda: TrackAnonymous("", "x", {"recipient": nothing})).param == (  # noqa: B023
            "recipient"
        )
    assert TrackAnonymous(0, "x").anonymous_id == "0"
    assert refused(lambda: TrackAnonymous(" ", "x")).param == "anonymous_id"
    assert refused(lambda: TrackAnonymous("x" * 151, "x")).limit == 150


# Data.

WITH_DATA = {
    "attributes": lambda data: Identify("5", data),
    "data of track": lambda data: Track("5", "x", data),
    "data of track_anonymous": lambda data: TrackAnonymous("5", "x", data),
    "data of add_device": lambda data: AddDevice("5", "t", "ios", data),
}
with_data = pytest.mark.parametrize(("field", "make"), WITH_DATA.items(), ids=WITH_DATA)


def data_of(call: Any) -> Any:
    """What a call carries."""
    return call.attributes if isinstance(call, Identify) else call.data


@with_data
def test_data_may_be_any_mapping_or_nothing(field: str, make: Any) -> None:
    """None is empty; other mappings than dict are taken."""
    assert data_of(make(None)) == data_of(make({})) == {}
    assert data_of(make(MappingProxyType({"a": 1}))) == {"a": 1}
    assert data_of(make({5: 1})) == {5: 1}
    assert len(data_of(make({str(n): n for n in range(300)}))) == 300


@with_data
@pytest.mark.parametrize("data", [[], [("a", 1)], "a", "", 0, False, 5, set()])
def test_data_that_is_no_mapping_is_refused(field: str, make: Any, data: Any) -> None:
    """Also what is empty; the error names the field."""
    error = refused(lambda: make(data))

    assert error.param == field.split()[0]
    assert "mapping" in str(error)


@with_data
def test_data_that_cannot_be_read_is_refused(field: str, make: Any) -> None:
    """Whatever an application's own mapping raises."""
    error = refused(lambda: make(BrokenMapping(a=1)))

    assert error.param == field.split()[0]
    assert "secret" not in str(error)


@with_data
def test_data_over_a_limit_is_refused_with_it(field: str, make: Any) -> None:
    """At most 300 entries, with names of at most 150 bytes."""
    many = refused(lambda: make({str(n): n for n in range(301)}))
    long = refused(lambda: make({"x" * 151: 1}))
    wide = refused(lambda: make({"a": 1, "é" * 76: 1}))
    mixed = refused(lambda: make({5: 1, "é" * 76: 1}))

    assert [error.param for error in (many, long, wide, mixed)] == [field.split()[0]] * 4
    assert (many.limit, "300" in str(many)) == (300, True)
    assert (long.limit, "150" in str(long)) == (150, True)
    assert wide.limit == mixed.limit == 150
    assert data_of(make({"x" * 150: 1, "é" * 75: 2}))


@with_data
def test_call_keeps_what_its_data_was(field: str, make: Any) -> None:
    """The application's own mapping may be changed afterwards, and is left as it is."""
    own = {"a": 1}
    call = make(own)
    own["b"] = 2
    data_of(call)["c"] = 3

    assert data_of(call) == {"a": 1, "c": 3}
    assert own == {"a": 1, "b": 2}


# Times.

TIMED = {
    "timestamp of identify": lambda when: Identify("5", timestamp=when).timestamp,
    "timestamp of track": lambda when: Track("5", "x", timestamp=when).timestamp,
    "timestamp of track_anonymous": lambda when: (
        TrackAnonymous("5", "x", timestamp=when).timestamp
    ),
    "_timestamp of identify": lambda when: Identify("5", {"_timestamp": when}).timestamp,
    "last_used of add_device": lambda when: AddDevice("5", "t", "ios", {"last_used": when}).data[
        "last_used"
    ],
}
timed = pytest.mark.parametrize(("field", "when_of"), TIMED.items(), ids=TIMED)


@timed
@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        (None, None),
        (0, 0),
        (1704067200, 1704067200),
        (1704067200.9, 1704067200),
        (1704067200_123, 1704067200),  # milliseconds
        (1704067200_123.9, 1704067200),
        (99_999_999_999, 99_999_999_999),
        (100_000_000_000, 100_000_000),
        (date(2024, 1, 1), 1704067200),
        (datetime(2024, 1, 1), 1704067200),  # noqa: DTZ001
        (datetime(2023, 12, 31, 19, tzinfo=timezone(timedelta(hours=-5))), 1704067200),
        (datetime(2024, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5.5))), 1704067200),
    ],
)
def test_time_becomes_unix_seconds(field: str, when_of: Any, when: Any, seconds: Any) -> None:
    """Aware datetimes exactly, naive ones as UTC, milliseconds recognised."""
    assert when_of(when) == seconds


@timed
@pytest.mark.parametrize(
    "when",
    [
        "yesterday",
        "",
        "-5",
        "nan",
        "1905-03-02",
        "2024-13-01T00:00:00Z",
        True,
        -1,
        float("nan"),
        float("inf"),
        10**400,
        1704067200_123_456,  # microseconds
        date(1969, 12, 31),
        datetime(1, 1, 1, tzinfo=timezone.utc),
        datetime(2024, 1, 1, tzinfo=BrokenZone()),  # type: ignore[abstract]
        Decimal("nan"),
        [],
    ],
    ids=lambda when: type(when).__name__,
)
def test_time_that_cannot_be_is_refused(field: str, when_of: Any, when: Any) -> None:
    """Never is a time sent that Customer.io would take for another one."""
    assert refused(lambda: when_of(when)).param == field.split()[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1704067200", 1704067200),
        (" 1704067200.9 ", 1704067200),
        ("1704067200123", 1704067200),
        ("2024-01-01", 1704067200),
        ("2024-01-01T00:00:00", 1704067200),
        ("2024-01-01 05:30:00+05:30", 1704067200),
        ("2024-01-01T00:00:00Z", 1704067200),
        ("2024-01-01T00:00:00.1234567Z", 1704067200),
    ],
)
def test_time_may_be_text(text: str, seconds: int) -> None:
    """As queues, headers and JSON have it: Unix seconds, or ISO 8601."""
    assert Track("5", "bought", timestamp=text).timestamp == seconds
    assert Identify("5", {"_timestamp": text}).timestamp == seconds


def test_timestamp_of_its_own_goes_before_the_one_among_the_attributes() -> None:
    """`_timestamp` is the call's time in v1; it is no attribute."""
    call = Identify("5", {"_timestamp": 5, "a": 1}, timestamp=7)

    assert (call.timestamp, call.attributes) == (7, {"a": 1})


# Devices.


@pytest.mark.parametrize(
    "make", [lambda t: AddDevice("5", t, "ios"), lambda t: DeleteDevice("5", t)]
)
@pytest.mark.parametrize("token", ["", " ", ".", "..", None, 5, b"t", True, "\ud800"])
def test_device_that_cannot_be_is_refused(make: Any, token: Any) -> None:
    """``..`` would delete the wrong thing with clients that fold paths."""
    error = refused(lambda: make(token))

    assert error.param == "device_id"
    assert error.limit is None


@pytest.mark.parametrize("platform", ["", " ", "iOS", "web", None, 5])
def test_platform_that_cannot_be_is_refused(platform: Any) -> None:
    """There are two platforms."""
    assert refused(lambda: AddDevice("5", "t", platform)).param == "platform"
    assert AddDevice("5", "t", "android").platform == "android"
