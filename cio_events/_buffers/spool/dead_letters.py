"""
The calls of a spool that have failed for good, until somebody sends them again or discards them.

They are in one SQLite database that all processes with this spool share, and the command line
reads beside them: dead letters are rare, so that they need not be cheap.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice

import orjson

from cio_events._buffers.failures import DeadLetter, Failure
from cio_events._buffers.spool import ownership
from cio_events._buffers.spool.dead_letter_file import DeadLetterFile, now
from cio_events._wire.envelope import Envelope, ulid_of

# About as much as may be pending, so that nobody has to reckon with a second size of disk.
KEEP_BYTES = 64 * 1024 * 1024

# Long enough for somebody to come back from holidays and look; then they are old news, and
# personal data that nobody needs.
KEEP_SECONDS = 30 * 24 * 3600.0

_CHUNK = 200

_PRUNE_CHUNK = 20

_SELECTED = (
    "(:ids IS NULL OR id IN (SELECT value FROM json_each(:ids))) "
    "AND (:reason IS NULL OR reason = :reason)"
)


@dataclass(frozen=True, slots=True)
class Heap:
    """
    The dead letters of one reason.

    Attributes:
        reason: As in `DeadLetter`.

        count: How many there are.

        size: Their bytes.

        oldest: When the first of them failed.
    """

    reason: str
    count: int
    size: int
    oldest: datetime


class DeadLetters(DeadLetterFile):
    """
    The dead letters of the spool in *directory*, for any thread.

    Nothing is on the disk before there is a dead letter. Every method may raise `sqlite3.Error`,
    `OSError` or `OtherVersionError`, when the database cannot be used.
    """

    def add(self, envelope: Envelope, failure: Failure) -> int:
        """
        Keep one more; returns how many old ones had to go for it.
        """
        with self._writing(create=True) as connection:
            # A process that died before it could forget the call has left it here already.
            connection.execute(
                "DELETE FROM letters WHERE id = ? AND envelope = ?", (ulid_of(envelope), envelope)
            )
            connection.execute(
                "INSERT INTO letters (id, reason, status, detail, failed_at, envelope) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    ulid_of(envelope),
                    failure.reason,
                    failure.status,
                    failure.detail,
                    now(),
                    envelope,
                ),
            )
            return _prune(connection)

    def select(
        self, ids: Sequence[str] | None = None, reason: str | None = None
    ) -> Iterator[DeadLetter]:
        """
        Those of these *ids* and this *reason*, oldest first; None is all.
        """
        last = 0
        while True:
            with self._reading() as connection:
                rows = connection.execute(
                    "SELECT number, id, reason, status, detail, failed_at, envelope FROM letters "  # noqa: S608
                    f"WHERE {_SELECTED} AND number > :last ORDER BY number LIMIT :most",
                    {**_selection(ids, reason), "last": last, "most": _CHUNK},
                ).fetchall()
            for _, id_, why, status, detail, failed_at, envelope in rows:
                yield DeadLetter(id_, why, status, detail, _moment(failed_at), envelope)
            if len(rows) < _CHUNK:
                return
            last = rows[-1][0]

    def count(self, ids: Sequence[str] | None = None, reason: str | None = None) -> int:
        """
        How many `select` would give.
        """
        with self._reading() as connection:
            (count,) = connection.execute(
                f"SELECT count(*) FROM letters WHERE {_SELECTED}",  # noqa: S608
                _selection(ids, reason),
            ).fetchone()
        return int(count)

    def heaps(self) -> list[Heap]:
        """
        How many there are of each reason.
        """
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT reason, count(*), sum(length(envelope)), min(failed_at) FROM letters "
                "GROUP BY reason ORDER BY reason"
            ).fetchall()
        return [Heap(why, many, size, _moment(oldest)) for why, many, size, oldest in rows]

    def resend(
        self,
        ids: Sequence[str] | None = None,
        reason: str | None = None,
        advance: Callable[[int], None] = lambda count: None,
    ) -> int:
        """
        Make those of these *ids* and this *reason* pending again; returns how many there were.

        They move to a file of their own that nobody owns, and go with the next process that
        adopts such files. Should this process be killed at the very end, they stay here too.

        Args:
            ids: None is all.

            reason: None is any.

            advance: Told of how many more have moved.
        """
        if not self.count(ids, reason):
            return 0
        pending = ownership.create(self.path.parent)
        moved = 0
        try:
            with self._writing() as connection:
                letters = self.select(ids, reason)
                while chunk := [letter.envelope for letter in islice(letters, _CHUNK)]:
                    pending.append_all(chunk)
                    moved += len(chunk)
                    advance(len(chunk))
                connection.execute(
                    f"DELETE FROM letters WHERE {_SELECTED}",  # noqa: S608
                    _selection(ids, reason),
                )
        except BaseException:
            pending.remove()
            raise
        if moved:
            pending.close()
        else:
            pending.remove()
        return moved

    def discard(self, ids: Sequence[str] | None = None, reason: str | None = None) -> int:
        """
        Delete them; returns how many there were.
        """
        if not self.count(ids, reason):
            return 0
        with self._writing() as connection:
            return connection.execute(
                f"DELETE FROM letters WHERE {_SELECTED}",  # noqa: S608
                _selection(ids, reason),
            ).rowcount


def _prune(connection: sqlite3.Connection) -> int:
    """
    Discard the oldest that are over the bounds; returns how many.
    """
    discarded = connection.execute(
        "DELETE FROM letters WHERE failed_at < ?", (now() - int(KEEP_SECONDS * 1000),)
    ).rowcount
    fewer = 1
    while fewer and _bytes_in_use(connection) > KEEP_BYTES:
        fewer = connection.execute(
            "DELETE FROM letters WHERE number IN "
            "(SELECT number FROM letters ORDER BY number LIMIT ?)",
            (_PRUNE_CHUNK,),
        ).rowcount
        discarded += fewer
    return discarded


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _selection(ids: Sequence[str] | None, reason: str | None) -> dict[str, str | int | None]:
    as_json = None if ids is None else orjson.dumps([id_.upper() for id_ in ids]).decode()
    return {"ids": as_json, "reason": reason}


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
