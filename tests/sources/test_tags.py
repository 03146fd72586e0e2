"""What a tagged record asks for, tag by tag."""

from __future__ import annotations

import logging
import pickle
from collections import OrderedDict, UserDict
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from structlog.contextvars import bound_contextvars
from structlog.processors import CallsiteParameter

from cio_events._calls.messages import (
    SendEmail,
    SendInApp,
    SendInboxMessage,
    SendPush,
    SendSMS,
    SendWhatsApp,
)
from cio_events._calls.objects import (
    AddRelationships,
    DeleteObject,
    DeleteRelationships,
    IdentifyObject,
    ObjectIdentifier,
    Relationship,
    ReportMetric,
)
from cio_events._calls.people import (
    AddDevice,
    Call,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._process import diagnostics
from cio_events._sources import fields, tags
from cio_events._sources.fields import KEYS_OF_RECORDS, PayloadKeys
from cio_events._sources.tags import Taken, call_of
from cio_events.errors import ParamError

ULID = "01HZX3Q4R5S6T7V8W9XABCDEFG"
ACME = ObjectIdentifier(1, "acme")


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test has had said is said again."""
    monkeypatch.setattr(diagnostics._process, "_once", set())


def read(event: object = None, /, **fields: Any) -> Call:
    """The call of a structlog event with these fields."""
    return call_of({**fields, "event": event}, event, PayloadKeys("event"))


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
            ({"cio": "delete"}, Delete("5")),
            ({"cio": "suppress"}, Suppress("5")),
            ({"cio": "unsuppress"}, Unsuppress("5")),
            ({"cio": "merge", "cio_secondary": "6"}, Merge("5", "6")),
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

    def test_the_words_are_those_of_the_calls(self) -> None:
        """A call's own tag asks for that kind of call."""
        for kind in (Identify, Track, Delete, Suppress, Unsuppress, Merge, AddDevice):
            assert kind.tag in tags.WORDS

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

        assert read(cio=Word("delete"), cio_customer="5") == Delete("5")


class TestWho:
    @pytest.mark.parametrize("who", ["5", 5, UUID(int=5), Identifier("a@b.c", "email")])
    def test_a_customer_is_whatever_a_call_accepts(self, who: Any) -> None:
        """Text, an integer, a UUID or an Identifier."""
        assert read(cio="delete", cio_customer=who) == Delete(who)

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
        assert read(cio="delete", cio_id_type=type_, **{tag: "x"}) == Delete(
            Identifier("x", type_)
        )

    def test_an_identifier_keeps_its_own_type(self) -> None:
        """An id type that was bound for somebody else does not turn it into another person."""
        who = Identifier("a@b.c", "email")

        assert read(cio="delete", cio_id_type="id", cio_customer=who) == Delete(who)

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
            assert read("x", cio="track", cio_id_type="id") == Track("a@b.c", "x")
            assert read("x", cio="track", cio_identity="6", cio_id_type="id") == Track("6", "x")
            assert read("x", cio="track", cio_customer="7") == Track("7", "x")

    def test_nobody_at_all_is_refused(self) -> None:
        """Naming the tag to give."""
        assert refused("x", cio="track").param == "cio_customer"

    @pytest.mark.parametrize("who", [None, ""])
    def test_a_secondary_must_be_somebody(self, who: object) -> None:
        """By its tag."""
        assert refused(cio="merge", cio_customer="5").param == "cio_secondary"
        error = refused(cio="merge", cio_customer="5", cio_secondary=who)
        assert error.param == "cio_secondary"
        assert refused(cio="merge", cio_customer="", cio_secondary="6").param == "cio_customer"

    def test_a_secondary_has_a_type_of_its_own(self) -> None:
        """The other's does not apply."""
        assert read(
            cio="merge",
            cio_customer="5",
            cio_secondary="a@b.c",
            cio_secondary_id_type="email",
        ) == Merge("5", Identifier("a@b.c", "email"))
        error = refused(
            cio="merge", cio_customer="5", cio_secondary="6", cio_secondary_id_type="x"
        )
        assert error.param == "cio_secondary_id_type"


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


class TestMessages:
    @pytest.mark.parametrize(
        "kind", [SendEmail, SendPush, SendSMS, SendWhatsApp, SendInboxMessage]
    )
    @pytest.mark.parametrize("data", [{"cio_data": {"total": 3}, "x": 1}, {"total": 3}])
    def test_a_message_has_a_template_a_recipient_and_data(
        self, kind: Any, data: dict[str, Any]
    ) -> None:
        """The customer is whom it is about."""
        call = read(
            "receipt",
            cio=kind.tag,
            cio_customer="5",
            cio_to="lucy@example.com",
            cio_message_id=3,
            **data,
        )

        assert call == kind(
            identifiers="5",
            to="lucy@example.com",
            transactional_message_id=3,
            message_data={"total": 3},
        )

    def test_what_a_message_does_not_need_is_left_out(self) -> None:
        """It has no data of its own then, and only an e-mail needs a recipient."""
        who = {"cio_identity": "a@b.c", "cio_id_type": "email", "cio_message_id": "welcome"}
        lucy = Identifier("a@b.c", "email")

        assert read("x", cio="send_push", **who) == SendPush(
            identifiers=lucy, transactional_message_id="welcome"
        )
        assert read("x", cio="send_in_app", cio_to="x", **who) == SendInApp(
            identifiers=lucy, transactional_message_id="welcome"
        )

    @pytest.mark.parametrize("cio", ["send_email", "send_push", "send_sms", "send_in_app"])
    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"cio_customer": None}, "cio_customer"),
            ({"cio_customer": "5" * 151}, "cio_customer"),
            ({"cio_message_id": None}, "cio_message_id"),
            ({"cio_message_id": 1.5}, "cio_message_id"),
            ({"cio_message_id": ""}, "cio_message_id"),
            ({"cio_data": [1]}, "cio_data"),
        ],
    )
    def test_what_is_wrong_is_named(self, cio: str, fields: dict[str, Any], param: str) -> None:
        """By its tag."""
        right = {"cio_customer": "5", "cio_to": "a@b.c", "cio_message_id": 3}

        assert refused("x", cio=cio, **(right | fields)).param == param

    @pytest.mark.parametrize("to", [{}, {"cio_to": None}, {"cio_to": 5}])
    def test_an_email_needs_a_recipient(self, to: dict[str, Any]) -> None:
        """By its tag."""
        who = {"cio_customer": "5", "cio_message_id": 3}

        assert refused("x", cio="send_email", **who, **to).param == "cio_to"

    def test_a_template_is_needed(self) -> None:
        """Bodies are no tags; a call object may have one."""
        error = refused("x", cio="send_email", cio_customer="5", cio_to="a@b.c")

        assert error.param == "cio_message_id"


class TestObjects:
    @pytest.mark.parametrize(
        ("fields", "call"),
        [
            ({"cio": "identify_object", "size": 3}, IdentifyObject(ACME, {"size": 3})),
            ({"cio": "identify_object", "cio_identity": "6"}, IdentifyObject(ACME)),
            (
                {"cio": "identify_object", "cio_customer": "5", "size": 3},
                IdentifyObject(ACME, {"size": 3}, ["5"]),
            ),
            ({"cio": "delete_object"}, DeleteObject(ACME)),
            (
                {"cio": "add_relationships", "cio_customer": "5", "role": "owner"},
                AddRelationships("5", [Relationship(ACME, {"role": "owner"})]),
            ),
            (
                {"cio": "delete_relationships", "cio_identity": "6", "x": 1},
                DeleteRelationships("6", [ACME]),
            ),
        ],
    )
    def test_a_word_asks_for_its_call(self, fields: dict[str, Any], call: Call) -> None:
        """By the object's type and id, or an ObjectIdentifier."""
        assert read("x", cio_object="acme", cio_object_type=1, **fields) == call
        assert read("x", cio_object=ACME, **fields) == call

    @pytest.mark.parametrize("cio", ["identify_object", "delete_object", "add_relationships"])
    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"cio_object_type": 1}, "cio_object"),
            ({"cio_object": None, "cio_object_type": 1}, "cio_object"),
            ({"cio_object": "", "cio_object_type": 1}, "cio_object"),
            ({"cio_object": "acme"}, "cio_object_type"),
            ({"cio_object": "acme", "cio_object_type": " "}, "cio_object_type"),
        ],
    )
    def test_what_is_wrong_is_named(self, cio: str, fields: dict[str, Any], param: str) -> None:
        """By its tag."""
        assert refused("x", cio=cio, cio_customer="5", **fields).param == param

    @pytest.mark.parametrize("cio", ["identify_object", "add_relationships"])
    def test_a_person_that_cannot_be_is_refused(self, cio: str) -> None:
        """Also where one need not be."""
        assert refused("x", cio=cio, cio_customer="", cio_object=ACME).param == "cio_customer"


class TestTimeAndId:
    def test_they_are_those_of_the_event(self) -> None:
        """The id in capitals, since that is how ULIDs are compared."""
        call = read("x", cio_customer="5", cio_timestamp=1714521600, cio_event_id=ULID.lower())

        assert call == Track("5", "x", id=ULID, timestamp=1714521600)

    def test_an_identify_has_a_time(self) -> None:
        """A date will do."""
        when = datetime(2024, 5, 1, tzinfo=timezone.utc)

        assert read(cio="identify", cio_customer="5", cio_timestamp=when) == Identify(
            "5", timestamp=1714521600
        )

    def test_the_time_of_the_record_is_the_time_of_the_call(self) -> None:
        """Unless a tag says another."""
        fields = {"cio_customer": "5"}

        assert call_of(fields, "x", PayloadKeys(), 1714521600.9) == Track(
            "5", "x", timestamp=1714521600
        )
        assert call_of({**fields, "cio_timestamp": 7}, "x", PayloadKeys(), 1714521600.9) == Track(
            "5", "x", timestamp=7
        )
        assert call_of({**fields, "cio": "identify"}, "x", PayloadKeys(), 5.0) == Identify(
            "5", timestamp=5
        )

    @pytest.mark.parametrize("cio", ["track", "identify"])
    @pytest.mark.parametrize("when", [None, "yesterday", -1, float("nan"), True])
    def test_a_time_that_is_none_is_refused(self, cio: str, when: object) -> None:
        """By its tag."""
        assert refused("x", cio=cio, cio_customer="5", cio_timestamp=when).param == "cio_timestamp"

    @pytest.mark.parametrize("id_", [None, "", 5, "order-5", ULID + "0", "I" * 26])
    def test_an_id_that_is_no_ulid_is_refused(self, id_: object) -> None:
        """Customer.io would not deduplicate by it."""
        assert refused("x", cio_customer="5", cio_event_id=id_).param == "cio_event_id"


class TestPayload:
    def test_tags_are_none_of_it(self, caplog: pytest.LogCaptureFixture) -> None:
        """Not even those that this call has no use for; and none of them is taken for a typo."""
        unused = ["identity", "anonymous", "device", "platform", "secondary", "to", "message_id"]
        unused += ["secondary_id_type", "object", "object_type"]

        assert read("it", cio_customer="5", **{f"cio_{name}": "x" for name in unused}) == (
            Track("5", "it")
        )
        assert caplog.messages == []

    def test_what_logging_says_of_itself_is_none_of_it(self) -> None:
        """Level, logger, time, traceback and call site."""
        about = ["level", "level_number", "logger", "timestamp", "exc_info", "exception", "stack"]
        about += ["stack_info", "stacklevel", "positional_args", "_record", "_from_structlog", "_"]
        about += [parameter.value for parameter in CallsiteParameter]

        call = read("it", cio_customer="5", price=1, **dict.fromkeys(about, "x"))

        assert isinstance(call, Track)
        assert call.data == {"price": 1}

    def test_the_attributes_of_a_record_are_none_of_it(self) -> None:
        """But in structlog a name, say, is data like any other."""
        record = logging.makeLogRecord({"msg": "it", "cio_customer": "5", "price": 1})
        record.message = record.asctime = record.taskName = "x"

        call = call_of(record.__dict__, "it", KEYS_OF_RECORDS)
        assert isinstance(call, Track)
        assert call.data == {"price": 1}

        same = read("it", cio_customer="5", name="Lucy", args=1, msg="hello", message="x")
        assert isinstance(same, Track)
        assert same.data == {"name": "Lucy", "args": 1, "msg": "hello", "message": "x"}

    def test_what_the_context_has_bound_is_none_of_it(self) -> None:
        """The same object under the same key; a value of the call's own is."""
        request_id = "".join(["r", "1"])
        with bound_contextvars(request_id=request_id, plan="".join(["p", "ro"])):
            call = read("it", cio_customer="5", request_id=request_id, plan="".join(["p", "ro"]))

        assert isinstance(call, Track)
        assert call.data == {"plan": "pro"}

    def test_cio_data_is_exactly_the_payload(self) -> None:
        """Also what would be kept out otherwise."""
        with bound_contextvars(request_id="r1"):
            data = {"request_id": "r1", "level": 3, "_x": 1, "cio_customer": "6"}
            call = read("it", cio_customer="5", price=1, cio_data=data)

        assert isinstance(call, Track)
        assert call.data == data

    @pytest.mark.parametrize("data", [{"a": 1}, OrderedDict(a=1), MappingProxyType({"a": 1}), {}])
    @pytest.mark.parametrize("cio", ["track", "page", "screen", "identify"])
    def test_cio_data_is_any_mapping(self, cio: str, data: Any) -> None:
        """An empty one, too."""
        call = read("it", cio=cio, cio_customer="5", cio_data=data, price=1)

        assert isinstance(call, (Track, Identify))
        assert (call.data if isinstance(call, Track) else call.attributes) == data

    @pytest.mark.parametrize("data", [None, "", [], [("a", 1)], 5, "text"])
    def test_cio_data_that_is_no_mapping_is_refused(self, data: object) -> None:
        """By its tag."""
        assert refused("it", cio_customer="5", cio_data=data).param == "cio_data"

    def test_too_many_entries_are_refused(self) -> None:
        """With the limit."""
        many = {f"k{i}": i for i in range(301)}

        assert refused("it", cio_customer="5", **many).limit == 300
        error = refused("it", cio_customer="5", cio_data=many)
        assert (error.param, error.limit) == ("cio_data", 300)

    def test_the_vendors_own_attributes_are_no_tags(self) -> None:
        """Although they begin as tags do."""
        own = {"cio_relationships": {"a": 1}, "cio_subscription_preferences": {"b": 2}}

        assert read(cio="identify", cio_customer="5", **own) == Identify("5", own)

    def test_a_misspelt_tag_is_said_once_and_not_sent(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whoever wrote it would look for it in vain otherwise."""
        for _ in range(3):
            assert read("it", cio_customer="5", cio_custmer="6") == Track("5", "it")

        (message,) = caplog.messages
        assert "cio_custmer is no tag" in message

    def test_a_bound_trigger_is_said_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """It makes an event of every line, which is seldom meant."""
        with bound_contextvars(cio_customer="5"):
            for name in ("a", "b", "c"):
                assert read(name, cio_customer="5", price=1) == Track("5", name, {"price": 1})

        (message,) = caplog.messages
        assert "cio_identity" in message

    def test_keys_need_not_be_text(self) -> None:
        """A processor may have put anything in."""
        odd: dict[Any, object] = {5: 1, None: 2, ("a",): 3}

        call = call_of({"cio_customer": "5", **odd}, "it", PayloadKeys())

        assert isinstance(call, Track)
        assert dict(call.data) == odd

    def test_records_with_the_same_keys_have_each_their_own_payload(self) -> None:
        """What is remembered of a line is which keys it has, and never a value."""
        keys = PayloadKeys("event")
        for price in (1, 2):
            fields = {"cio_customer": "5", "event": "it", "_hidden": 1, "price": price}
            assert call_of(fields, "it", keys) == Track("5", "it", {"price": price})
            with bound_contextvars(price=price):
                assert call_of(fields, "it", keys) == Track("5", "it")

    def test_a_table_of_keys_does_not_grow_without_end(self) -> None:
        """Names may be made up by the million, and right all the same."""
        keys = PayloadKeys()
        for number in range(5_000):
            assert keys[f"k{number}", f"_k{number}", "level"].payload == (f"k{number}",)

        assert 0 < len(keys) <= fields._SHAPES_REMEMBERED

    def test_a_table_of_keys_keeps_nothing_large(self) -> None:
        """Nor what an application made up as a key."""
        keys = PayloadKeys()
        for odd in [("k" * 151,), (5,), (("a",),), tuple(map(str, range(301)))]:
            assert keys[odd].payload == odd

        assert len(keys) == 0


class TestErrors:
    @pytest.mark.parametrize(
        "fields",
        [
            {"cio_customer": "secret" * 30},
            {"cio_customer": "5", "cio_id_type": "secret"},
            {"cio_customer": "5", "cio_event": "secret" * 30},
            {"cio_customer": "5", "cio_event_id": "secret"},
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
                    "cio_message_id": 3,
                },
            ),
            (
                IdentifyObject(ACME, {"a": 1}),
                {"cio": "identify_object", "cio_object": "acme", "cio_object_type": "1"},
            ),
            (
                DeleteObject(ObjectIdentifier(cio_object_id="ob1")),
                {"cio": "delete_object", "cio_object": "ob1"},
            ),
            (
                AddRelationships("5", [ACME]),
                {"cio": "add_relationships", "cio_customer": "5"},
            ),
            (ReportMetric("d1", "opened", recipient="a@b.c"), {"cio": "report_metric"}),
        ],
    )
    def test_a_call_is_shown_as_tags_without_its_data(
        self, call: Call, shown: dict[str, object]
    ) -> None:
        """What and who, in words that any renderer can print."""
        assert tags.summary_tags(call) == shown


class TestTaken:
    def test_it_is_text_that_stays_what_it_is(self) -> None:
        """Through a pickle, and for whoever prints it."""
        taken = Taken(ULID)

        assert taken == ULID
        assert repr(taken) == repr(ULID)
        assert type(pickle.loads(pickle.dumps(taken))) is Taken


def test_values_are_left_for_the_encoder() -> None:
    """Reading a record changes none."""
    values = {"price": Decimal("1.5"), "tags": {"a"}, "odd": object()}

    call = read("x", cio_customer="5", **values)

    assert isinstance(call, Track)
    assert call.data == values
    assert all(call.data[name] is value for name, value in values.items())
