"""Read entries from the stream, on a thread of its own, as far as there is room for calls."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from cio_events._redis import barriers, entries
from cio_events._relay import letters, scripts
from cio_events._relay.barrier import Barrier
from cio_events._relay.buffer import InHand, StreamBuffer
from cio_events._relay.link import ERRORS, GROUP, FencedError
from cio_events._relay.threads import thread

if TYPE_CHECKING:
    from cio_events._delivery.ledger import Ledger
    from cio_events._relay.lease import Lease
    from cio_events._relay.link import Link

# Looked at together: as many as come to so much, by the largest of those before. A page of large
# ones stays at hand for the processor, and one that turns out to be larger is still bounded.
_ENTRIES = 32
_BYTES = 1_200_000

# Of each publisher, how many sequences are known to have been read. What lands later than that
# counts as new, and Customer.io knows its calls by their ids.
_WINDOW = 128
_WINDOW_SECONDS = 24 * 3600

# What wakes the reader: well under the time after which a socket gives up.
_BLOCK_MILLISECONDS = 1_000

_SECONDS_BETWEEN_TRIES = 0.25
_SECONDS_BETWEEN_LOOKS = 0.5


_Found: TypeAlias = "list[tuple[bytes, dict[bytes, bytes]]]"


class _Place(NamedTuple):
    """Behind which *id* to go on, among *new* entries or those that were claimed before."""

    id: bytes
    new: bool


_START = _Place(b"0", new=False)


class Reader:
    """
    Puts entries into *buffer*: first those that were read before, by whomever, then new ones.

    Args:
        ledger: Counts the calls in hand, and says whether there is room.

        notify: Called when there is something new.

        fenced: Called when the lease is not ours.

        trouble: Told of each error.

        died: Told of an error that nobody expects, by which the thread has died.

        say: Told of entries that cannot be read: which kind of trouble, and what there is to say.

        idle: Whether all that was read has ended, and Redis knows of it.
    """

    def __init__(
        self,
        link: Link,
        lease: Lease,
        buffer: StreamBuffer,
        ledger: Ledger,
        *,
        notify: Callable[[], None],
        fenced: Callable[[], None],
        trouble: Callable[[Exception], None],
        died: Callable[[BaseException], None],
        say: Callable[[str, str], None],
        idle: Callable[[], bool],
    ) -> None:
        self._link = link
        self._token = lease.token  # a later one of this process is another reader's
        self._buffer = buffer
        self._ledger = ledger
        self._notify = notify
        self._fenced = fenced
        self._trouble = trouble
        self._say = say
        self._era = link.era
        self._most = 1
        self._over = threading.Event()
        self._barrier = Barrier(link, lease, idle, self._over, say)
        self._thread = thread("cio_events-reader", self._run, died)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Put nothing more into the buffer; whoever leads next reads that again."""
        self._over.set()
        self._buffer.room.set()

    def _run(self) -> None:
        place = _START
        while not self._over.is_set():
            if not self._has_room():
                continue
            try:
                place = self._read(place)
            except FencedError:
                place = _START
                self._fenced()
                self._over.wait(_SECONDS_BETWEEN_TRIES)
            except ERRORS as error:
                if self._over.is_set():
                    return
                # What an answer held that was lost is among those that were read before.
                place = _START
                if not self._link.make_group(error, self._token):
                    self._trouble(error)
                    self._over.wait(_SECONDS_BETWEEN_TRIES)

    def _has_room(self) -> bool:
        self._buffer.room.clear()
        if self._ledger.has_room(0) and not self._buffer.has_enough:
            return True
        self._buffer.room.wait(_SECONDS_BETWEEN_LOOKS)
        return False

    def _read(self, place: _Place) -> _Place:
        """Read on from *place*; returns where to go on."""
        if self._era is not self._link.era:
            # Whichever thread met that: what had ended may be pending again.
            self._era, place = self._link.era, _START
        found = self._look(place)
        if self._over.is_set():
            return place
        last, verdicts = self._claim(found, place)
        for (id_, fields), verdict in zip(found, verdicts, strict=False):
            if not verdict:
                continue
            counted, mark = verdict
            if not self._pass(id_, fields, marked=bool(mark), repeats=not counted):
                return _START
        if found:
            self._notify()
        expected = found[-1][0] if found else place.id
        if len(verdicts) < len(found) or (place.new and last != expected):
            # Redis has come back from before that.
            return _START
        return _Place(last, new=place.new or not found)

    def _look(self, place: _Place) -> _Found:
        """The entries behind *place*, which are not ours yet; waits a moment for new ones."""
        stream = self._link.keys.stream
        if place.new:
            command = ["XREAD", "COUNT", self._most, "BLOCK", _BLOCK_MILLISECONDS]
        else:
            command = ["XREADGROUP", "GROUP", GROUP, GROUP, "COUNT", self._most]
        streams = self._link.do(*command, "STREAMS", stream, place.id)
        return streams[0][1] if streams else []

    def _claim(self, found: _Found, place: _Place) -> tuple[bytes, list[list[Any]]]:
        """Claim the entries *found*, as far as they are still there."""
        keys, largest = self._link.keys, 0
        arguments: list[object] = []
        for id_, fields in found:
            size = entries.size_of(fields)
            largest = max(largest, size)
            arguments += [id_, size, int(barriers.is_waited_for(fields))]
            arguments += [fields.get(name, b"") for name in (b"publisher", b"sequence", b"count")]
        if largest:
            self._most = max(min(_BYTES // largest, _ENTRIES), 1)
        last, verdicts = self._link.run(
            scripts.CLAIM,
            [keys.lease, keys.stream, keys.counts, keys.marks, keys.bytes],
            [
                *(self._token, GROUP, place.id if place.new else ""),
                *(keys.seen(""), _WINDOW, _WINDOW_SECONDS, *arguments),
            ],
        )
        return last, verdicts

    def _pass(
        self, id_: bytes, fields: dict[bytes, bytes], *, marked: bool, repeats: bool
    ) -> bool:
        """
        Take an entry; at a barrier, wait.

        Returns False where that is over before its end, or Redis has come back from before it:
        what lies behind is to be read again.
        """
        barrier = barriers.marked_by(fields)
        if barrier is not None:
            self._notify()
            if not self._barrier.at_mark(id_, barrier):
                return False
            ids, counts = {id_: entries.size_of(fields)}, Counter(relay_marks=1)
            self._buffer.end(InHand(("", 0), ids, 0, counts))
        elif barriers.is_barrier(fields) and self._link.keys.partition == 0:
            self._notify()
            if repeats:
                # What it repeats lies before it, and has ended: nobody passes a barrier.
                size = entries.size_of(fields)
                self._buffer.end(InHand(("", 0), {id_: size}, 0, repeats={id_}))
                return True
            if not self._barrier.at_barrier(id_):
                return False
            self._take(id_, fields, marked=marked, repeats=False)
            self._notify()
            return self._barrier.drain()
        else:
            self._take(id_, fields, marked=marked, repeats=repeats)
        return True

    def _take(
        self, id_: bytes, fields: dict[bytes, bytes], *, marked: bool, repeats: bool
    ) -> None:
        try:
            entry = entries.decode(fields)
        except entries.NewerEntryError as error:
            self._say(
                "newer",
                f"{error} is left for a newer relay: this one cannot read it. Upgrade the relays "
                "before the publishers",
            )
            return
        except ValueError as error:
            self._refuse(id_, fields, str(error))
            return
        number = (entry.publisher, entry.sequence)
        size = entries.size_of(fields)
        if self._buffer.knows(number, id_, size, repeats=repeats):
            return
        self._ledger.adopt(entry.count, entry.size)
        in_hand = InHand(number, {}, entry.count, marked=marked)
        in_hand.add(id_, size, repeats=repeats)
        self._buffer.add(in_hand, entry)

    def _refuse(self, id_: bytes, fields: dict[bytes, bytes], what: str) -> None:
        """Have an entry that is none kept as a dead letter, whole."""
        self._say("damaged", f"{what} was in Redis, and is a dead letter now")
        count = fields.get(b"count", b"")
        known = count.isdigit() and len(count) <= entries.DIGITS
        counts = Counter({"relay_failed:invalid": int(count) if known else 0})
        letter = letters.of_damaged(fields, what, time.time())
        size = entries.size_of(fields)
        self._buffer.end(InHand(("", 0), {id_: size}, 0, counts, [letter]))
