"""A broadcast that is triggered by the App API: what is asked, and the answer's number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from cio_events._calls import limits
from cio_events._calls.validation import (
    Data,
    is_a,
    valid_flag,
    valid_id_text,
    valid_list,
    valid_mapping,
    valid_number,
)
from cio_events._wire.json import dumps
from cio_events._wire.natural import TooLarge
from cio_events._wire.request import Request
from cio_events.errors import ParamError


def request(
    broadcast_id: int,
    data: Data | None,
    *,
    recipients: Mapping[str, object] | None,
    ids: Iterable[str | int] | None,
    emails: Iterable[str] | None,
    ignore_missing: bool | None,
    add_duplicates: bool | None,
) -> Request:
    """
    Ask for a broadcast.

    Raises:
        ParamError: An argument is invalid, or whom it goes to is said in two ways.
    """
    number = valid_number(broadcast_id, "broadcast_id", 2**63 - 1)
    ways = {"recipients": recipients, "ids": ids, "emails": emails}
    said = [name for name, way in ways.items() if way is not None]
    if len(said) > 1:
        raise ParamError(said[1], f"cannot be said beside {said[0]}: choose one")
    body: dict[str, object] = {"data": _dump({} if data is None else data, "data")}
    if recipients is not None:
        body["recipients"] = _dump(recipients, "recipients")
    if ids is not None:
        body["ids"] = _names(ids, "ids", (str, int))
    if emails is not None:
        body["emails"] = _names(emails, "emails", (str,))
    # Customer.io knows them for a list of its kind alone.
    flags = {
        "ignore_missing": (ignore_missing, {"ids": "id_", "emails": "email_"}),
        "add_duplicates": (add_duplicates, {"emails": "email_"}),
    }
    for name, (flag, kinds) in flags.items():
        if flag is None:
            continue
        prefix = kinds.get(said[0] if said else "")
        if prefix is None:
            raise ParamError(name, f"goes with {' or '.join(kinds)} alone")
        body[prefix + name] = valid_flag(flag, name)
    return Request("POST", f"/v1/campaigns/{number}/triggers", orjson.dumps(body))


def _dump(given: Mapping[Any, object], param: str) -> orjson.Fragment:
    try:
        return orjson.Fragment(dumps(valid_mapping(given, param), most_bytes=limits.MESSAGE_BYTES))
    except TooLarge as error:
        raise ParamError(param, error.message, error.limit) from None


def _names(given: object, param: str, kinds: tuple[type, ...]) -> list[object]:
    names: list[object] = []
    for name in valid_list(given, param, limits.BROADCAST_RECIPIENTS):
        if is_a(name, bool) or not is_a(name, kinds):
            wanted = "e-mail addresses" if kinds == (str,) else "texts or integers"
            raise ParamError(param, f"must be a list of {wanted}")
        names.append(valid_id_text(name, param))
    if not names:
        raise ParamError(param, "must not be empty")
    return names


def number_of(answer: bytes) -> int | None:
    """The number of the trigger in an answer; None if there is none in it."""
    try:
        number = orjson.loads(answer)["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
