"""How partitions are: who leads them, what waits, and whether both ledgers meet."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from cio_events._relay import number, scripts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cio_events._redis.keys import Keys
    from cio_events._relay.link import Link

_FAILED = "relay_failed:"


@dataclass(frozen=True, slots=True)
class Status:
    """
    A partition at one moment.

    Attributes:
        partition: Its number.

        leader: Host and process that lead; None if nobody does.

        generation: The leader's; None without.

        leads_since: Since when, in Unix seconds; None without.

        published: Calls that publishers, and ``dead resend``, have ever left there.

        read: Those that relays have read.

        repeated: Those that had been left there before, and were passed over.

        sent: Those that Customer.io has accepted.

        failed_by_reason: Those that it never will.

        entries: Entries that wait, in one of which may be many calls.

        bytes: How many bytes they have.

        seconds: How long the oldest has waited.

        dead: How many dead letters there are.

        marks: Marks of barriers that wait here; none is a call.
    """

    partition: int
    leader: str | None
    generation: int | None
    leads_since: int | None
    published: int
    read: int
    repeated: int
    sent: int
    failed_by_reason: Mapping[str, int]
    entries: int
    bytes: int
    seconds: float
    dead: int
    marks: int = 0

    @property
    def failed(self) -> int:
        """Calls that have failed for good, in all."""
        return sum(self.failed_by_reason.values())

    @property
    def pending(self) -> int:
        """Calls that were read and have not ended."""
        return self.read - self.sent - self.failed

    @property
    def unread(self) -> int:
        """Calls that were not read yet."""
        return self.published - self.read - self.repeated

    @property
    def balanced(self) -> bool:
        """
        Whether both ledgers meet: something waits by the counts if something does in the stream.

        They do not where Redis has thrown the stream away.
        """
        waiting = self.pending + self.unread + self.marks
        return self.pending >= 0 and self.unread >= 0 and bool(waiting) == bool(self.entries)

    def is_well(self, max_lag: float | None = None) -> bool:
        """Whether somebody leads, and nothing has waited for over *max_lag* seconds."""
        return self.leader is not None and (max_lag is None or self.seconds <= max_lag)

    def as_json(self) -> dict[str, Any]:
        """All of it, with names that stay."""
        return {
            "partition": self.partition,
            "leader": self.leader,
            "generation": self.generation,
            "leads_since": self.leads_since,
            "published": self.published,
            "read": self.read,
            "repeated": self.repeated,
            "sent": self.sent,
            "failed": self.failed,
            "failed_by_reason": dict(self.failed_by_reason),
            "pending": self.pending,
            "unread": self.unread,
            "balanced": self.balanced,
            "lag": {"entries": self.entries, "seconds": self.seconds, "bytes": self.bytes},
            "dead_letters": self.dead,
        }


@dataclass(frozen=True, slots=True)
class Total:
    """What several partitions add up to; the attributes are those of `Status`."""

    published: int
    read: int
    repeated: int
    sent: int
    failed: int
    pending: int
    unread: int
    entries: int
    bytes: int
    seconds: float
    dead: int
    balanced: bool

    def as_json(self) -> dict[str, Any]:
        """All of it, with names that stay."""
        names = ("published", "read", "repeated", "sent", "failed", "pending", "unread")
        return {
            **{name: getattr(self, name) for name in names},
            "balanced": self.balanced,
            "lag": {"entries": self.entries, "seconds": self.seconds, "bytes": self.bytes},
            "dead_letters": self.dead,
        }


def total(every: Sequence[Status]) -> Total:
    """What the partitions add up to; something has waited as long as the oldest of all."""
    names = [one.name for one in fields(Total) if one.name not in ("seconds", "balanced")]
    return Total(
        **{name: sum(getattr(one, name) for one in every) for name in names},
        seconds=max((one.seconds for one in every), default=0.0),
        balanced=all(one.balanced for one in every),
    )


def look_at_all(link: Link) -> list[Status]:
    """
    Ask Redis how each partition is, in their order.

    Raises:
        redis.RedisError, OSError: It cannot be asked.
    """
    return [look(link, keys) for keys in number.each(link)]


def look(link: Link, keys: Keys | None = None) -> Status:
    """
    Ask Redis how a partition is: that with these *keys*, or the one of *link*.

    Raises:
        redis.RedisError, OSError: It cannot be asked.
    """
    keys = keys or link.keys
    lease, left, since, flat, length, oldest, size, dead, seconds, micros = link.run(
        scripts.STATUS,
        [keys.lease, keys.leader, keys.counts, keys.stream, keys.bytes, keys.dead],
        [],
    )
    counts = {name.decode(): int(count) for name, count in zip(flat[::2], flat[1::2], strict=True)}
    token = lease.decode("utf-8", "replace") if lease and left > 0 else ""
    generation, _, owner = token.partition(":")
    now = int(seconds) + int(micros) / 1_000_000
    age = now - int(oldest.partition(b"-")[0]) / 1000 if oldest else 0.0
    return Status(
        partition=keys.partition,
        leader=owner.rpartition(":")[0] or None,
        generation=int(generation) if generation.isdigit() else None,
        leads_since=int(since) if token and since else None,
        published=counts.get("calls", 0),
        read=counts.get("relay_read", 0),
        repeated=counts.get("relay_repeated", 0),
        sent=counts.get("relay_sent", 0),
        failed_by_reason={
            name.removeprefix(_FAILED): count
            for name, count in counts.items()
            if name.startswith(_FAILED)
        },
        entries=length,
        bytes=int(size or 0),
        seconds=round(max(age, 0.0), 3),
        dead=dead,
        marks=counts.get("marks", 0) - counts.get("relay_marks", 0),
    )
