"""Whether this machine's clock is right, by the time that Customer.io's answers carry."""

from __future__ import annotations

from collections.abc import Iterator

from cio_events._http.loopback import bound
from cio_events.doctor.finding import Finding
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found

# An answer's own time has no fractions, and the answer has taken up to some seconds.
_WARNING = 30.0
_ERROR = 300.0


def look(subject: Subject) -> Iterator[Finding]:
    """Compare the clocks."""
    skews = []
    if subject.network and subject.answers and not bound():
        replies = [
            reply for asked in subject.answers.wait() for reply in (asked.first, asked.other)
        ]
        skews = [one.skew for one in replies if one is not None and one.skew is not None]
    if not skews:
        yield found("S301")
        return
    # Of several, the one that agrees best: a proxy's may be wrong itself.
    skew = min(skews, key=abs)
    seconds = f"{abs(skew):.0f}"
    direction = "fast" if skew > 0 else "slow"
    if abs(skew) >= _ERROR:
        yield found("E303", seconds=seconds, direction=direction)
    elif abs(skew) >= _WARNING:
        yield found("W302", seconds=seconds, direction=direction)
    else:
        yield found("I300")
