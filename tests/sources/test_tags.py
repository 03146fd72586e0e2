"""What a tagged record asks for, tag by tag."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from structlog.contextvars import bound_contextvars

from cio_events._calls.call import Call, Identifier
from cio_events._calls.messages import SendEmail
from cio_events._calls.objects import (
    AddRelationships,
    DeleteObject,
    IdentifyObject,
    ObjectIdentifier,
    ReportMetric,
)
from cio_events._calls.people import (
    AddDevice,
    Delete,
    DeleteDevice,
    Identify,
    Merge,
    Track,
    TrackAnonymous,
)
from cio_events._calls.segments import AddToSegment
from cio_events._process import diagnostics
from cio_events._sources import tags
from cio_events._sources.fields import Shapes
from cio_events._sources.record import Record
from cio_events._sources.tags import call_of
from cio_events.errors import ParamError
from tests.sources.words import OBJECTS

ACME = ObjectIdentifier(1, "acme")


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test has had said is said again."""
    monkeypatch.setattr(diagnostics._process, "_once", set())


def read(event: object = None, /, **fields: Any) -> Call:
    """The call of a structlog event with these fields."""
    return call_at(None, event, **fields)


def call_at(logged_at: float | None, event: object, /, **fields: Any) -> Call:
    """The same, of an event that was logged then."""
    record = {**fields, "event": event}
    return call_of(Record(record, event, Shapes(event_key="event")[tuple(record)], logged_at))


def refused(event: object = None, /, **fields: Any) -> ParamError:
    """The error of a structlog event of which no call can be made."""
    with pytest.raises(ParamError) as caught:
        read(event, **fields)
    return caught.value


class TestWhat:
    def test_a_customer_alone_means_track(self) -> None:
        """The message is the event's name, the rest its data."""
        assert read("purchase", cio_customer="5", price=13.99) == Track(
            "5", "purchase", {"price": 13.99}
        )

    @pytest.mark.parametrize(
        ("fields", "call"),
        [
            ({"cio": "track", "price": 1}, Track("5", "it", {"price": 1})),
            ({"cio": "page", "ref": "x"}, Track("5", "it", {"ref": "x"}, type="page")),
            ({"cio": "screen"}, Track("5", "it", type="screen")),
            ({"cio": "identify", "plan": "pro"}, Identify("5", {"plan": "pro"})),
            (
                {"cio": "add_device", "cio_device": "t", "cio_platform": "ios", "v": "1"},
                AddDevice("5", "t", "ios", {"v": "1"}),
            ),
            ({"cio": "delete_device", "cio_device": "t"}, DeleteDevice("5", "t")),
        ],
    )
    def test_a_word_asks_for_its_call(self, fields: dict[str, Any], call: Call) -> None:
        """Each word of the table makes the call that it names."""
        assert read("it", cio_customer="5", **fields) == call

    def test_what_reaches_a_person_or_takes_something_back_is_no_word(self) -> None:
        """Nor is what concerns no customer."""
        assert {"delete", "merge", "suppress", "send_email", "operation"} < OBJECTS.keys()
        assert OBJECTS.keys().isdisjoint({"track", "identify", "add_device", "delete_device"})

    @pytest.mark.parametrize("word", sorted(OBJECTS))
    def test_what_cannot_be_taken_back_needs_an_object(self, word: str) -> None:
        """A dictionary that somebody else wrote could say it."""
        error = refused("x", cio=word, cio_customer="5", cio_data={"to": "a@b.c"})

        assert error.param == "cio"
        assert f"cio={OBJECTS[word]}(...)" in error.message

    def test_a_call_object_is_sent_as_it_is(self) -> None:
        """No other field of the record touches it."""
        call = Track("7", "signup", {"plan": "pro"})

        assert read("purchase", cio=call, cio_customer="5", cio_data={"x": 1}, price=1) is call

    @pytest.mark.parametrize("what", ["trak", "", "TRACK", None, 5, {"a": 1}, [], Track, object()])
    def test_anything_else_is_refused_with_the_words_that_there_are(self, what: object) -> None:
        """The message lists them."""
        error = refused("purchase", cio=what, cio_customer="5")

        assert error.param == "cio"
        assert "track, page, screen, identify" in error.message

    def test_a_word_may_be_a_subclass_of_text(self) -> None:
        """Such as the member of a string enum."""

        class Word(str):
            __slots__ = ()

        assert read(cio=Word("identify"), cio_customer="5") == Identify("5")


class TestWho:
    @pytest.mark.parametrize("who", ["5", 5, UUID(int=5), Identifier("a@b.c", "email")])
    def test_a_customer_is_whatever_a_call_accepts(self, who: Any) -> None:
        """Text, an integer, a UUID or an Identifier."""
        assert read(cio="identify", cio_customer=who) == Identify(who)

    @pytest.mark.parametrize("who", [None, "", " ", ".", "..", True, 1.5, b"5", object()])
    @pytest.mark.parametrize("tag", ["cio_customer", "cio_identity"])
    def test_a_customer_that_cannot_be_is_refused(self, tag: str, who: object) -> None:
        """By the name of the tag that gave it."""
        assert refused("x", cio="track", **{tag: who}).param == tag
        assert refused("x", cio="track", cio_id_type="email", **{tag: who}).param == tag

    @pytest.mark.parametrize("type_", ["id", "email", "cio_id"])
    @pytest.mark.parametrize("tag", ["cio_customer", "cio_identity"])
    def test_the_id_type_is_that_of_customer_and_identity(self, tag: str, type_: Any) -> None:
        """Whichever of the two is used."""
        assert read(cio="identify", cio_id_type=type_, **{tag: "x"}) == Identify(
            Identifier("x", type_)
        )

    def test_an_identifier_keeps_its_own_type(self) -> None:
        """An id type that was bound for somebody else does not turn it into another person."""
        who = Identifier("a@b.c", "email")

        assert read(cio="identify", cio_id_type="id", cio_customer=who) == Identify(who)

    @pytest.mark.parametrize("type_", ["mail", "", None, 5])
    def test_an_id_type_that_is_none_is_refused(self, type_: object) -> None:
        """By its tag."""
        assert refused("x", cio_customer="5", cio_id_type=type_).param == "cio_id_type"

    def test_a_limit_is_named(self) -> None:
        """So that it counts as too large."""
        error = refused("x", cio_customer="5" * 151)

        assert (error.param, error.limit) == ("cio_customer", 150)

    def test_customer_before_anonymous_before_identity(self) -> None:
        """The first of them that is there."""
        who = {"cio_customer": "5", "cio_anonymous": "a", "cio_identity": "6"}

        assert read("x", cio="track", **who) == Track("5", "x")
        del who["cio_customer"]
        assert read("x", cio="track", **who) == TrackAnonymous("a", "x")
        del who["cio_anonymous"]
        assert read("x", cio="track", **who) == Track("6", "x")

    def test_an_empty_anonymous_id_makes_an_invite(self) -> None:
        """It needs a recipient in its data."""
        assert read("invited", cio="track", cio_anonymous="", recipient="a@b.c") == (
            TrackAnonymous(None, "invited", {"recipient": "a@b.c"})
        )
        assert refused("invited", cio="track", cio_anonymous="").param == "recipient"

    @pytest.mark.parametrize("who", [None, " ", True, 1.5])
    def test_an_anonymous_id_that_cannot_be_is_refused(self, who: object) -> None:
        """None is no invite: it may be a variable that nobody has set."""
        error = refused("x", cio="page", cio_anonymous=who, recipient="a@b.c")

        assert error.param == "cio_anonymous"

    def test_an_anonymous_id_is_nobody_to_identify(self) -> None:
        """Only events can be anonymous."""
        assert refused(cio="identify", cio_anonymous="a").param == "cio_customer"
        assert read(cio="identify", cio_anonymous="a", cio_identity="6") == Identify("6")

    def test_an_identity_is_found_in_the_context(self) -> None:
        """As it must be without merge_contextvars, and in logging; with its id type."""
        with bound_contextvars(cio_identity="a@b.c", cio_id_type="email"):
            assert read("x", cio="track") == Track(Identifier("a@b.c", "email"), "x")
            assert read("x", cio="track", cio_id_type="id") == Track({"id": "a@b.c"}, "x")
            assert read("x", cio="track", cio_identity="6", cio_id_type="id") == Track("6", "x")
            assert read("x", cio="track", cio_customer="7") == Track("7", "x")

    def test_nobody_at_all_is_refused(self) -> None:
        """Naming the tag to give."""
        assert refused("x", cio="track").param == "cio_customer"


class TestEventName:
    def test_it_is_trimmed(self) -> None:
        """As the vendor's own clients do."""
        assert read(" purchase ", cio_customer="5") == Track("5", "purchase")

    def test_it_is_the_template(self) -> None:
        """Arguments do not make names of their own."""
        assert read("bought %s", cio_customer="5", positional_args=("tea",)) == Track(
            "5", "bought %s"
        )

    def test_it_can_be_another(self) -> None:
        """Whatever the message is."""
        assert read("Lucy has bought tea", cio_customer="5", cio_event="purchase") == Track(
            "5", "purchase"
        )
        assert read(None, cio_customer="5", cio_event="purchase") == Track("5", "purchase")

    @pytest.mark.parametrize("event", [None, 5, b"x", {}, object(), "", "  "])
    def test_a_message_that_is_no_name_is_refused(self, event: object) -> None:
        """Saying how to give one."""
        error = refused(event, cio_customer="5")

        assert error.param == "event"
        assert "cio_event" in error.message

    @pytest.mark.parametrize("name", [None, 5, "", "  "])
    def test_a_name_that_is_none_is_refused(self, name: object) -> None:
        """By its tag."""
        assert refused("purchase", cio_customer="5", cio_event=name).param == "cio_event"

    def test_a_name_that_is_too_long_is_refused(self) -> None:
        """With the limit."""
        error = refused("x" * 101, cio_customer="5")

        assert (error.param, error.limit) == ("event", 100)

    @pytest.mark.parametrize("event", [None, 5, ""])
    def test_other_calls_need_none(self, event: object) -> None:
        """An identify may have any message, or none."""
        assert read(event, cio="identify", cio_customer="5") == Identify("5")


class TestDevice:
    def test_last_used_is_the_devices_own(self) -> None:
        """A date or a number."""
        when = datetime(2024, 5, 1, tzinfo=timezone.utc)
        call = read(
            cio="add_device", cio_customer="5", cio_device="t", cio_platform="ios", last_used=when
        )

        assert call == AddDevice("5", "t", "ios", {"last_used": when})

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"cio_platform": "ios"}, "cio_device"),
            ({"cio_device": None, "cio_platform": "ios"}, "cio_device"),
            ({"cio_device": " ", "cio_platform": "ios"}, "cio_device"),
            ({"cio_device": "t"}, "cio_platform"),
            ({"cio_device": "t", "cio_platform": None}, "cio_platform"),
            ({"cio_device": "t", "cio_platform": "palm"}, "cio_platform"),
            ({"cio_device": "t", "cio_platform": "ios", "last_used": "x"}, "last_used"),
        ],
    )
    def test_what_is_missing_or_wrong_is_named(self, fields: dict[str, Any], param: str) -> None:
        """By its tag."""
        assert refused(cio="add_device", cio_customer="5", **fields).param == param

    @pytest.mark.parametrize("fields", [{}, {"cio_device": None}, {"cio_device": ".."}])
    def test_a_device_to_delete_is_needed(self, fields: dict[str, Any]) -> None:
        """By its tag."""
        assert refused(cio="delete_device", cio_customer="5", **fields).param == "cio_device"


class TestTime:
    def test_it_is_that_of_the_event(self) -> None:
        """Seconds since 1970, or a date."""
        when = datetime(2024, 5, 1, tzinfo=timezone.utc)

        assert read("x", cio_customer="5", cio_timestamp=1714521600) == (
            Track("5", "x", timestamp=1714521600)
        )
        assert read(cio="identify", cio_customer="5", cio_timestamp=when) == Identify(
            "5", timestamp=1714521600
        )

    @pytest.mark.parametrize(
        "text",
        [
            "1714521600",
            " 1714521600.7 ",
            "1714521600000",
            "2024-05-01T00:00:00Z",
            "2024-05-01",
            "2024-05-01T02:00:00+02:00",
            "2024-05-01 00:00:00",
        ],
    )
    def test_it_may_be_text(self, text: str) -> None:
        """As a dictionary from JSON has it."""
        assert read("x", cio_customer="5", cio_timestamp=text) == (
            Track("5", "x", timestamp=1714521600)
        )

    def test_the_time_of_the_record_is_the_time_of_the_call(self) -> None:
        """Unless a tag says another."""
        assert call_at(1714521600.9, "x", cio_customer="5") == (
            Track("5", "x", timestamp=1714521600)
        )
        assert call_at(1714521600.9, "x", cio_customer="5", cio_timestamp=7) == (
            Track("5", "x", timestamp=7)
        )
        assert call_at(5.0, None, cio="identify", cio_customer="5") == Identify("5", timestamp=5)

    @pytest.mark.parametrize("cio", ["track", "identify"])
    @pytest.mark.parametrize("when", [None, "yesterday", "", "inf", -1, float("nan"), True])
    def test_a_time_that_is_none_is_refused(self, cio: str, when: object) -> None:
        """By its tag."""
        assert refused("x", cio=cio, cio_customer="5", cio_timestamp=when).param == "cio_timestamp"


class TestUnused:
    @pytest.mark.parametrize(
        ("fields", "unused"),
        [
            ({"cio": "track", "cio_device": "t"}, "cio_device"),
            ({"cio": "track", "cio_anonymous": "a"}, "cio_anonymous"),
            ({"cio": "identify", "cio_event": "x"}, "cio_event"),
            ({"cio": "delete_device", "cio_device": "t", "cio_data": {}}, "cio_data"),
            ({"cio": Track("5", "x")}, "cio_customer"),
        ],
    )
    def test_a_tag_that_says_nothing_is_said_once(
        self, fields: dict[str, Any], unused: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Somebody has meant another call, and would look for it in vain."""
        for _ in range(3):
            read("it", cio_customer="5", cio_identity="6", **fields)

        (message,) = caplog.messages
        assert message.startswith(f"{unused} says nothing beside")


class TestErrors:
    @pytest.mark.parametrize(
        "fields",
        [
            {"cio_customer": "secret" * 30},
            {"cio_customer": "5", "cio_id_type": "secret"},
            {"cio_customer": "5", "cio_event": "secret" * 30},
            {"cio_customer": "5", "cio_timestamp": "secret"},
            {"cio_customer": "5", "cio_data": "secret"},
            {"cio_customer": "5", "cio": "secret"},
            {
                "cio": "add_device",
                "cio_customer": "5",
                "cio_device": "t",
                "cio_platform": "secret",
            },
        ],
    )
    def test_they_show_nothing_of_the_record(self, fields: dict[str, Any]) -> None:
        """It may be about a person."""
        assert "secret" not in str(refused("x", **fields))

    def test_data_that_cannot_be_read_is_refused(self) -> None:
        """What it raises when it is read is no error of the application's."""

        class Broken(UserDict[str, object]):
            def __iter__(self) -> Iterator[str]:
                raise RuntimeError

        error = refused("x", cio_customer="5", cio_data=Broken(a=1))
        assert str(error) == "cio_data: cannot be read"


class TestShown:
    @pytest.mark.parametrize(
        ("call", "shown"),
        [
            (Track("5", "x", {"a": 1}), {"cio": "track", "cio_customer": "5", "cio_event": "x"}),
            (
                Track(Identifier("a@b.c", "email"), "x", type="page"),
                {
                    "cio": "page",
                    "cio_customer": "a@b.c",
                    "cio_id_type": "email",
                    "cio_event": "x",
                },
            ),
            (
                TrackAnonymous("a", "x", type="screen"),
                {"cio": "screen", "cio_anonymous": "a", "cio_event": "x"},
            ),
            (
                TrackAnonymous(None, "x", {"recipient": "a@b.c"}),
                {"cio": "track", "cio_anonymous": "", "cio_event": "x"},
            ),
            (Identify("5", {"a": 1}), {"cio": "identify", "cio_customer": "5"}),
            (Delete("5"), {"cio": "delete", "cio_customer": "5"}),
            (Merge("5", "6"), {"cio": "merge", "cio_customer": "5"}),
            (
                AddDevice("5", "token", "ios", {"a": 1}),
                {"cio": "add_device", "cio_customer": "5"},
            ),
            (DeleteDevice("5", "token"), {"cio": "delete_device", "cio_customer": "5"}),
            (
                SendEmail(
                    identifiers=Identifier("a@b.c", "email"),
                    transactional_message_id=3,
                    to="b@b.c",
                    body="the body",
                    message_data={"a": 1},
                ),
                {
                    "cio": "send_email",
                    "cio_customer": "a@b.c",
                    "cio_id_type": "email",
                },
            ),
            (
                IdentifyObject(ACME, {"a": 1}),
                {"cio": "identify_object"},
            ),
            (
                DeleteObject(ObjectIdentifier(cio_object_id="ob1")),
                {"cio": "delete_object"},
            ),
            (
                AddRelationships("5", [ACME]),
                {"cio": "add_relationships", "cio_customer": "5"},
            ),
            (ReportMetric("d1", "opened", recipient="a@b.c"), {"cio": "report_metric"}),
            (AddToSegment(7, ["5", "6"]), {"cio": "add_to_segment"}),
        ],
    )
    def test_a_call_is_shown_as_tags_without_its_data(
        self, call: Call, shown: dict[str, object]
    ) -> None:
        """What and who, in words that any renderer can print."""
        assert tags.summary_tags(call) == shown


def test_values_are_left_for_the_encoder() -> None:
    """Reading a record changes none."""
    values = {"price": Decimal("1.5"), "tags": {"a"}, "odd": object()}

    call = read("x", cio_customer="5", **values)

    assert isinstance(call, Track)
    assert call.data == values
    assert all(call.data[name] is value for name, value in values.items())
