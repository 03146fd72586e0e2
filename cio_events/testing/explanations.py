"""The text of an assertion that fails: what is nearest or recorded, and why a call is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cio_events._calls.people import Call
from cio_events._sources.setup.obstacles import obstacles, way_in
from cio_events.testing.expectations import Expectation, label, summary
from cio_events.testing.notes import Notes

# All together are at most fifteen lines.
_DIFFERENCES = 5
_REASONS = 5
_NAMES = 6

_LISTED = 20


def missing(
    what: str, expectation: Expectation, calls: Sequence[tuple[Call, str]], notes: Notes
) -> str:
    """Why there is none among *calls*, each with where it was made, that is as expected."""
    lines = [f"{what}: {expectation.text}"]
    near = max(calls, key=lambda one: expectation.nearness(one[0]), default=None)
    found = near is not None and expectation.nearness(near[0]) > 0
    if near is not None and found:
        lines.append(f"nearest: {summary(near[0])}{near[1]}")
        lines += _cut([f"  {one}" for one in expectation.differences(near[0])], _DIFFERENCES)
    else:
        lines.append(f"recorded: {counts(call for call, _ in calls)}")
    return "\n".join([*lines, *_reasons(notes, near_found=found)])


def counts(calls: Iterable[Call]) -> str:
    """*calls* by name and count."""
    by_label = Counter(map(label, calls))
    told = [f"{count} {what}" for what, count in by_label.most_common(_NAMES)]
    if len(by_label) > _NAMES:
        told.append(f"{len(by_label) - _NAMES} other kinds")
    return ", ".join(told) or "nothing"


def listed(calls: Sequence[tuple[Call, str]], most: int | None = _LISTED) -> list[str]:
    """*calls*, a line each; None is all of them."""
    lines = [f"  {summary(call, whole=True)}{where}" for call, where in calls]
    return lines if most is None else _cut(lines, most)


def _reasons(notes: Notes, *, near_found: bool) -> list[str]:
    reasons = list(notes.reasons)
    nothing = not notes.arrived and not near_found
    if not near_found:
        reasons += [one.text for one in obstacles() if not one.partial]
    if nothing:
        if not reasons:
            though = f"no tagged record has arrived, though {way_in()}"
            return [f"{though}: was the line reached, with cio_customer or cio?"]
        head = "no tagged record has arrived; why that may be:"
    else:
        head = "why a record may have made no call:"
    if not reasons:
        return []
    return [head, *_cut([f"  {reason}" for reason in reasons], _REASONS)]


def _cut(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"  … and {len(lines) - most} more"]
