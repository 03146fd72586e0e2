"""What a call holds, through each source: natural values, as they were at the log call."""

from __future__ import annotations

import collections
import decimal
import enum
import pathlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest

from cio_events import ParamError, Track
from cio_events._pipeline.pipeline import Pipeline
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, Arrivals
from tests.sources.ways import SOURCES, Log

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
Source = Callable[[Pipeline], Log]

MAY = 1714521600

# More than v2 takes, and less than v1 does.
LARGE = ["x" * 500] * 80


@dataclass
class Basket:
    lines: list[str] = field(default_factory=lambda: ["tea"])


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Share(float):
    pass


class Things(list[Any]):
    pass


class Table(dict[Any, Any]):
    pass


class Id(uuid.UUID):
    pass


class Moment(datetime):
    pass


class Point(NamedTuple):
    x: int


Colour = enum.Enum("Colour", {"RED": "red"})

NATURAL: dict[str, tuple[Any, Any]] = {
    "text": (Text("a"), "a"),
    "integer": (Number(5), 5),
    "float": (Share(0.5), 0.5),
    "list": (Things([1]), [1]),
    "dictionary": (Table(a=1), {"a": 1}),
    "id": (Id(int=5), str(uuid.UUID(int=5))),
    "moment": (Moment(2024, 5, 1, tzinfo=timezone.utc), MAY),
    "date": (date(2024, 5, 1), MAY),
    "before 1970": (datetime(1969, 5, 1, tzinfo=timezone.utc), "1969-05-01T00:00:00+00:00"),
    "duration": (timedelta(seconds=90), 90.0),
    "price": (decimal.Decimal("13.99"), 13.99),
    "colour": (Colour["RED"], "red"),
    "path": (pathlib.PurePosixPath("tea/a"), "tea/a"),
    "bytes": (b"tea", "dGVh"),
    "set": ({1}, [1]),
    "frozen set": (frozenset({1}), [1]),
    "deque": (collections.deque([1]), [1]),
    "mapping": (collections.UserDict(a=1), {"a": 1}),
    "dataclass": (Basket(), {"lines": ["tea"]}),
    "named tuple": (Point(1), [1]),
    "na\ud800me": ("a\ud800", "a\ufffd"),
}


class _LazyString:
    """A lazy translation, as speaklater has them."""

    __module__ = "speaklater"

    def __init__(self) -> None:
        self.asked = 0

    def __str__(self) -> str:
        self.asked += 1
        return "Hallo"


@pytest.fixture
def holding(sandbox: Sandbox) -> Iterator[Pipeline]:
    """A pipeline that sends nothing before it is asked to."""
    with Pipeline(**CREDENTIALS, track_url=sandbox.url, flush_interval=3600) as pipeline:
        yield pipeline


def test_values_of_each_kind(log: Log, arrivals: Arrivals) -> None:
    """Python's own, and subclasses of them."""
    log("it", cio_customer="5", **{name: value for name, (value, _) in NATURAL.items()})

    told = {name.replace("\ud800", "\ufffd"): told for name, (_, told) in NATURAL.items()}
    assert arrivals.event().data == told


@each_source
def test_what_is_sent_is_what_the_values_were(
    source: Source, holding: Pipeline, sandbox: Sandbox
) -> None:
    """Whatever holds them, and whichever way the call takes."""
    log, basket = source(holding), Basket()
    cart: dict[str, Any] = {
        "list": ["tea"],
        "nested": {"a": [{"b": ["tea"]}]},
        "set": {"tea"},
        "bytes": bytearray(b"tea"),
        "object": basket,
    }
    log("rest", cio_customer="5", **cart)
    log("data", cio_customer="5", cio_data=cart)
    log("object", cio=Track("5", "object", cart))
    log("page", cio="page", cio_customer="5", **cart)
    log("large", cio_customer="5", text=LARGE, **cart)
    log("signup", cio="identify", cio_customer="5", **cart)

    basket.lines.append("milk")
    cart["nested"]["a"][0]["b"].append("milk")
    cart["set"].add("milk")
    cart["bytes"] += b"milk"
    cart["list"].clear()
    cart["more"] = "milk"

    told = {
        "list": ["tea"],
        "nested": {"a": [{"b": ["tea"]}]},
        "set": ["tea"],
        "bytes": "dGVh",
        "object": {"lines": ["tea"]},
    }
    assert holding.stats().pending == 6
    assert Arrivals(sandbox, holding).balance() == (6, 0, 0)
    datas = {event.name: event.data for event in sandbox.events}
    assert datas.pop("large") == {"text": LARGE, **told}
    assert datas == dict.fromkeys(["rest", "data", "object", "page"], told)
    person = sandbox.person("5")
    assert person is not None
    assert {key: person.attributes[key] for key in told} == told
    assert "more" not in person.attributes


def test_a_lazy_text_is_asked_once(log: Log, arrivals: Arrivals) -> None:
    """To be asked may cost a query, or answer differently."""
    lazy = [_LazyString() for _ in range(4)]
    log("small", cio_customer="5", text=lazy[0])
    log("large", cio_customer="5", text=lazy[1], more=LARGE)
    log("nested", cio_customer="5", texts=[lazy[2], lazy[2]])
    log("signup", cio="identify", cio_customer="5", text=lazy[3])

    assert arrivals.balance() == (4, 0, 0)
    assert [one.asked for one in lazy] == [1] * 4
    assert arrivals.sandbox.events[0].data == {"text": "Hallo"}


def test_what_cannot_be_said_is_said_once(
    log: Log, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an event and of an identify, naming key and type."""
    for _ in range(2):
        log("it", cio_customer="5", thing=object(), nested={"inner": Basket})
        log("it", cio="identify", cio_customer="5", thing=object(), ltv=float("nan"))

    assert arrivals.balance() == (4, 0, 0)
    assert [message.partition(" that has no form")[0] for message in caplog.messages] == [
        "'thing': holds a value of type object",
        "'inner': holds a value of type type",
        "'thing': holds a value of type object",
        "'ltv': holds a value of type float",
    ]


@each_source
def test_strict_raises(source: Source, sandbox: Sandbox) -> None:
    """For tests and development: what is wrong, and counts nothing."""
    with Pipeline(**CREDENTIALS, track_url=sandbox.url, strict=True) as pipeline:
        log = source(pipeline)
        with pytest.raises(ParamError, match=r"^cio_customer: "):
            log("it", cio_customer="")
        with pytest.raises(ParamError, match=r"^thing: holds a value of type object"):
            log("it", cio_customer="5", thing=object())
        with pytest.raises(ParamError, match=r"^value: holds a value of type float"):
            log("it", cio="identify", cio_customer="5", value=float("inf"))

        assert pipeline.stats().received == 0
