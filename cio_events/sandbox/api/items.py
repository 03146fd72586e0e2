"""What became of each call in a request, for those who look at the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.records import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cio_events.sandbox.api.exchange import Arrival, Resource
    from cio_events.sandbox.model.explanations import Explanation, InvalidError

# What a call is: its kind, whom it names, the event's name and id.
Named = tuple[str, str | None, str | None, str | None]


def of_operation(operation: Any) -> Named:
    """What an operation of version 2 says that it is, checked or not."""
    if not isinstance(operation, dict):
        return "unreadable", None, None, None
    kind = _text(operation.get("action")) or "unreadable"
    if operation.get("type") not in ("person", None):
        kind = f"{_text(operation['type'])} {kind}"
    who = operation.get("primary") if kind == "merge" else operation.get("identifiers")
    return kind, _who(who), _text(operation.get("name")), _text(operation.get("id"))


def of_arrival(resource: Resource, arrival: Arrival) -> Named:
    """What a request is, by its path and its body, checked or not."""
    body = arrival.body.parsed if isinstance(arrival.body.parsed, dict) else {}
    if resource.kind is None:
        return of_operation(body)
    who = arrival.params.get("identifier") or _who(body.get("identifiers") or body.get("primary"))
    name = _text(body.get("name")) or _text(body.get("metric")) or _text(body.get("event"))
    return resource.kind, who or _text(body.get("anonymous_id")), name, _text(body.get("id"))


def of_message(kind: str, fields: dict[str, Any]) -> Named:
    """What a message is: its template stands for a name."""
    template = _text(fields.get("transactional_message_id"))
    return kind, _who(fields.get("identifiers")), template, None


def done(
    kind: str,
    customer: str | None,
    name: str | None,
    id: str | None,  # noqa: A002 - the event's
    findings: Sequence[Explanation],
) -> Item:
    """A call that was accepted."""
    broken = {finding.rule for finding in findings}
    return Item(
        kind=kind,
        customer=customer,
        name=name,
        id=id,
        findings=tuple(findings),
        verdict="repeated"
        if rules.REPEATED.name in broken
        else "ignored"
        if broken & {rules.SUPPRESSED.name, rules.NOBODY.name}
        else "accepted",
    )


def refused(
    kind: str,
    customer: str | None,
    name: str | None,
    id: str | None,  # noqa: A002 - the event's
    *invalid: InvalidError,
) -> Item:
    """A call that was not."""
    return Item(
        kind=kind,
        customer=customer,
        name=name,
        id=id,
        findings=tuple(each.explanation for each in invalid),
        verdict="refused",
    )


def _who(identifiers: Any) -> str | None:
    if not isinstance(identifiers, dict):
        return None
    return next(filter(None, map(_text, identifiers.values())), None)


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None
