"""One table: what a record says, and what Customer.io hears of it, through each source."""

from __future__ import annotations

import decimal
import enum
import ipaddress
import uuid
import zoneinfo
from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from types import MappingProxyType
from typing import Any

import attrs
import msgspec
import numpy as np
import pendulum
import pydantic
import pytest
import yaml
from asyncpg.pgproto import pgproto  # type: ignore[import-untyped, unused-ignore]
from django.utils.functional import lazy  # type: ignore[import-untyped, unused-ignore]

from cio_events import Delete, Identifier, Merge, Track
from tests.sources.arrivals import Arrivals
from tests.sources.ways import Log

UUID = "00000000-0000-0000-0000-000000000005"
MAY = 1714521600


@attrs.define
class Attrs:
    price: int = 1


class Struct(msgspec.Struct):
    price: int = 1


class Model(pydantic.BaseModel):
    price: int = 1


class Lines(Sequence[str]):
    def __getitem__(self, index: Any) -> Any:
        return ["a", "b"][index]

    def __len__(self) -> int:
        return 2


Shop = enum.IntEnum("Shop", {"LUCY": 5})


def knowing(count: int) -> dict[str, Any]:
    """That many people who all know each other."""
    people: list[dict[str, Any]] = [{"name": f"p{number}"} for number in range(count)]
    for person in people:
        person["knows"] = people
    return people[0]


def aliases() -> Any:
    """A few hundred bytes of YAML."""
    laughs = [f"a0: &a0 [{', '.join(['lol'] * 9)}]"]
    for number in range(12):
        laughs.append(f"a{number + 1}: &a{number + 1} [{', '.join([f'*a{number}'] * 9)}]")
    return yaml.safe_load("\n".join(laughs))


def nested() -> Any:
    """Tuples, deeper than orjson can follow."""
    value: Any = ()
    for _ in range(2_000):
        value = (value,)
    return value


WHO: dict[str, tuple[Any, dict[str, str]]] = {
    "an address": ("lucy@example.com", {"email": "lucy@example.com"}),
    "a cio_id": ("cio_17", {"cio_id": "17"}),
    "an id": ("5", {"id": "5"}),
    "an IntEnum": (Shop(5), {"id": "5"}),
    "numpy's integer": (np.int64(5), {"id": "5"}),
    "a UUID": (uuid.UUID(UUID), {"id": UUID}),
    "asyncpg's UUID": (pgproto.UUID(UUID), {"id": UUID}),
    "the vendor's form": ({"id": "lucy@example.com"}, {"id": "lucy@example.com"}),
    "a phone": ({"phone": "+15551234567"}, {"phone": "+15551234567"}),
    "an Identifier": (Identifier("cio_17"), {"id": "cio_17"}),
}

VALUES: dict[str, tuple[Any, Any]] = {
    "numpy's bool": (np.bool_(True), True),
    "asyncpg's UUID": (pgproto.UUID(UUID), UUID),
    "pendulum": (pendulum.datetime(2024, 5, 1), MAY),
    "before 1970": (date(1969, 1, 1), "1969-01-01"),
    "pydantic": (Model(), {"price": 1}),
    "attrs": (Attrs(), {"price": 1}),
    "msgspec": (Struct(), {"price": 1}),
    "a zone": (zoneinfo.ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
    "an IP address": (ipaddress.ip_address("127.0.0.1"), "127.0.0.1"),
    "a translation": (lazy(lambda: "Hallo", str)(), "Hallo"),
    "an immutable mapping": (MappingProxyType({"a": 1}), {"a": 1}),
    "a network": (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
    "numpy's integer": (np.int64(5), 5),
    "numpy's float": (np.float32(0.5), 0.5),
    "numpy's text": (np.str_("a"), "a"),
    "numpy's time": (np.datetime64("2024-05-01T00:00:00"), MAY),
    "numpy's array": (np.array([[1, 2]]), [[1, 2]]),
    "pendulum's date": (pendulum.date(2024, 5, 1), MAY),
    "pendulum's duration": (pendulum.duration(seconds=90), 90.0),
    "pendulum, before 1970": (pendulum.datetime(1969, 1, 1), "1969-01-01T00:00:00+00:00"),
    "a sequence": (Lines(), ["a", "b"]),
    "a surrogate": ("a\ud800b", "a\ufffdb"),
    "what cannot be said": (object(), "<object>"),
}

TOO_LARGE: dict[str, Callable[[], Any]] = {
    "aliases": aliases,
    "range": lambda: range(20_000_000),
    "tuples": nested,
    "text": lambda: "\ud800" + "x" * 2_500_000,
    "a large dictionary": lambda: {"one": "\ud800", **{f"k{n}": "x" * 10 for n in range(90_000)}},
}

REFUSED: dict[str, dict[str, Any]] = {
    "a merge in words": {"cio_customer": "5", "cio": "merge"},
    "a message in words": {"cio_customer": "5", "cio": "send_email"},
    "a tag of None": {"cio_customer": None},
    "two keys": {"cio_customer": {"id": "5", "email": "a@b.c"}},
    "a merge by phone is no call": {"cio_customer": "5", "cio": "merge", "phone": "1"},
    "a time that is none": {"cio_customer": "5", "cio_timestamp": "yesterday"},
    "a time that is no time": {"cio_customer": "5", "cio_timestamp": np.datetime64("NaT", "s")},
    "a time before 1970": {"cio_customer": "5", "cio_timestamp": date(1969, 1, 1)},
    "a number that is none": {"cio_customer": "5", "cio_timestamp": decimal.Decimal("NaN")},
    "a flag": {"cio_customer": "5", "cio_timestamp": True},
}

TIMES: dict[str, Any] = {
    "seconds": MAY,
    "seconds as text": str(MAY),
    "ISO 8601": "2024-05-01T00:00:00Z",
    "a date": date(2024, 5, 1),
    "a datetime": datetime(2024, 5, 1, tzinfo=timezone.utc),
    "pendulum": pendulum.datetime(2024, 5, 1),
    "numpy's integer": np.int64(MAY),
    "numpy's float": np.float64(MAY),
    "numpy's time": np.datetime64("2024-05-01T00:00:00"),
    "numpy's day": np.datetime64("2024-05-01"),
    "a Decimal": decimal.Decimal(MAY),
    "milliseconds": MAY * 1000,
}


def test_whom_a_call_concerns(log: Log, arrivals: Arrivals) -> None:
    """Read by its shape, unless the type is said."""
    for who, _ in WHO.values():
        log("purchase", cio_customer=who)

    assert arrivals.balance() == (len(WHO), 0, 0)
    heard = sorted(str(one["identifiers"]) for one in arrivals.operations())
    assert heard == sorted(str(told) for _, told in WHO.values())


def test_values(log: Log, arrivals: Arrivals) -> None:
    """In their natural form; and the line stays as it was written."""
    for name, (value, _) in VALUES.items():
        line = log("purchase", cio_customer="5", cio_event=name, value=value)
        assert line["value"] is value

    assert {one.name: one.data["value"] for one in arrivals.events()} == {
        name: told for name, (_, told) in VALUES.items()
    }


def test_what_has_no_end_is_too_large(log: Log, arrivals: Arrivals) -> None:
    """And it neither raises nor takes the process with it."""
    for make in TOO_LARGE.values():
        assert log("purchase", cio_customer="5", value=make())["cio_refused"] == "too_large"

    assert arrivals.balance() == (0, len(TOO_LARGE), 0)


@pytest.mark.parametrize("cio", ["track", "page"])
def test_what_is_within_the_budget_is_sent(cio: str, log: Log, arrivals: Arrivals) -> None:
    """Of 10 000 values, 128 levels and 100 000 bytes; and what is over it is too large."""

    def deep(levels: int, kind: Callable[..., Any]) -> Any:
        value: Any = kind(["core"])
        for _ in range(levels - 1):
            value = kind([value])
        return value

    for within, beyond in (
        ([0] * 9_900, [0] * 10_001),
        ([[]] * 9_900, [[]] * 10_001),
        (deep(126, list), deep(129, list)),
        (deep(126, tuple), deep(129, tuple)),
        ("x" * 99_900, "x" * 100_001),
        (["x" * 900] * 110, ["x" * 900] * 112),
    ):
        assert "cio_event_id" in log("it", cio=cio, cio_customer="5", value=within)
        line = log("it", cio=cio, cio_customer="5", value=beyond)
        assert line["cio_refused"] == "too_large"
        assert line["value"] is beyond

    assert arrivals.balance() == (6, 6, 0)


def test_what_has_no_end_is_too_large_whatever_says_it(log: Log, arrivals: Arrivals) -> None:
    """As an attribute, as all the payload, and in a call object."""
    for make in (aliases, nested):
        log("it", cio="identify", cio_customer="5", value=make())
        log("it", cio_customer="5", cio_data={"value": make()})
        log("it", cio=Track("5", "it", {"value": make()}))
        log("it", cio="add_device", cio_customer="5", cio_device="t", cio_platform="ios", a=make())

    assert arrivals.balance() == (0, 8, 0)
    assert arrivals.pipeline.stats().failed_by_reason == {"too_large": 8}


def test_a_cycle_is_cut_where_it_closes(log: Log, arrivals: Arrivals) -> None:
    """Eleven people who know each other are eleven, and not eleven to the power of themselves."""
    log("purchase", cio_customer="5", value=knowing(11))
    log("purchase", cio_customer="5", cio_data={"value": knowing(11)})
    log("purchase", cio=Track("5", "purchase", {"value": knowing(11)}))

    for event in arrivals.events():
        first = event.data["value"]
        assert (first["name"], len(first["knows"])) == ("p0", 11)
        assert first["knows"][1] == {"name": "p1", "knows": "<list>"}


def test_an_identify_overwrites_nothing_with_what_cannot_be_said(
    log: Log, arrivals: Arrivals
) -> None:
    """NaN, infinities and unknown types are left out, nested too."""
    wrong = {"ltv": float("nan"), "score": np.float64("inf"), "thing": object()}
    log("signup", cio="identify", cio_customer="5", ltv=1, score=2, thing="x", plan="free")
    log("signup", cio="identify", cio_customer="5", plan="pro", nested={"a": 1, **wrong}, **wrong)
    for flat in "nan", "inf", "-inf":
        log("signup", cio="identify", cio_customer="5", ltv=float(flat))

    assert arrivals.balance() == (5, 0, 0)
    person = arrivals.sandbox.person("5")
    assert person is not None
    wanted = {"ltv": 1, "score": 2, "thing": "x", "plan": "pro", "nested": {"a": 1}}
    assert {key: person.attributes[key] for key in wanted} == wanted


def test_a_lone_surrogate_is_replaced_in_names(log: Log, arrivals: Arrivals) -> None:
    """The event's, said either way, and those of its data; an id with one is somebody else's."""
    log("a\ud800b", cio_customer="5", **{"c\udc00d": "e\udfff"})
    log("x", cio_customer="5", cio_event="\ud800")
    assert log("x", cio_customer="5\ud800")["cio_refused"] == "invalid"

    assert arrivals.balance() == (2, 1, 0)
    assert {one.name: one.data for one in arrivals.sandbox.events} == {
        "a\ufffdb": {"c\ufffdd": "e\ufffd"},
        "\ufffd": {},
    }


def test_what_is_refused(log: Log, arrivals: Arrivals) -> None:
    """As invalid, which the line shows."""
    for fields in REFUSED.values():
        assert log("purchase", **fields)["cio_refused"] == "invalid"

    assert arrivals.balance() == (0, len(REFUSED), 0)


def test_times(log: Log, arrivals: Arrivals) -> None:
    """Of several forms; they are all the same."""
    for when in TIMES.values():
        log("purchase", cio_customer="5", cio_timestamp=when)

    assert arrivals.balance() == (len(TIMES), 0, 0)
    assert [one["timestamp"] for one in arrivals.operations()] == [MAY] * len(TIMES)


def test_call_objects(log: Log, arrivals: Arrivals) -> None:
    """They are what cannot be taken back."""
    log("signup", cio="identify", cio_customer="5")
    log("signup", cio="identify", cio_customer="6")
    log("same person", cio=Merge("5", "6"))
    log("left", cio=Delete("5"))

    assert arrivals.balance() == (4, 0, 0)
    assert [arrivals.sandbox.person(who) for who in ("5", "6")] == [None, None]


def test_a_payload_from_outside(log: Log, arrivals: Arrivals) -> None:
    """Spread it asks for no more than an event; as cio_data, for nothing."""
    theirs = {"cio": "merge", "cio_customer": "6", "cio_secondary": "7", "product": "socks"}
    log("webhook", **theirs)
    log("webhook", cio_customer="5", cio_data=theirs)

    assert arrivals.balance() == (1, 1, 0)
    event = arrivals.sandbox.events[0]
    assert (event.customer, event.data) == ("5", theirs)


def test_trace_ids_are_no_payload(log: Log, arrivals: Arrivals) -> None:
    """Nor what else instrumentation writes."""
    theirs = {"otelTraceID": "1", "dd.trace_id": "2", "color_message": "x", "aws_request_id": "3"}
    log("purchase", cio_customer="5", price=1, **theirs)

    assert arrivals.event().data == {"price": 1}


def test_a_snapshot(log: Log, arrivals: Arrivals) -> None:
    """What is changed later is not sent."""
    cart = ["tea"]
    log("purchase", cio_customer="5", cart=cart)
    cart.append("coffee")

    assert arrivals.event().data == {"cart": ["tea"]}


def test_who_is_bound(log: Log, arrivals: Arrivals) -> None:
    """An identity makes no call, and names nobody where the line does."""
    log("request started", cio_identity="5")
    log("purchase", cio="track", cio_identity="5")
    log("purchase", cio="track", cio_identity="5", cio_customer="6")
    log("visit", cio="page", cio_identity="5", cio_anonymous="a1")

    whom = {(one.customer, one.anonymous_id) for one in arrivals.events()}
    assert whom == {("5", None), ("6", None), (None, "a1")}
