"""What real packages' values become, and that nothing a payload holds raises or has no bound."""

from __future__ import annotations

import ipaddress
import json
import uuid
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from time import process_time
from typing import Any

import attrs
import msgspec
import numpy as np
import pendulum
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cio_events import Identify, ParamError, Pipeline, Track
from cio_events._wire.encode import encode
from cio_events._wire.envelope import body_of
from cio_events._wire.json import dumps
from cio_events._wire.natural import TooLarge, step_for
from cio_events._wire.walk import Unsaid
from tests.support.effort import times
from tests.support.graphs import Hashless, PretendsToBeText, graphs

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@attrs.define
class Attrs:
    price: Decimal
    _secret: str = "s"


class Struct(msgspec.Struct):
    price: Decimal


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    price: Decimal
    secret: str = pydantic.Field(default="s", exclude=True)
    password: pydantic.SecretStr = pydantic.SecretStr("s")


class Root(pydantic.RootModel[list[int]]):
    pass


class Frozen(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class Lines(Sequence[str]):
    def __getitem__(self, index: Any) -> Any:
        return ["a", "b"][index]

    def __len__(self) -> int:
        return 2


def through(value: object) -> Any:
    """The value as Customer.io reads it."""
    return json.loads(dumps({"value": value}))["value"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.bool_(True), True),
        (np.int64(5), 5),
        (np.uint8(5), 5),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.str_("a"), "a"),
        (np.bytes_(b"ab"), "YWI="),
        (np.datetime64("2024-01-01T00:00:00.000000000"), 1704067200),
        (np.timedelta64(1500, "ms"), 1.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (pendulum.datetime(2024, 1, 1), 1704067200),
        (pendulum.datetime(1969, 1, 1), "1969-01-01T00:00:00+00:00"),
        (pendulum.date(2024, 1, 1), 1704067200),
        (pendulum.duration(seconds=90), 90.0),
        (pendulum.timezone("Europe/Berlin"), "Europe/Berlin"),
        (zoneinfo.ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
        (ipaddress.ip_address("127.0.0.1"), "127.0.0.1"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (Attrs(Decimal("1.5")), {"price": 1.5}),
        (Struct(Decimal("1.5")), {"price": 1.5}),
        (
            Model(price=Decimal("1.5"), more=1),
            {"price": 1.5, "password": "<SecretStr>", "more": 1},
        ),  # type: ignore[call-arg]
        (Root([1]), [1]),
        (Frozen(), {"a": 1}),
        (Lines(), ["a", "b"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_of_a_package_becomes_its_natural_json(value: object, told: object) -> None:
    """Without that package being needed here."""
    assert through(value) == told
    assert through([value, "\ud800"]) == [told, "\ufffd"]


def test_uuid_of_asyncpg_is_one() -> None:
    """Its class is no subclass of Python's own that a C library would know."""
    pgproto = pytest.importorskip("asyncpg.pgproto.pgproto")

    assert through(pgproto.UUID(str(uuid.UUID(int=5)))) == "00000000-0000-0000-0000-000000000005"
    assert Track(pgproto.UUID(str(uuid.UUID(int=5))), "x").customer.value.endswith("-000000000005")


def test_lazy_translation_is_asked_once() -> None:
    """By whichever way its call takes."""
    functional = pytest.importorskip("django.utils.functional")
    asked = []

    def translate() -> str:
        asked.append(1)
        return "Hallo \ud800"

    text = functional.lazy(translate, str)()

    body = json.loads(body_of(encode(Track("5", "x", {"a": text}), ULID, 1, "v2")))
    assert body["attributes"] == {"a": "Hallo \ufffd"}
    assert asked == [1]
    with Pipeline(site_id="a", api_key="b", track_url="http://127.0.0.1:1") as pipeline:
        pipeline.track("5", "x", {"a": text})
        assert asked == [1, 1]
        pipeline.close(0)


def test_lazy_object_is_not_asked_at_all() -> None:
    """Nobody knows what it would make."""
    functional = pytest.importorskip("django.utils.functional")

    def never() -> object:
        raise AssertionError("it was asked")

    assert through(functional.SimpleLazyObject(never)) == "<SimpleLazyObject>"


def test_what_cannot_be_said_is_left_out_of_an_identify() -> None:
    """A failed computation must not overwrite an attribute, nor delete one."""
    data = {
        "nan": float("nan"),
        "object": object(),
        "nested": {"inf": float("-inf"), "good": [1, float("nan"), object(), None]},
        "gone": None,
    }
    unsaid: list[Unsaid] = []
    body = json.loads(body_of(encode(Identify("5", data), ULID, 1, "v2", unsaid)))

    assert body["attributes"] == {"nested": {"good": [1, None]}, "gone": None}
    assert [(one.key, one.kind) for one in unsaid] == [
        ("nan", "float"),
        ("object", "object"),
        ("inf", "float"),
        ("good", "float"),
        ("good", "object"),
    ]
    only_numbers = Identify("5", {"a": 1.5, "b": float("nan")})
    assert json.loads(body_of(encode(only_numbers, ULID, 1, "v2")))["attributes"] == {"a": 1.5}
    event = json.loads(body_of(encode(Track("5", "x", data), ULID, 1, "v2")))["attributes"]
    assert (event["nan"], event["object"]) == (None, "<object>")


def test_it_is_said_once_and_strict_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Naming key and type, before the line of code."""
    options: dict[str, Any] = {"site_id": "a", "api_key": "b", "track_url": "http://127.0.0.1:1"}
    with Pipeline(**options) as pipeline:
        for _ in range(3):
            pipeline.track("5", "x", {"thing": object()})
        pipeline.identify("5", {"thing": object()})
        pipeline.close(0)
    said = [one.rpartition(" (")[0] for one in caplog.messages if "thing" in one]

    assert said == [
        f"'thing': holds a value of type object that has no form in JSON; {what}"
        for what in ("its type's name is sent in its place", "it is left out")
    ]
    with (
        Pipeline(**options, strict=True) as strict,
        pytest.raises(ParamError, match="thing: holds a value of type object"),
    ):
        strict.track("5", "x", {"thing": object()})


def knowing(count: int) -> dict[str, Any]:
    """That many people who all know each other."""
    people: list[dict[str, Any]] = [{"name": f"p{number}"} for number in range(count)]
    for person in people:
        person["knows"] = people
    return people[0]


def laughs() -> list[Any]:
    """A few hundred bytes of aliases."""
    value: list[Any] = ["lol"] * 9
    for _ in range(12):
        value = [value] * 9
    return value


HOSTILE: dict[str, Callable[[], Any]] = {
    "people": lambda: knowing(11),
    "aliases": laughs,
    "range": lambda: range(20_000_000),
    "text": lambda: "x" * 50_000_000,
    "bytes": lambda: bytes(50_000_000),
    "array": lambda: np.zeros(5_000_000),
    "empty rows": lambda: np.zeros((5_000_000, 0)),
    "wide": lambda: {number: number for number in range(1_000_000)},
    "surrogates": lambda: {f"k{number}": "\ud800" for number in range(100_000)},
    "integer": lambda: [10**4000] * 9_000,
    "view": lambda: dict.fromkeys(range(1_000_000)).keys(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_has_no_end_is_too_large_at_once(name: str) -> None:
    """Whatever it would be as JSON: time is bounded by the budget, not by the value."""
    value = HOSTILE[name]()
    list_of_all = list(range(10_000))
    usual = min(_seconds(lambda: json.dumps(list_of_all, indent=1)) for _ in range(3))

    def walked() -> None:
        with suppress(TooLarge):
            dumps(value)

    assert min(_seconds(walked) for _ in range(3)) < 100 * usual


def _seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def test_class_that_claims_to_be_equal_to_text_is_none() -> None:
    """Also once text itself is among the types that are remembered."""
    step_for(str)
    assert through([PretendsToBeText()]) == ["<PretendsToBeText>"]
    assert through([PretendsToBeText(), "\ud800"]) == ["<PretendsToBeText>", "\ufffd"]
    assert through({"a": PretendsToBeText()}) == {"a": "<PretendsToBeText>"}


@settings(max_examples=times(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.booleans())
def test_no_graph_of_objects_raises_or_has_no_end(value: Any, leave_out: bool) -> None:
    """It is strict JSON within the budget, or too large."""
    try:
        told = dumps({"value": value}, leave_out=leave_out)
    except TooLarge:
        return

    def no(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    json.loads(told.decode("utf-8"), parse_constant=no)
    assert len(told) < 2_000_000


def test_nothing_stays_nothing_beside_what_has_no_hash() -> None:
    """Where each value is looked at alone, what holds nothing is written as that too."""
    assert dumps([{}, [], Hashless(), {1: 2}]) == b'[{},[],"<Hashless>",{"1":2}]'
