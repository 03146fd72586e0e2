"""The names of what lies in Redis for one partition, all of them in one slot of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "cio_events"
"""The default of the option ``relay_prefix``."""


@dataclass(frozen=True, slots=True)
class Keys:
    """
    The keys of one partition; what stands in braces is Redis Cluster's hash tag.

    Args:
        prefix: The option ``relay_prefix``, without braces.

        partition: Its number, from 0.
    """

    prefix: str = PREFIX
    partition: int = 0

    def _key(self, name: str) -> str:
        return f"{{{self.prefix}:{self.partition}}}:{name}"

    # Written by who publishes.

    @property
    def stream(self) -> str:
        """A stream: the entries that wait, oldest first."""
        return self._key("stream")

    @property
    def bytes(self) -> str:
        """A number: how many bytes the entries in the stream have, by `entries.size_of`."""
        return self._key("bytes")

    @property
    def counts(self) -> str:
        """A hash: ``entries`` and ``calls``, how many were ever published; the relay adds own."""
        return self._key("counts")

    def publisher(self, publisher: str) -> str:
        """A number: the last sequence that was stored of a publisher; it goes after a time."""
        return self._key(f"publisher:{publisher}")

    # Written by the relay that leads.

    @property
    def lease(self) -> str:
        """A text: who leads, until when it expires."""
        return self._key("lease")

    @property
    def generation(self) -> str:
        """A number: it grows with each who begins to lead."""
        return self._key("generation")

    @property
    def position(self) -> str:
        """A text: the id of the last entry that has ended."""
        return self._key("position")

    @property
    def once(self) -> str:
        """A hash: by ULID, calls that must not be repeated and are being sent."""
        return self._key("once")

    @property
    def had(self) -> str:
        """A hash: by publisher, which sequences have ended."""
        return self._key("had")

    @property
    def dead(self) -> str:
        """A stream: calls that were refused."""
        return self._key("dead")
