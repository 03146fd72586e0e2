"""The App API's transactional messages: checked, put in the outbox, and sent to nobody."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cio_events.sandbox.api import items
from cio_events.sandbox.api.exchange import Arrival, Reply, Resource
from cio_events.sandbox.model import checks, limits
from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.explanations import InvalidError
from cio_events.sandbox.model.records import OutboxMessage

if TYPE_CHECKING:
    from cio_events.sandbox.world.world import World


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_attachments(value: Any) -> bool:
    return _is_mapping(value) or value in ([], "")


def _is_template(value: Any) -> bool:
    return _is_whole(value) or (_is_text(value) and value.strip() != "")


def _is_mapping_or_text(value: Any) -> bool:
    return _is_mapping(value) or _is_text(value)


# What a field must be, and how a refusal puts it.
TEXT = (_is_text, "a string")
FLAG = (_is_flag, "true or false")
WHOLE = (_is_whole, "an integer")
MAPPING = (_is_mapping, "an object")
# Some languages write an empty mapping as a list.
ATTACHMENTS = (_is_attachments, "an object")
TEMPLATE = (_is_template, "the id or the trigger name of a message")
# The schema calls the headers of an e-mail a JSON text, and its example is an object.
MAPPING_OR_TEXT = (_is_mapping_or_text, "an object, or a string of JSON")

Field = tuple[Callable[[Any], bool], str]

SHARED: dict[str, Field] = {
    "transactional_message_id": TEMPLATE,
    "identifiers": MAPPING,
    "message_data": MAPPING,
    "send_at": WHOLE,
    "queue_draft": FLAG,
    "language": TEXT,
    "auto_create": FLAG,
    "disable_message_retention": FLAG,
    "send_to_unsubscribed": FLAG,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message: the name it has in the path, its fields, and those it must have."""

    name: str
    fields: Mapping[str, Field]
    required: tuple[str, ...] = ("transactional_message_id", "identifiers")


KINDS = (
    Kind(
        "email",
        {
            **SHARED,
            "to": TEXT,
            "from": TEXT,
            "reply_to": TEXT,
            "cc": TEXT,
            "bcc": TEXT,
            "fake_bcc": FLAG,
            "subject": TEXT,
            "preheader": TEXT,
            "body": TEXT,
            "body_plain": TEXT,
            "body_amp": TEXT,
            "headers": MAPPING_OR_TEXT,
            "attachments": ATTACHMENTS,
            "tracked": FLAG,
            "disable_css_preprocessing": FLAG,
        },
        required=("to", "identifiers"),
    ),
    Kind(
        "push",
        {
            **SHARED,
            "to": TEXT,
            "title": TEXT,
            "message": TEXT,
            "image_url": TEXT,
            "link": TEXT,
            "sound": TEXT,
            "custom_data": MAPPING,
            "custom_payload": MAPPING,
            "custom_device": MAPPING,
        },
    ),
    Kind("sms", {**SHARED, "to": TEXT, "from": TEXT, "tracked": FLAG}),
    # Not in the schema; the fields are those of the vendor's clients.
    Kind("whatsapp", {**SHARED, "to": TEXT, "from": TEXT, "tracked": FLAG}),
    Kind("inbox_message", {**SHARED, "to": TEXT}),
    Kind("in_app", SHARED),
)

# An e-mail without a template brings its own content.
CONTENT = ("from", "subject", "body")


def _send(kind: Kind) -> Callable[[World, Arrival], Reply]:
    def send(world: World, arrival: Arrival) -> Reply:
        if arrival.body.size > limits.MESSAGE_BYTES:
            text = f"the message is larger than {limits.MESSAGE_BYTES} bytes"
            limit = f"{limits.MESSAGE_BYTES} bytes"
            raise InvalidError(rules.MESSAGE_TOO_LARGE, "body", text, limit=limit)
        sent = arrival.json()
        if not isinstance(sent, dict):
            raise InvalidError(rules.NOT_OBJECT, "body", "the body must be an object", sent)
        fields = {name: value for name, value in sent.items() if value is not None}
        problems = [*_missing(kind, fields), *_wrong(kind, fields)]
        if problems:
            named = items.of_message(kind.name, fields)
            arrival.items.append(items.refused(named, *problems))
            return _refuse([problem.message for problem in problems])
        who = checks.who(fields["identifiers"], "identifiers")
        attachments = _attachments(fields)
        _check_recipients(fields)
        device = fields.get("custom_device")
        if device is not None:
            world.of_recipient(who).add_device(who, *checks.device(device, "token"))
        message = OutboxMessage(
            kind=kind.name,
            delivery_id=secrets.token_urlsafe(20),
            queued_at=int(time.time()),
            fields={name: value for name, value in fields.items() if name != "attachments"},
            attachments=attachments,
        )
        world.send(message, arrival.body.size)
        return Reply(200, {"delivery_id": message.delivery_id, "queued_at": message.queued_at})

    return send


def _missing(kind: Kind, fields: Mapping[str, Any]) -> list[InvalidError]:
    required = kind.required
    if kind.name == "email" and "transactional_message_id" not in fields:
        required = (*required, *CONTENT)
    return [
        InvalidError(rules.REQUIRED, name, f"{name} is required")
        for name in required
        if fields.get(name) in (None, "")
    ]


def _wrong(kind: Kind, fields: Mapping[str, Any]) -> list[InvalidError]:
    problems = []
    for name, value in fields.items():
        if name not in kind.fields:
            text = f"{name} is not a field of this message"
            problems.append(InvalidError(rules.UNKNOWN_FIELD, name, text, value))
            continue
        fits, wanted = kind.fields[name]
        if not fits(value):
            text = f"{name} must be {wanted}"
            problems.append(InvalidError(rules.WRONG_TYPE, name, text, value, wanted))
    return problems


def _attachments(fields: Mapping[str, Any]) -> dict[str, bytes]:
    decoded = {}
    for name, encoded in (fields.get("attachments") or {}).items():
        field = f"attachments.{name}"
        try:
            decoded[name] = base64.b64decode(encoded, validate=True)
        except (TypeError, ValueError):
            raise InvalidError(rules.NOT_BASE64, field, f"{field} is not Base64") from None
    return decoded


def _check_recipients(fields: Mapping[str, Any]) -> None:
    lists = [fields[name] for name in ("to", "cc", "bcc") if fields.get(name)]
    if sum(map(_recipients, lists)) > limits.RECIPIENTS:
        message = f"to, cc and bcc hold more than {limits.RECIPIENTS} recipients"
        raise InvalidError(rules.TOO_MANY_RECIPIENTS, "to", message, None, limits.RECIPIENTS)


def _recipients(text: str) -> int:
    """How many addresses a list holds: its parts between commas that stand in no quotes."""
    count, quoted, comment, something = 0, False, 0, False
    characters = iter(text)
    for character in characters:
        if character == "\\":
            next(characters, None)
        elif character == '"' and not comment:
            quoted = not quoted
        elif character == "(" and not quoted:
            comment += 1
        elif character == ")" and not quoted:
            comment = max(comment - 1, 0)
        elif character == "," and not quoted and not comment:
            count, something = count + something, False
            continue
        something = something or not character.isspace()
    return count + something


def _refuse(problems: list[str]) -> Reply:
    # Customer.io answers in both shapes.
    if len(problems) == 1:
        return Reply(400, {"meta": {"error": problems[0]}})
    return Reply(400, {"meta": {"errors": problems}})


def refuse(invalid: InvalidError) -> Reply:
    """A refusal as the App API puts it."""
    return _refuse([invalid.message])


RESOURCES = tuple(
    Resource("POST", f"/v1/send/{kind.name}", _send(kind), refuse, "bearer", kind.name)
    for kind in KINDS
)
