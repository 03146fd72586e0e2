"""
Look at records without a trigger for what was probably meant to make a call, and say so once.

Not all are looked at, since such a record must cost nothing: the first ones, and then one behind
each that has a trigger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from cio_events._interrupts import suppress_faults
from cio_events._process.diagnostics import warn_few, warn_once
from cio_events._sources.context import bound_to_context
from cio_events._sources.fields import MARKS, TAGS, TRIGGERS, likely_tag
from cio_events._sources.line import given_in_vain
from cio_events._sources.origin import origin_of

FIRST = 1_000
"""
How many are looked at before any other: most lines of an application's code are among them.

A look takes some microseconds, all else that is done for such a record a tenth of one.
"""

# Tags that are bound for the lines that do have a trigger.
_MAY_BE_ALONE = frozenset({"cio_identity", "cio_id_type"})

# Of the keys of one record that begin as tags do; to compare one with all tags takes time.
_KEYS_COMPARED = 20

BOUND = (
    "cio_customer or cio is bound to the context, which would make an event of every record that "
    "is logged there, and is ignored; cio_identity can be bound and makes none"
)
"""What is said of triggers that are bound."""

POSITIONAL = (
    "tags were given to a log call as a positional dictionary and are not sent: they have to be "
    "extra= in logging, or keyword arguments in structlog and loguru"
)
"""What is said of them."""

_NESTED = (
    "tags were given to a log call in extra=, which is logging's, and are not sent: in structlog "
    "and loguru they are keyword arguments"
)
_AS_MESSAGE = (
    "tags were given to a log call of structlog in a dictionary as its message, and are not sent: "
    "they have to be keyword arguments"
)
_REPLACED = (
    "a LoggerAdapter has put its own extra= in place of a log call's, whose tags are lost with "
    "it; LoggerAdapter(..., merge_extra=True) keeps both, from Python 3.13 on"
)


def look(places: Sequence[Mapping[Any, Any]], event: object, source: object) -> None:
    """
    Say what of a record without a trigger was probably meant to make a call of it.

    Args:
        places: Its keys or attributes, and the dictionaries in which it could have tags.

        event: Its message.

        source: The record of logging, or the logger that structlog has wrapped.
    """
    with suppress_faults(Exception):  # what a record holds may raise anything
        where = partial(origin_of, event, places[0], source)
        bound = bound_to_context()
        if not TRIGGERS.isdisjoint(bound):
            warn_once("bound", lambda: f"{BOUND} ({where()})")
        for fields in places:
            if MARKS.isdisjoint(fields):
                found = (key for key in fields if type(key) is str and key.startswith("cio"))
                for key in islice(found, _KEYS_COMPARED):
                    if key not in bound:
                        _look_at_key(key, where)
            if is_tagged(fields.get("extra")):
                warn_once("nested", lambda: f"{_NESTED} ({where()})")
            arguments = fields.get("positional_args")  # as structlog's own logger has them
            if type(arguments) is tuple and any(map(is_tagged, arguments)):
                warn_once("positional", lambda: f"{POSITIONAL} ({where()})")
        if is_tagged(event):  # those of logging were found there
            warn_once("message", lambda: f"{_AS_MESSAGE} ({where()})")
        # They may have been formatted into the message.
        unnamed = partial(origin_of, None, places[0], source)
        for replaced, given in given_in_vain():
            if is_tagged(given) and replaced:
                warn_once("replaced", lambda: f"{_REPLACED} ({where()})")
            elif is_tagged(given):
                warn_once("positional", lambda: f"{POSITIONAL} ({unnamed()})")


def is_tagged(value: object) -> bool:
    """Whether *value* is a plain dictionary with a trigger."""
    return type(value) is dict and not TRIGGERS.isdisjoint(value)


def _look_at_key(key: str, where: partial[str]) -> None:
    if key in TAGS:
        what = "" if key in _MAY_BE_ALONE else "is a tag"
    else:
        likely = likely_tag(key)
        what = f"is no tag (is it {likely}?)" if likely else ""
    if what:
        without = "of a record that has neither cio_customer nor cio, and is not sent"
        warn_few("untagged", key, lambda: f"{what} {without} ({where()})")
