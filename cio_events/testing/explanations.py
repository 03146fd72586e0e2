"""The text of an assertion that fails: what is nearest or recorded, and why a call is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cio_events._calls.call import Call
from cio_events._sources.setup.obstacles import obstacles, way_in
from cio_events.testing.expectations import Expectation
from cio_events.testing.notes import Notes
from cio_events.testing.texts import label, summary
from cio_events.testing.transactions import waiting

# All together are at most fifteen lines.
_DIFFERENCES = 5
_REASONS = 5
_NAMES = 6

_LISTED = 20
_ORDERED = 12


def missing(
    what: str, expectation: Expectation, calls: Sequence[tuple[Call, str]], notes: Notes
) -> str:
    """Why there is none among *calls*, each with where it was made, that is as expected."""
    lines = [f"{what}: {expectation.text}"]
    near = nearest(expectation, calls)
    lines += near or [f"recorded: {counts(call for call, _ in calls)}"]
    return "\n".join([*lines, *_reasons(notes, near_found=bool(near))])


def nearest(expectation: Expectation, calls: Sequence[tuple[Call, str]]) -> list[str]:
    """The one of *calls* that comes nearest, and in what it differs; nothing if none is near."""
    near = max(calls, key=lambda one: expectation.nearness(one[0]), default=None)
    if near is None or not expectation.nearness(near[0]) > 0:
        return []
    differences = [f"  {one}" for one in expectation.differences(near[0])]
    return [f"nearest: {summary(near[0])}{near[1]}", *_cut(differences, _DIFFERENCES)]


def out_of_order(
    wanted: Sequence[Expectation],
    missing_one: int,
    calls: Sequence[tuple[Call, str]],
    notes: Notes,
) -> str:
    """Why that one of those *wanted* does not come behind the others that were found in order."""
    expectation = wanted[missing_one]
    behind = f", behind {wanted[missing_one - 1].text}" if missing_one else ""
    head, *why = missing(f"no call{behind}", expectation, calls, notes).splitlines()
    for call, where in calls:
        if expectation.fits(call):
            why = [f"there is one before: {summary(call, whole=True)}{where}"]
    order = ", ".join(label(call) for call, _ in calls[:_ORDERED])
    more = ", …" if len(calls) > _ORDERED else ""
    return "\n".join([head, *([f"the order was: {order}{more}"] if calls else []), *why])


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
    reasons = [*waiting(), *notes.reasons]
    nothing = not notes.arrived and not near_found
    of_set_up = [] if near_found else obstacles()
    reasons += [one.text for one in of_set_up if not one.partial]
    if nothing:
        if not reasons:
            though = f"no tagged record has arrived, though {way_in()}"
            return [
                f"{though}: was the line reached, with cio_customer or cio?",
                *(f"  if it is the other source's: {one.text}" for one in of_set_up),
            ]
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
