"""What a test expects of a call, and in which ways a call differs from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from cio_events._calls.call import CIO_ID_PREFIX, Call, Identifier, identifier_of
from cio_events._calls.people import Identify, Track, TrackAnonymous
from cio_events.errors import ParamError
from cio_events.testing.texts import differing, shown

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "missing"})()
"""What is not there, or was not asked for."""

EVENTS = (Track, TrackAnonymous)

# From here on, two names are one that is misspelt.
_SIMILAR = 0.6

_NAME = "name"


class Check(NamedTuple):
    """
    One thing that is expected: what it is called, how a call shows it, and what it has to be.

    It may be one of the *names* that a payload has.
    """

    label: str
    read: Callable[[Call], object]
    expected: object
    names: Callable[[Call], Iterable[object]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class Expectation:
    """
    A kind of call, and what is expected of it.

    Attributes:
        kinds: The classes of calls that it may be.

        text: As the test has said it.

        checks: What is expected of it.
    """

    kinds: tuple[type[Call], ...]
    text: str
    checks: tuple[Check, ...] = field(default=())

    def fits(self, call: Call) -> bool:
        """Whether *call* is as expected."""
        return isinstance(call, self.kinds) and not any(True for _ in self.differences(call))

    def differences(self, call: Call) -> Iterator[str]:
        """In what *call*, one of the kinds, is not as expected, a line each."""
        for check in self.checks:
            names = check.names(call)
            yield from differences(check.label, check.expected, check.read(call), names)

    def nearness(self, call: Call) -> float:
        """How near *call* comes to what was expected; 0 if it is something else."""
        if not isinstance(call, self.kinds):
            return 0.0
        near = 1.0
        for check in self.checks:
            actual = check.read(call)
            if check.label != _NAME:
                near += not any(True for _ in differences("", check.expected, actual))
            elif not _equal(check.expected, actual):
                alike = SequenceMatcher(None, str(check.expected), str(actual)).ratio()
                if alike < _SIMILAR:
                    return 0.0
                near -= 0.5
        return near


def event(
    name: object,
    customer: object = MISSING,
    anonymous: object = MISSING,
    type_: object = MISSING,
    exactly: object = None,
    data: Mapping[str, object] | None = None,
    *,
    word: str = "tracked",
) -> Expectation:
    """An event, of whomever."""
    told = {"customer": customer, "anonymous": anonymous, "type": type_}
    checks = [Check(_NAME, _attribute("name"), name)]
    checks += [
        Check(label, reader, expected)
        for (label, expected), reader in zip(
            told.items(),
            (_attribute("customer"), _attribute("anonymous_id"), _attribute("type")),
            strict=True,
        )
        if expected is not MISSING
    ]
    return Expectation(
        EVENTS, _said(word, (name,), told, exactly, data), (*checks, *_payload(exactly, data))
    )


def person(
    customer: object, exactly: object = None, attributes: Mapping[str, object] | None = None
) -> Expectation:
    """A person with these attributes."""
    checks = (Check("customer", _attribute("customer"), customer), *_payload(exactly, attributes))
    return Expectation(
        (Identify,), _said("identified", (customer,), {}, exactly, attributes), checks
    )


def any_call(kind: type[Call], params: Mapping[str, object]) -> Expectation:
    """
    A call of that *kind* with these parameters.

    Raises:
        TypeError: *kind* is no class of calls, or has no such parameter.
    """
    if not isinstance(kind, type) or not issubclass(kind, Call):
        raise TypeError("called() takes a class of calls, such as cio_events.AddDevice")
    known = params_of(kind)
    for name in params if known else ():
        if name not in known:
            raise TypeError(f"{kind.__name__} has no {name!r}; it has {', '.join(known)}")
    args = ", ".join([kind.__name__, *(f"{name}={shown(one)}" for name, one in params.items())])
    checks = tuple(Check(name, _attribute(name), one) for name, one in params.items())
    return Expectation((kind,), f"called({args})", checks)


def expectation_of(what: object) -> Expectation:
    """
    What ``in_order`` takes: an event's name, a call, or a class of calls.

    Of a call, what is None counts for nothing.
    """
    if isinstance(what, type):
        return any_call(what, {})
    if not isinstance(what, Call):
        return event(what)
    params = {name: getattr(what, name) for name in params_of(type(what))}
    return any_call(type(what), {name: one for name, one in params.items() if one is not None})


def params_of(kind: type[Call]) -> list[str]:
    """The names of what a call of that *kind* is made of."""
    return [one.name for one in fields(kind)] if is_dataclass(kind) else []


def _attribute(name: str) -> Callable[[Call], object]:
    return lambda call: getattr(call, name, MISSING)


def _data(call: Call) -> Mapping[str, object]:
    for name in ("data", "attributes"):
        told = getattr(call, name, None)
        if isinstance(told, Mapping):
            return told
    return {}


def _value(key: str, call: Call) -> object:
    return _data(call).get(key, MISSING)


def _payload(exactly: object, data: Mapping[str, object] | None) -> list[Check]:
    checks = [] if exactly is None else [Check("", _data, exactly)]
    for key, expected in (data or {}).items():
        read = partial(_value, key)
        checks.append(Check(key, read, expected, _data))
    return checks


def _said(
    word: str,
    args: tuple[object, ...],
    told: Mapping[str, object],
    exactly: object,
    data: Mapping[str, object] | None,
) -> str:
    parts = [shown(one) for one in args]
    given = {**told, "exactly": MISSING if exactly is None else exactly, **(data or {})}
    parts += [f"{name}={shown(one)}" for name, one in given.items() if one is not MISSING]
    return f"{word}({', '.join(parts)})"


def differences(
    path: str, expected: object, actual: object, names: Iterable[object] = ()
) -> Iterator[str]:
    """
    In what *actual* is not as *expected*, a line each.

    Args:
        path: What it is called.

        expected: A value, or what compares itself with one.

        actual: What a call has; `MISSING` if it has none.

        names: What it may be called instead.
    """
    if isinstance(actual, Identifier):
        if not _is(expected, actual):
            yield f"{path}: {differing(expected, actual)}"
        return
    if actual is not MISSING and _equal(expected, actual):
        return
    if type(expected) is dict and type(actual) is dict:
        for key in [*expected, *(key for key in actual if key not in expected)]:
            below = f"{path}.{key}" if path else str(key)
            if key not in expected:
                yield f"{below}: not expected, was {shown(actual[key])}"
            else:
                yield from differences(below, expected[key], actual.get(key, MISSING), actual)
    elif (
        type(expected) is list and type(actual) is list and len(expected) == len(actual) and actual
    ):
        for index, pair in enumerate(zip(expected, actual, strict=True)):
            yield from differences(f"{path}[{index}]", *pair)
    elif actual is MISSING:
        key = path.rpartition(".")[2]
        close = get_close_matches(key, [name for name in names if isinstance(name, str)], n=1)
        instead = f"; there is {close[0]}" if close else ""
        yield f"{path}: expected {shown(expected)}, is missing{instead}"
    else:
        yield f"{path or 'payload'}: {differing(expected, actual)}"


def _equal(expected: object, actual: object) -> bool:
    try:
        return bool(expected == actual)
    except Exception:  # noqa: BLE001 - a matcher of the application's, or an array
        return False


def _is(expected: object, who: Identifier) -> bool:
    """Whether *who* is meant; a plain text, integer or UUID says nothing of the type."""
    try:
        if isinstance(expected, (Identifier, Mapping)):
            return identifier_of(expected, "customer") == who
    except ParamError:
        return False
    if isinstance(expected, (str, int, UUID)) and not isinstance(expected, bool):
        return str(expected) in (
            who.value,
            f"{CIO_ID_PREFIX}{who.value}" if who.type == "cio_id" else who.value,
        )
    return _equal(expected, who.value)
