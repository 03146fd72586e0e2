"""One time of leading a partition: an engine like every pipeline's, fed from the stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cio_events._delivery.destination import Destination
from cio_events._delivery.ledger import Ledger
from cio_events._delivery.worker import Worker
from cio_events._process.diagnostics import Diagnostics
from cio_events._relay.buffer import Memory, StreamBuffer
from cio_events._relay.fence import Fence
from cio_events._relay.reader import Reader
from cio_events._relay.recorder import Recorder

if TYPE_CHECKING:
    from cio_events._relay.lease import Lease
    from cio_events._relay.link import Link
    from cio_events.options import Options

# For what has ended to be written, at the end.
_FINISH_SECONDS = 2.0


class Reign:
    """
    One time of leading a partition: an engine, and what feeds it.

    Attributes:
        over: Whether another leads.

    Args:
        sender: The relay, as the sender of signals.

        memory: Of entries that have ended in earlier reigns.

        wake: Called when the lease is not ours: it is over, or has to be renewed.

        trouble: Told of each error of Redis.

        died: Told of any other error, by which one of its threads has died.
    """

    def __init__(
        self,
        sender: object,
        link: Link,
        lease: Lease,
        options: Options,
        destinations: Sequence[Destination],
        memory: Memory,
        diagnostics: Diagnostics,
        *,
        wake: Callable[[], None],
        trouble: Callable[[Exception], None],
        died: Callable[[BaseException], None],
    ) -> None:
        self.over = False
        self._timeout = min(options.timeout, lease.longest_request)
        # What was published has waited for company, and no disk of this machine's has a part.
        options = replace(options, timeout=self._timeout, flush_interval=0.0)
        ledger = Ledger(options.max_pending, options.max_pending_bytes)
        self._recorder = Recorder(link, lease, wake, trouble, died)
        buffer = StreamBuffer(link, lease, memory, self._recorder.put)
        self._worker = Worker(
            sender,
            options,
            buffer,
            ledger,
            diagnostics,
            [Fence(destination, lease) for destination in destinations],
        )
        self._reader = Reader(
            link,
            lease,
            buffer,
            ledger,
            notify=self._worker.notify,
            fenced=wake,
            trouble=trouble,
            died=died,
            say=diagnostics.warn,
            idle=lambda: buffer.is_idle and self._recorder.is_idle,
        )

    def begin(self) -> None:
        """Deliver."""
        self._recorder.start()
        self._reader.start()

    def end(self) -> None:
        """End after the requests under way, and write what became of their calls."""
        self._reader.stop()
        self._worker.stop(self._timeout + 1.0)
        self._recorder.finish(0.0 if self.over else _FINISH_SECONDS)
