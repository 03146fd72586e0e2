"""What the values of calls and settings may be, but for times: one check for each kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from operator import index
from typing import Any, Literal, TypeAlias, TypeGuard, TypeVar, cast
from uuid import UUID

from cio_events._calls import limits
from cio_events._interrupts import faults
from cio_events.errors import ParamError

EventType: TypeAlias = Literal["event", "page", "screen"]
Platform: TypeAlias = Literal["ios", "android"]

Data: TypeAlias = Mapping[str, object]

_T = TypeVar("_T")

# What no text has but one that was cut in two, or decoded with errors let through.
_SURROGATE = re.compile("[\ud800-\udfff]")

NO_MAPPING = "must be a mapping, such as a dictionary; a model's own method makes one of it"
"""What is wrong with data that are none."""

# HTTP clients fold them into another path.
_NO_DOTS = 'must not be "." or ".."'


def is_a(value: object, kind: type[_T] | tuple[type[_T], ...]) -> TypeGuard[_T]:
    """Whether *value* is of that *kind*: by its type, for an object may raise when it is asked."""
    try:
        return issubclass(type(value), kind)
    except faults(Exception):  # as a class may that has no hash
        return False


def is_list(value: object) -> TypeGuard[Iterable[Any]]:
    """Whether *value* holds several: it can be iterated, and is neither a text nor a mapping."""
    return is_a(value, Iterable) and not is_a(value, (str, bytes, Mapping))


def valid_id_text(value: object, param: str) -> str:
    """
    *value* as the id of somebody or something.

    Raises:
        ParamError: It is blank, too long, ``.`` or ``..`` (HTTP clients fold them into another
            path), or neither text, nor an integer, nor a UUID.
    """
    text = value if type(value) is str else _text_of_id(value, param)
    if not text or text.isspace():
        raise ParamError(param, "must not be blank")
    if text == "." or text == "..":
        raise ParamError(param, _NO_DOTS)
    if not text.isascii() or len(text) > limits.ID_BYTES:
        _check_bytes(text, param, limits.ID_BYTES)
    return text


def _text_of_id(value: Any, param: str) -> str:
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    try:
        if issubclass(kind, UUID):
            return str(value)
        # Not str() of it: that of an IntEnum is its name on Python 3.10.
        if not issubclass(kind, bool) and hasattr(kind, "__index__"):
            return str(index(value))
    except faults(ValueError):  # over sys.get_int_max_str_digits()
        raise ParamError(param, f"is over {limits.ID_BYTES} bytes", limits.ID_BYTES) from None
    except faults(Exception):  # whatever an application's own type raises
        pass
    raise ParamError(param, "must be text, an integer or a UUID")


def valid_text(value: object, param: str) -> str:
    """
    *value* as text, which may be empty.

    Raises:
        ParamError: It is no text.
    """
    if not is_a(value, str):
        raise ParamError(param, "must be text")
    return str.__str__(value)


def required_text(value: object, param: str) -> str:
    """
    *value* as text that says something.

    Raises:
        ParamError: It is no text, blank, or holds a lone surrogate.
    """
    text = valid_text(value, param)
    if not text or text.isspace():
        raise ParamError(param, "must not be blank")
    utf8(text, param)
    return text


def printable_text(value: object, param: str) -> str:
    """
    *value* as one line of text, such as a credential.

    Raises:
        ParamError: It is no text, is blank, or has a character that cannot be shown.
    """
    if not is_a(value, str):
        raise ParamError(param, "must be text")
    if not value or value.isspace():
        raise ParamError(param, "must not be blank")
    if not value.isprintable():  # a line break at its end, most often; also lone surrogates
        raise ParamError(param, "has characters that cannot be shown, such as a line break")
    return value


def valid_flag(value: object, param: str) -> bool:
    """
    *value* as a flag.

    Raises:
        ParamError: It is neither True nor False.
    """
    if not is_a(value, bool):
        raise ParamError(param, "must be True or False")
    return value


def valid_mapping(value: object, param: str) -> dict[Any, object]:
    """
    A copy of *value*.

    Raises:
        ParamError: It is no mapping, or cannot be read.
    """
    if type(value) is dict:
        return value.copy()
    if not is_a(value, Mapping):
        raise ParamError(param, NO_MAPPING)
    try:
        if is_a(value, dict) and type(value).__iter__ is dict.__iter__:
            return dict(value)
        # One that has no end is over every limit.
        return {name: value[name] for name in islice(value.keys(), limits.NODES + 1)}
    except faults(Exception):  # whatever an application's own mapping raises
        raise ParamError(param, "cannot be read") from None


def valid_list(value: object, param: str, most: int) -> list[object]:
    """
    What *value* holds, which may be an application's own iterable, and may have no end.

    Raises:
        ParamError: It is no list of things, holds over *most*, or cannot be read.
    """
    try:
        found = list(islice(value, most + 1)) if is_list(value) else None
    except faults(Exception):  # whatever an application's own iterable raises
        raise ParamError(param, "cannot be read") from None
    if found is None:
        raise ParamError(param, "must be a list")
    if len(found) > most:
        raise ParamError(param, f"has over {most} entries", most)
    return found


def valid_number(value: object, param: str, most: int) -> int:
    """
    *value* as the number of something at Customer.io.

    Raises:
        ParamError: It is no integer, not over 0, or over *most*.
    """
    kind = type(value)
    if not issubclass(kind, int) or issubclass(kind, bool):
        raise ParamError(param, "must be an integer over 0")
    number = int.__int__(cast("int", value))
    if number <= 0:
        raise ParamError(param, "must be an integer over 0")
    if number > most:
        raise ParamError(param, f"is over {most}", most)
    return number


def valid_seconds(value: object, param: str) -> float:
    """
    *value* as a number of seconds to wait.

    Raises:
        ParamError: It is no number, or below 0.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ParamError(param, "must be a number of seconds, 0 or more")
    return value


def valid_event_name(name: object) -> str:
    """
    *name* as an event's, trimmed; a lone surrogate is replaced, as it is in what is sent with it.

    Raises:
        ParamError: It is no text, blank or too long.
    """
    text = valid_text(name, "name").strip()
    if not text:
        raise ParamError("name", "must not be blank")
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    if not text.isascii() or len(text) > limits.EVENT_NAME_BYTES:
        _check_bytes(text, "name", limits.EVENT_NAME_BYTES)
    return text


def valid_event_type(value: EventType) -> EventType:
    """
    *value* as an event's type.

    Raises:
        ParamError: There is no such type.
    """
    told = str.__str__(value) if is_a(value, str) else ""
    if told not in ("event", "page", "screen"):
        raise ParamError("type", 'an event is of the type "event", "page" or "screen"')
    return cast("EventType", told)


def _check_bytes(text: str, param: str, limit: int) -> None:
    if len(utf8(text, param)) > limit:
        raise ParamError(param, f"is over {limit} bytes", limit)


def utf8(text: str, param: str) -> bytes:
    """
    *text* in UTF-8.

    Raises:
        ParamError: It holds a lone surrogate.
    """
    try:
        return text.encode("utf-8")
    except faults(UnicodeEncodeError):
        raise ParamError(param, "holds a lone surrogate") from None


def valid_data(data: Data | None, param: str) -> dict[str, object]:
    """
    A copy of *data*, so that the call stays as it was made; None is no data.

    Raises:
        ParamError: It is no mapping, cannot be read, or has too many or too long names.
    """
    if data is None:
        return {}
    copy = valid_mapping(data, param)
    if not obviously_fits(copy):
        _check_number_and_names(copy, param)
    return copy


def obviously_fits(names: Iterable[Any]) -> bool:
    """Whether data of these *names* is within the limits at first sight, as most is."""
    try:
        together = "".join(names)
    except faults(TypeError):  # a name that is no text is made one when the call is encoded
        return False
    # Different names of 150 letters together are far fewer than 300.
    return len(together) <= limits.ATTRIBUTE_NAME_BYTES and together.isascii()


def _check_number_and_names(data: Data, param: str) -> None:
    if len(data) > limits.ATTRIBUTES:
        raise ParamError(param, f"has over {limits.ATTRIBUTES} entries", limits.ATTRIBUTES)
    limit = limits.ATTRIBUTE_NAME_BYTES
    for name in data:
        if is_a(name, str) and len(str.encode(name, "utf-8", "replace")) > limit:
            raise ParamError(param, f"has a name of over {limit} bytes", limit)


def valid_token(value: object, param: str) -> str:
    """
    *value* as a device's token.

    Raises:
        ParamError: It is no text, blank, ``.`` or ``..``.
    """
    text = required_text(value, param)
    if text in (".", ".."):
        raise ParamError(param, _NO_DOTS)
    return text


def valid_platform(value: object) -> Platform:
    """
    *value* as a device's platform.

    Raises:
        ParamError: There is no such platform.
    """
    text = str.__str__(value) if is_a(value, str) else ""
    if not text.strip():
        raise ParamError("platform", "must not be blank")
    if text not in ("ios", "android"):
        raise ParamError("platform", 'must be "ios" or "android"')
    return cast("Platform", text)
