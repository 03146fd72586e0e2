"""Calls about manual segments: people who are added to one, or taken out of it, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from cio_events._calls import limits
from cio_events._calls.call import Call, Customer, Identifier, identifier_of
from cio_events._calls.validation import valid_list, valid_number
from cio_events._exported import exported
from cio_events.errors import ParamError


@exported
@dataclass(frozen=True, init=False, repr=False)
class AddToSegment(Call):
    """
    Add people to a manual segment, which exists already.

    Attributes:
        segment_id: The segment's number, an integer over 0.

        customers: Who, from 1 to 1 000, all named in one way: by id, by e-mail address or by
            cio_id. Customer.io passes over those whom it does not know.

    Raises:
        ParamError: A value is invalid, there are too many, or they are named in several ways.
    """

    tag: ClassVar[str] = "add_to_segment"

    segment_id: int
    customers: tuple[Identifier, ...]

    def __init__(self, segment_id: int, customers: Iterable[Customer]) -> None:
        self.__dict__.update(_valid(segment_id, customers))


@exported
@dataclass(frozen=True, init=False, repr=False)
class RemoveFromSegment(Call):
    """
    Take people out of a manual segment.

    Attributes:
        segment_id: The segment's number, an integer over 0.

        customers: Who, as in `AddToSegment`. Customer.io finds only those who have an id.

    Raises:
        ParamError: A value is invalid, there are too many, or they are named in several ways.
    """

    tag: ClassVar[str] = "remove_from_segment"

    segment_id: int
    customers: tuple[Identifier, ...]

    def __init__(self, segment_id: int, customers: Iterable[Customer]) -> None:
        self.__dict__.update(_valid(segment_id, customers))


def _valid(segment_id: int, customers: Iterable[Customer]) -> Mapping[str, object]:
    number = valid_number(segment_id, "segment_id", limits.SEGMENT_ID)
    param = "customers"
    given = valid_list(customers, param, limits.SEGMENT_CUSTOMERS)
    if not given:
        raise ParamError(param, "must not be empty")
    who = tuple(identifier_of(cast("Customer", one), param) for one in given)
    kinds = {one.type for one in who}
    if "phone" in kinds:
        raise ParamError(param, "a segment cannot name people by phone")
    if len(kinds) > 1:
        # Customer.io would pass over all but those of one type, and say nothing.
        ways = " and ".join(sorted(kinds))
        raise ParamError(param, f"must all be named in one way, not by {ways}")
    return {"segment_id": number, "customers": who}
