"""Why something is refused, or understood otherwise than was meant, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# How much of a value is shown.
SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Rule:
    """One of Customer.io's rules: its name, the reason it is refused with, and what helps."""

    name: str
    reason: Literal["required", "invalid", "too_large", "finding"]
    """``finding``: it is accepted all the same, and something is not as was meant."""
    mend: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule that something broke: where, with what value, and over which limit."""

    rule: str
    reason: str
    field: str
    message: str
    mend: str
    value: str | None = None
    """The beginning of it, as text."""
    limit: str | None = None


class InvalidError(Exception):
    """A request, or one operation of a batch, that Customer.io would refuse."""

    def __init__(
        self, rule: Rule, field: str, message: str, value: Any = None, limit: Any = None
    ) -> None:
        super().__init__(message)
        self.reason = rule.reason
        self.field = field
        self.message = message
        self.explanation: Explanation = explain(rule, field, message, value, limit)


def explain(
    rule: Rule, field: str, message: str, value: Any = None, limit: Any = None
) -> Explanation:
    """That rule, broken there."""
    return Explanation(
        rule.name,
        rule.reason,
        field,
        message,
        rule.mend,
        None if value is None else _shown(value),
        None if limit is None else str(limit),
    )


def _shown(value: Any) -> str:
    # What holds others may be deep and large; its kind says enough.
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


REQUIRED = Rule("required", "required", "Send this field; null and blank are the same as absent.")
NOT_OBJECT = Rule("not an object", "invalid", "Send an object of JSON, {…}.")
NOT_LIST = Rule("not a list", "invalid", "Send a list of JSON, […].")
NOT_TEXT = Rule("not a text", "invalid", "Send a text: put the value in quotes.")
NOT_ALLOWED = Rule("not one of the allowed values", "invalid", "Send one of the values allowed.")
NOT_A_MOMENT = Rule(
    "not Unix seconds",
    "invalid",
    "Send whole seconds since 1970, such as 1700000000: no text, no fractions, no date.",
)
NOT_WHOLE = Rule("not an integer", "invalid", "Send a whole number.")
NOT_FLAG = Rule("not true or false", "invalid", "Send true or false, without quotes.")
NOT_JSON = Rule(
    "not JSON", "invalid", "Send strict JSON in UTF-8: no NaN, no comments, no trailing comma."
)
NOT_UTF8 = Rule("not UTF-8", "invalid", "Percent-encode the UTF-8 bytes of the identifier.")
TOO_DEEP = Rule("nested too deeply", "invalid", "Flatten the data: send fewer levels.")
IDENTIFIER_TOO_LONG = Rule(
    "identifier too long", "too_large", "Name the person by a shorter id, a hash for example."
)
NOT_AN_ADDRESS = Rule(
    "not an e-mail address", "invalid", "Send the address itself, or name the person by id."
)
WRONG_IDENTIFIERS = Rule(
    "not exactly one identifier", "invalid", 'Name the person in one way only: {"id": "5"}.'
)
WRONG_OBJECT = Rule(
    "not an object's identifiers",
    "invalid",
    "Name the object by object_type_id and object_id, or by cio_object_id alone.",
)
NAME_TOO_LONG = Rule(
    "event name too long",
    "too_large",
    "Log a shorter template and put the rest into the data: each name is an event of its own.",
)
TOO_MANY_ATTRIBUTES = Rule(
    "too many attributes", "too_large", "Send several identify calls, or nest what is related."
)
ATTRIBUTE_NAME_TOO_LONG = Rule(
    "attribute name too long", "too_large", "Use a shorter name and put the rest into the value."
)
DATA_TOO_LARGE = Rule(
    "data too large", "too_large", "Send less data with the call: a reference instead of a text."
)
OPERATION_TOO_LARGE = Rule(
    "operation too large",
    "too_large",
    "Send less data with it, or send it by version 1 of the API, which takes 100 kB.",
)
BATCH_TOO_LARGE = Rule("batch too large", "too_large", "Send fewer operations in one batch.")
MESSAGE_TOO_LARGE = Rule(
    "message too large", "too_large", "Send smaller attachments, or a link to them."
)
BODY_TOO_LARGE = Rule("body too large", "too_large", "Send less in one request.")
WRONG_SEGMENT_SIZE = Rule("wrong number of ids", "invalid", "Send from 1 to 1 000 ids.")
NOT_BASE64 = Rule("not Base64", "invalid", "Encode the attachment's bytes with standard Base64.")
TOO_MANY_RECIPIENTS = Rule("too many recipients", "invalid", "Send several messages.")
TOO_SOON = Rule(
    "broadcast triggered too soon", "invalid", "Wait ten seconds between two triggers of it."
)
UNKNOWN_FIELD = Rule(
    "unknown field", "invalid", "Look for a typing error; what templates use goes to message_data."
)
WRONG_TYPE = Rule("wrong type", "invalid", "Send the field in the type that it must have.")

# Accepted, and not what was meant.
ADDRESS_TAKEN = Rule(
    "identifier of somebody else",
    "finding",
    "Customer.io answers 200 and does not change it (Attribute Update Failure). Merge the two "
    "people, or identify the one who has it.",
)
IDENTIFIER_MOVED = Rule(
    "person has a new id",
    "finding",
    "The address belongs to a person already, who gets this identifier in place of the one "
    "before. To make another person, use another address.",
)
IDENTIFIER_FIXED = Rule(
    "identifier cannot be changed",
    "finding",
    "Name the person by cio_id to change an id, and by id to change an address.",
)
IDENTIFIER_UNUSABLE = Rule(
    "value cannot identify", "finding", "Send an id as text or integer, an address with its @."
)
REPEATED = Rule("repeat", "finding", "The same id came before: Customer.io counts it once.")
LATE = Rule(
    "older than 72 hours", "finding", "It is kept, and triggers no campaign: send it sooner."
)
SUPPRESSED = Rule(
    "person is suppressed", "finding", "It is ignored. Unsuppress the person to use the id again."
)
NOBODY = Rule(
    "nobody of that name", "finding", "It is ignored: identify the person first, or check the id."
)
OUTDATED = Rule(
    "older than what is known",
    "finding",
    "A later update has set the attribute: an older one does not replace it.",
)

RULES: dict[str, Rule] = {
    rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)
}
