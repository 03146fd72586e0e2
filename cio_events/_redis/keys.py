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

    @classmethod
    def each(cls, prefix: str, partitions: int) -> list[Keys]:
        """Those of so many partitions."""
        return [cls(prefix, partition) for partition in range(partitions)]

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

    def barrier(self, publisher: str) -> str:
        """A text: the id of the last barrier that was stored of a publisher; it goes as well."""
        return self._key(f"barrier:{publisher}")

    @property
    def partitions(self) -> str:
        """
        A text: how many partitions there are, and a word while that is being changed.

        Partition 0's is what holds; the others' have publishers notice a change.
        """
        return self._key("partitions")

    @property
    def barriers(self) -> str:
        """A hash: which barrier is ``marked`` here last, and at which delivery has ``arrived``."""
        return self._key("barriers")

    # Written by the relay that leads.

    @property
    def lease(self) -> str:
        """A text: the token of who leads, until it expires; generation, host, process, a word."""
        return self._key("lease")

    @property
    def leader(self) -> str:
        """A hash: ``generation``, one more with each who begins to lead, ``token``, ``since``."""
        return self._key("leader")

    @property
    def relays(self) -> str:
        """A sorted set: the relays that there are, by when they said so last; partition 0's."""
        return self._key("relays")

    @property
    def marks(self) -> str:
        """A hash: by publisher and sequence, the generation that was about to send a message."""
        return self._key("marks")

    @property
    def dead(self) -> str:
        """A stream: calls that have failed for good."""
        return self._key("dead")

    def seen(self, publisher: str) -> str:
        """A hash: by sequence, the entries of a publisher that were read last; it goes too."""
        return self._key(f"seen:{publisher}")
