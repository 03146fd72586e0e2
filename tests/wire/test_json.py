"""Any Python value as JSON: nothing raises, nothing is lost, and what goes out is strict JSON."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
import re
import threading
import types
import uuid
from collections import OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_events._calls.times import unix_seconds
from cio_events._wire.json import dumps
from cio_events._wire.natural import TooLarge
from tests.support.effort import times


def strict(text: bytes) -> Any:
    """What strict JSON says: no NaN, no infinity, and UTF-8 without surrogates."""

    def no(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text.decode("utf-8"), parse_constant=no)


def through(value: object) -> Any:
    """The value as Customer.io reads it."""
    return strict(dumps({"value": value}))["value"]


class Colour(enum.Enum):
    RED = "red"
    POINT = (1, 2)
    WEIRD = object()


class Size(enum.IntEnum):
    BIG = 3


class Mood(str, enum.Enum):
    GOOD = "good"


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Purchase:
    price: Decimal
    at: datetime
    _secret: str = "s"


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    size: int


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Ratio(float):
    pass


class Mapped(dict):
    pass


class Listed(list):
    pass


class Untouchable:
    """Whoever asks it anything runs code of the application's."""

    def __repr__(self) -> str:
        raise RuntimeError("its repr was asked for")

    __str__ = __repr__

    def __iter__(self) -> Any:
        raise AssertionError("it was iterated")

    def __len__(self) -> int:
        raise AssertionError("its length was asked for")


class BrokenZone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta | None:
        """Raise, as zones whose data is missing do."""
        raise RuntimeError("no such zone")


class BrokenMapping(UserDict):
    def __iter__(self) -> Any:
        raise RuntimeError("gone")


EAST, WEST = timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        (13.99, 13.99),
        ("é\u2028\U0001f600\0", "é\u2028\U0001f600\0"),
        (datetime(2024, 1, 1, tzinfo=timezone.utc), 1704067200),
        (datetime(2024, 1, 1, 5, 30, tzinfo=EAST), 1704067200),
        (datetime(2023, 12, 31, 19, tzinfo=WEST), 1704067200),
        (datetime(2024, 1, 1), 1704067200),  # noqa: DTZ001
        (datetime(2024, 1, 1, 0, 0, 0, 999_999), 1704067200),  # noqa: DTZ001
        (datetime(1969, 12, 31, 23, 59, 59, 999_999), "1969-12-31T23:59:59.999999"),  # noqa: DTZ001
        (datetime(1969, 12, 31, tzinfo=EAST), "1969-12-31T00:00:00+05:30"),
        (date(1905, 3, 2), "1905-03-02"),
        (date(2024, 1, 1), 1704067200),
        (time(13, 30), "13:30:00"),
        (time(13, 30, tzinfo=timezone.utc), "13:30:00+00:00"),
        (timedelta(minutes=1.5), 90.0),
        (Decimal("13.99"), 13.99),
        (Decimal("13"), 13),
        (Decimal("1E+3"), 1000),
        (Decimal("0.1000000000000000055"), "0.1000000000000000055"),
        (Decimal("1E+999999"), "1E+999999"),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("-Infinity"), None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (2**63, 2**63),
        (2**64, str(2**64)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (10**5000, "<int>"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Colour.RED, "red"),
        (Colour.POINT, [1, 2]),
        (Colour.WEIRD, "<object>"),
        (Size.BIG, 3),
        (Mood.GOOD, "good"),
        (b"\0\xff", base64.b64encode(b"\0\xff").decode()),
        (bytearray(b"ab"), "YWI="),
        (memoryview(b"ab"), "YWI="),
        (memoryview(b"a-b-")[::2], "YWI="),
        ((1, (2,)), [1, [2]]),
        ({7}, [7]),
        (frozenset({7}), [7]),
        (deque([1, 2]), [1, 2]),
        (UserList([1]), [1]),
        (UserDict({"a": 1}), {"a": 1}),
        (UserString("text"), "text"),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        (range(3), [0, 1, 2]),
        (Point(1, 2), [1, 2]),
        (Purchase(Decimal("1.5"), datetime(2024, 1, 1)), {"price": 1.5, "at": 1704067200}),  # noqa: DTZ001
        (Slotted(2), {"size": 2}),
        (PurePosixPath("/a/b"), "/a/b"),
        (PureWindowsPath("c:\\b"), "c:\\b"),
        (Path("a"), "a"),
        (Text("t"), "t"),
        (Whole(4), 4),
        (Ratio(0.5), 0.5),
        (Ratio("nan"), None),
        (Fraction(1, 4), 0.25),
        (Mapped(a=1), {"a": 1}),
        (Listed([1]), [1]),
        ("\ud800", "\ufffd"),
        ("a?\udfffb\ufdd0", "a?\ufffdb\ufdd0"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_becomes_its_natural_json(value: object, told: object) -> None:
    """Each type that has a natural form in JSON gets it, also deep inside what orjson refuses."""
    assert through(value) == told
    assert through([value, 2**70]) == [told, str(2**70)]


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Untouchable(),
        Untouchable,
        threading.Lock(),
        len,
        1 + 2j,
        (n for n in ()),
        datetime(2024, 1, 1, tzinfo=BrokenZone()),
        BrokenMapping(a=1),
        ValueError("secret"),
        Ellipsis,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_say_is_its_type_name_and_never_its_repr(value: object) -> None:
    """An unknown or broken object is named by its type; no code of it that could query runs."""
    told = f"<{type(value).__name__}>"

    assert through(value) == told
    assert through([value, 2**70]) == [told, str(2**70)]


def test_released_memory_is_named_only() -> None:
    """A view on memory that is gone does not lose the event."""
    view = memoryview(b"ab")
    view.release()

    assert through(view) == "<memoryview>"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (1, "1"),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        (math.nan, "null"),
        (2**70, str(2**70)),
        (Whole(2**70), str(2**70)),
        (10**5000, "<int>"),
        (Text("k"), "k"),
        ("\ud800", "\ufffd"),
        (Colour.RED, "red"),
        (Size.BIG, "3"),
        (Mood.GOOD, "good"),
        (date(2024, 1, 1), "2024-01-01"),
        (time(1), "01:00:00"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (PurePosixPath("/a"), "/a"),
        (Decimal("1.5"), "1.5"),
        ((1, 2), "<tuple>"),
        (b"k", "aw=="),
        (Untouchable, "<type>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_key_that_is_no_text_becomes_text(key: object, told: str) -> None:
    """A mapping with keys that JSON does not have keeps its values."""
    assert through({key: "v"}) == {told: "v"}


def test_cycle_ends_in_a_placeholder() -> None:
    """A structure that contains itself is cut where it comes to itself again."""
    loop: dict[str, Any] = {"a": 1}
    loop["self"] = [loop]

    assert through(loop) == {"a": 1, "self": ["<dict>"]}


def test_same_object_twice_is_no_cycle() -> None:
    """What is merely used in two places is written in both, also on the slow way."""
    shared = [1]

    assert through([shared, shared, 2**70]) == [[1], [1], str(2**70)]


@pytest.mark.parametrize("kind", [list, tuple, lambda one: {"a": one[0]}, UserList, Slotted])
@pytest.mark.parametrize("depth", [60, 130, 1000, 100_000])
def test_depth_is_bounded(kind: Callable[[Any], Any], depth: int) -> None:
    """What is deeper than the budget is too large, whatever it is made of."""
    value: Any = "core"
    for _ in range(depth):
        value = kind([value])

    if depth == 60:
        assert b'"core"' in dumps([value])
    else:
        with pytest.raises(TooLarge, match="nested over 128 deep"):
            dumps([value])
    # A deep nest is taken apart here, level by level: the interpreter's own way may end it.
    while isinstance(value, (list, tuple)) and value:
        value = value[0]


def test_caller_with_little_stack_left_does_not_lose_the_event() -> None:
    """Also a caller deep in a recursion of its own gets its value written, cut where need be."""

    def frames_left() -> int:
        try:
            return frames_left() + 1
        except RecursionError:
            return 0

    def below(frames: int) -> bytes:
        return below(frames - 1) if frames else dumps(value)

    value: Any = {"price": 2**70, "deep": "core"}
    for _ in range(90):
        value = {"price": 1, "deep": value}

    told = strict(below(frames_left() - 50))

    assert told["price"] == told["deep"]["price"] == 1


def test_mapping_that_another_thread_writes_to_does_not_lose_the_event() -> None:
    """A dictionary that changes its size meanwhile is written as it was at one moment."""
    shared: dict[object, object] = dict.fromkeys(range(200), 2**70)
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            for n in range(200, 260):
                shared[n] = n
            for n in range(200, 260):
                del shared[n]

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(200):
            assert strict(dumps({"shared": shared}))["shared"]["0"] == str(2**70)
    finally:
        done.set()
        thread.join()


def _can_be_a_key(value: object) -> bool:
    try:
        hash(value)
    except (TypeError, ValueError):
        return False
    return True


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.binary(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.complex_numbers(),
    st.sampled_from([*Colour, *Size, *Mood, Path("x"), Slotted(1), object]),
    st.builds(Text, st.text()),
    st.builds(object),
    st.builds(memoryview, st.binary()),
)
KEYS = SCALARS.filter(_can_be_a_key)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(deque),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4).map(types.MappingProxyType),
        st.builds(Purchase, inner, inner),
        st.builds(lambda one: {"cycle": one, "loop": _loop(one)}, inner),
    ),
    max_leaves=12,
)


def _loop(value: object) -> list[object]:
    loop = [value]
    loop.append(loop)
    return loop


@settings(max_examples=times(200), deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_no_value_loses_an_event(data: dict[str, Any]) -> None:
    """Whatever the values are, each name arrives, in strict JSON."""
    told = strict(dumps(data))

    names = {re.sub("[\ud800-\udfff]", "\ufffd", name) for name in data}
    assert set(told) == names


@given(st.datetimes(timezones=st.timezones()))
def test_aware_moment_is_exact(moment: datetime) -> None:
    """A datetime of any zone becomes the Unix second that it is in."""
    assert unix_seconds(moment) == math.floor(
        Fraction(
            (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1),
            1_000_000,
        )
    )


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
        ),
        max_leaves=10,
    )
)
def test_what_is_json_already_stays_as_it_is(value: object) -> None:
    """JSON goes through unchanged."""
    assert strict(dumps(value)) == value


class _Liar(type):
    """The type of types that say they are any other."""

    def __eq__(cls, other: object) -> bool:
        return True

    def __hash__(cls) -> int:
        return hash(cls.says)  # type: ignore[attr-defined]


def _lying(base: type, says: type) -> type:
    def endless(_self: object) -> Any:
        raise AssertionError("it was iterated")

    return _Liar("Lying", (base,), {"says": says, "__iter__": endless})


@pytest.mark.parametrize("says", [str, list, dict, tuple, int, float])
@pytest.mark.parametrize("base", [object, list, dict, str, int])
def test_type_whose_own_type_lies_gets_nothing_unwalked_to_the_encoder(
    base: type, says: type
) -> None:
    """Also among many of the type that it says it is, and as the name of a value."""
    deep: Any = ()
    for _ in range(100_000 if base in (list, dict) else 0):
        deep = (deep,)
    lying = _lying(base, says)()
    if base is list:
        list.append(lying, deep)
    elif base is dict:
        dict.__setitem__(lying, "deep", deep)
    many: list[Any] = [says() for _ in range(20)]

    for value in ([lying], [*many, lying], {"a": [lying] * 20}, {"b": many, "c": lying}):
        with suppress(TooLarge):
            strict(dumps({"value": value}))
    if base in (object, str, int):
        strict(dumps({lying: 1, **{str(number): 2 for number in range(20)}}))
    while deep:
        (deep,) = deep
