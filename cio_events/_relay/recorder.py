"""Tell Redis which entries have ended, on a thread of its own: delivery does not wait for that."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from cio_events._relay import scripts
from cio_events._relay.link import ERRORS, GROUP, FencedError
from cio_events._relay.threads import thread

if TYPE_CHECKING:
    from cio_events._relay.buffer import InHand
    from cio_events._relay.lease import Lease
    from cio_events._relay.link import Link

# In one script, during which Redis does nothing else.
_TOGETHER = 200

# Fewer of those with letters: each entry may have thousands. So much is in their entries.
_LETTER_BYTES = 2_000_000

# How long entries wait for others that are in hand and may end soon.
_GATHER_SECONDS = 0.005

_SECONDS_BETWEEN_TRIES = 0.25


class Recorder:
    """
    Acknowledges entries, and trims the stream, while *lease* is ours.

    Args:
        fenced: Called when it is not ours.

        trouble: Told of each error.

        died: Told of an error that nobody expects, by which the thread has died.
    """

    def __init__(
        self,
        link: Link,
        lease: Lease,
        fenced: Callable[[], None],
        trouble: Callable[[Exception], None],
        died: Callable[[BaseException], None],
    ) -> None:
        self._link = link
        self._lease = lease
        self._fenced = fenced
        self._trouble = trouble
        self._ended: queue.SimpleQueue[InHand | None] = queue.SimpleQueue()
        self._alone = threading.Event()  # set while none is in hand that could end soon
        self._left = 0  # what Redis does not know yet
        self._counting = threading.Lock()
        self._over = threading.Event()
        self._thread = thread("cio_events-recorder", self._run, died)

    def put(self, entry: InHand, *, more: bool = False) -> None:
        """Have it written that *entry* has ended; *more* may end soon, to be written with it."""
        with self._counting:
            self._left += 1
        if more:
            self._alone.clear()
        self._ended.put(entry)
        if not more:
            self._alone.set()

    @property
    def is_idle(self) -> bool:
        """Whether Redis knows of all that has ended."""
        return not self._left

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, timeout: float) -> None:
        """Write what there is, for at most *timeout* seconds, and end."""
        self._ended.put(None)
        self._alone.set()
        self._thread.join(timeout)
        self._over.set()

    def _run(self) -> None:
        last = False
        while not last:
            entries: list[InHand] = []
            size = 0
            entry = self._ended.get()
            self._alone.wait(_GATHER_SECONDS)
            while entry is not None:
                entries.append(entry)
                if entry.letters:
                    size += sum(tuple(entry.ids.values()))
                if len(entries) == _TOGETHER or size >= _LETTER_BYTES:
                    break
                try:
                    entry = self._ended.get_nowait()
                except queue.Empty:
                    break
            last = entry is None
            if entries and not self._write(entries):
                return

    def _write(self, entries: list[InHand]) -> bool:
        """Write how *entries* have ended, once Redis is there; returns False once it is over."""
        keys = self._link.keys
        while not self._over.is_set():
            arguments: list[object] = [self._lease.token, GROUP]
            for entry in entries:
                parts: list[object] = [entry.name]
                for id_, size in tuple(entry.ids.items()):
                    parts += [id_, size, int(id_ not in entry.repeats)]
                counts = [part for pair in entry.counts.items() for part in pair]
                arguments += [len(parts), *parts, len(counts), *counts]
                arguments.append(len(entry.letters))
                for letter in entry.letters:
                    arguments += [len(letter), *letter]
            try:
                self._link.run(
                    scripts.END,
                    [keys.lease, keys.stream, keys.counts, keys.marks, keys.dead, keys.bytes],
                    arguments,
                )
            except FencedError:
                self._fenced()
                self._over.wait(_SECONDS_BETWEEN_TRIES)
            except ERRORS as error:
                # The reader may wait for this at a barrier, and not see that the group is missing.
                if not self._link.make_group(error, self._lease.token):
                    self._trouble(error)
                    self._over.wait(_SECONDS_BETWEEN_TRIES)
            else:
                with self._counting:
                    self._left -= len(entries)
                return True
        return False
