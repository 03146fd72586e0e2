"""A dead letter as the fields of an entry in the stream of those, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from cio_events._buffers.failures import DeadLetter, Failure
from cio_events._wire.envelope import Envelope, is_envelope, ulid_of

# Of an entry that holds no calls. A script can hand some thousands of values to a command.
_FIELDS = 1_000

# Of Unix milliseconds until the year 5138, at the most.
_DIGITS = 15


def fields(envelope: Envelope, failure: Failure, now: float) -> list[bytes]:
    """Each name before its value; *now* is in Unix seconds."""
    return [
        *(b"id", ulid_of(envelope).encode()),
        *(b"reason", failure.reason.encode()),
        *(b"status", b"" if failure.status is None else b"%d" % failure.status),
        *(b"detail", (failure.detail or "").encode("utf-8", "replace")),
        *(b"at", b"%d" % (now * 1000)),
        *(b"envelope", envelope),
    ]


def of_damaged(found: Mapping[bytes, bytes], what: str, now: float) -> list[bytes]:
    """
    The same of an entry that holds no calls, with all that it has.

    Beside the first thousand fields, those there are make one field of lines.
    """
    failure = [
        *(b"reason", b"invalid"),
        *(b"status", b""),
        *(b"detail", what.encode("utf-8", "replace")),
        *(b"at", b"%d" % (now * 1000)),
    ]
    kept = [(b"entry." + name, value) for name, value in found.items()]
    if len(kept) > _FIELDS:
        lines = b"\n".join(map(b"=".join, kept[_FIELDS:]))
        kept[_FIELDS:] = [(b"entries", lines)]
    return failure + [part for pair in kept for part in pair]


def read(place: bytes, found: Mapping[bytes, bytes]) -> DeadLetter:
    """The dead letter with these fields; one that holds no call is known by its *place*."""
    envelope = found.get(b"envelope", b"")
    if not is_envelope(envelope):
        envelope = b""
    at, status = found.get(b"at", b""), found.get(b"status", b"")
    # Where it stands says when, too.
    milliseconds = int(at) if at.isdigit() and len(at) < _DIGITS else int(place.partition(b"-")[0])
    return DeadLetter(
        ulid_of(envelope) if envelope else place.decode(),
        found.get(b"reason", b"invalid").decode("utf-8", "replace"),
        int(status) if status.isdigit() and len(status) < _DIGITS else None,
        found.get(b"detail", b"").decode("utf-8", "replace") or None,
        datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc),
        envelope,
    )
