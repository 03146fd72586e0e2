"""A partition that a test leads by hand, without the threads of a relay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cio_events._delivery.ledger import Ledger
from cio_events._relay import reader as reading
from cio_events._relay.buffer import InHand, Memory, StreamBuffer
from cio_events._relay.lease import Lease
from cio_events._relay.link import GROUP, Link
from cio_events._relay.reader import Reader

if TYPE_CHECKING:
    from tests.relay.conftest import Publisher


def unexpected(*what: Any, **more: Any) -> None:
    """What no test here may cause."""
    raise AssertionError((what, more))


class Led:
    """
    The partition that *publisher* publishes to; what is read stays in the buffer.

    Attributes:
        ended: The entries that have.
    """

    def __init__(self, publisher: Publisher) -> None:
        self.server, self.keys = publisher.server, publisher.keys
        self.link = Link(self.server.url, self.keys)
        self.lease = Lease(self.link, 15.0)
        assert self.lease.take()
        self.server.do("XGROUP", "CREATE", self.keys.stream, GROUP, "0", "MKSTREAM")
        self.ended: list[InHand] = []
        self.buffer = StreamBuffer(self.link, self.lease, Memory(), self._note)
        self.reader = Reader(
            self.link,
            self.lease,
            self.buffer,
            Ledger(10_000, 10_000_000),
            notify=lambda: None,
            fenced=unexpected,
            trouble=unexpected,
            died=unexpected,
            say=unexpected,
            idle=lambda: True,
        )
        self.reader._most = 10
        self.place = reading._START

    def _note(self, entry: InHand, *, more: bool = False) -> None:
        del more
        self.ended.append(entry)

    def read(self) -> int:
        """Read on; returns how many calls came into the buffer."""
        before = self.buffer._added
        self.place = self.reader._read(self.place)
        return self.buffer._added - before

    @property
    def group(self) -> dict[str, Any]:
        """What Redis tells of the group."""
        (known,) = self.server.client.xinfo_groups(self.keys.stream)
        return dict(known)
