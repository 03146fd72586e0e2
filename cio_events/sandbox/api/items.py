"""What became of each call in a request, for those who look at the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.records import Item, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cio_events.sandbox.api.exchange import Arrival, Resource
    from cio_events.sandbox.model.explanations import Explanation, InvalidError


class Named(NamedTuple):
    """What a call says that it is, checked or not."""

    kind: str
    customer: str | None = None
    name: str | None = None
    id: str | None = None
    timestamp: int | None = None


UNREADABLE = Named("unreadable")


def of_operation(operation: Any) -> Named:
    """An operation of version 2."""
    if not isinstance(operation, dict):
        return UNREADABLE
    kind = _text(operation.get("action")) or UNREADABLE.kind
    if operation.get("type") not in ("person", None):
        kind = f"{_text(operation['type'])} {kind}"
    who = operation.get("primary") if kind == "merge" else operation.get("identifiers")
    return Named(
        kind,
        _who(who),
        _text(operation.get("name")),
        _text(operation.get("id")),
        _moment(operation.get("timestamp")),
    )


def of_arrival(resource: Resource, arrival: Arrival) -> Named:
    """A request, by its path and its body."""
    body = arrival.body.parsed if isinstance(arrival.body.parsed, dict) else {}
    if resource.kind is None:
        return of_operation(body)
    if resource.credentials == "bearer":
        return of_message(resource.kind, body)
    who = arrival.params.get("identifier") or _who(body.get("primary"))
    name = _text(body.get("name")) or _text(body.get("metric")) or _text(body.get("event"))
    is_event = resource.kind.endswith("event")
    return Named(
        resource.kind,
        who or (_text(body.get("anonymous_id")) if is_event else None),
        name if resource.kind != "identify" else None,
        _text(body.get("id")) if is_event else None,
        _moment(body.get("timestamp" if resource.kind != "identify" else "_timestamp")),
    )


def of_message(kind: str, fields: Mapping[str, Any]) -> Named:
    """A message; its template stands for a name."""
    template = _text(fields.get("transactional_message_id"))
    return Named(kind, _who(fields.get("identifiers")), template)


def done(named: Named, findings: Sequence[Explanation]) -> Item:
    """A call that was accepted."""
    broken = {finding.rule for finding in findings}
    verdict: Verdict = "accepted"
    if rules.REPEATED.name in broken:
        verdict = "repeated"
    elif broken & {rules.SUPPRESSED.name, rules.NOBODY.name}:
        verdict = "ignored"
    return Item(**named._asdict(), verdict=verdict, findings=tuple(findings))


def refused(named: Named, *invalid: InvalidError) -> Item:
    """A call that was not."""
    findings = tuple(each.explanation for each in invalid)
    return Item(**named._asdict(), verdict="refused", findings=findings)


def _who(identifiers: Any) -> str | None:
    if not isinstance(identifiers, dict):
        return None
    return next(filter(None, map(_text, identifiers.values())), None)


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _moment(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
