"""
The calls of a spool that have failed for good, until somebody sends them again or discards them.

They are in one SQLite database that all processes with this spool share, and the command line
reads beside them: dead letters are rare, so that they need not be cheap.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import orjson

from cio_events._buffers.failures import DeadLetter, Failure
from cio_events._buffers.spool import ownership
from cio_events._buffers.spool.dead_letter_file import DeadLetterFile, now
from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.workspace import NOBODYS, Workspace, workspace_of
from cio_events._wire.envelope import Envelope, accepted_anew, is_envelope, ulid_of

# About as much as may be pending, so that nobody has to reckon with a second size of disk.
KEEP_BYTES = 64 * 1024 * 1024

# Long enough for somebody to come back from holidays and look; then they are old news, and
# personal data that nobody needs.
KEEP_SECONDS = 30 * 24 * 3600.0

_CHUNK = 200

_PRUNE_CHUNK = 20

# Larger ones are not ours.
_LARGEST = 64 * 1024 * 1024

_SELECTED = (
    "(:ids IS NULL OR id IN (SELECT value FROM json_each(:ids))) "
    "AND (:reason IS NULL OR reason = :reason) "
    "AND (:workspaces IS NULL OR workspace IN (SELECT value FROM json_each(:workspaces)))"
)


@dataclass(frozen=True, slots=True)
class Heap:
    """
    The dead letters of one workspace and one reason.

    Attributes:
        workspace: As in `DeadLetter`.

        reason: As in `DeadLetter`.

        count: How many there are.

        size: Their bytes.

        oldest: When the first of them failed.
    """

    workspace: str
    reason: str
    count: int
    size: int
    oldest: datetime


class DeadLetters(DeadLetterFile):
    """
    The dead letters of the spool in *directory*, for any thread.

    Nothing is on the disk before there is a dead letter. Every method may raise `sqlite3.Error`,
    `OSError` or `OtherVersionError`, when the database cannot be used.

    Args:
        directory: Where the spool is.

        workspace: Whose letters these are; None is everybody's, as the commands see them.
    """

    def __init__(self, directory: Path, workspace: Workspace | None = None) -> None:
        super().__init__(directory)
        self._workspace = workspace or NOBODYS
        self._seen = None if workspace is None else workspace.delivered()

    def narrow(self, chosen: Callable[[Workspace], bool]) -> None:
        """From now on, have to do with those alone whose workspace is *chosen*."""
        with self._reading() as connection:
            found = connection.execute("SELECT DISTINCT workspace FROM letters").fetchall()
        self._seen = [text for (text,) in found if chosen(workspace_of(text))]

    def add(self, failed: Iterable[tuple[Envelope, Failure]]) -> int:
        """Keep more, all of them or none; returns how many old ones had to go for it."""
        with self._writing(create=True) as connection:
            for envelope, failure in failed:
                # A process that died before it could forget the call has left it here already.
                connection.execute(
                    "DELETE FROM letters WHERE id = ? AND envelope = ?",
                    (ulid_of(envelope), envelope),
                )
                connection.execute(
                    "INSERT INTO letters "
                    "(id, reason, status, detail, failed_at, workspace, envelope) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        ulid_of(envelope),
                        failure.reason,
                        failure.status,
                        failure.detail,
                        now(),
                        str(self._workspace),
                        envelope,
                    ),
                )
            return _prune(connection)

    def prune(self) -> int:
        """Discard those that are too old; returns how many."""
        if not self.path.exists():
            return 0
        with self._reading() as connection:
            (old,) = connection.execute(
                "SELECT count(*) FROM letters WHERE failed_at < ?", (_too_old(),)
            ).fetchone()
        if not old:
            return 0
        with self._writing() as connection:
            return _prune(connection)

    def select(
        self, ids: Sequence[str] | None = None, reason: str | None = None
    ) -> Iterator[DeadLetter]:
        """Those of these *ids* and this *reason*, oldest first; None is all."""
        last = 0
        while True:
            with self._reading() as connection:
                rows = connection.execute(
                    "SELECT number, id, reason, status, detail, failed_at, envelope, workspace "
                    f"FROM letters WHERE {_SELECTED} AND number > :last "
                    "ORDER BY number LIMIT :most",
                    {**self._selection(ids, reason), "last": last, "most": _CHUNK},
                ).fetchall()
            for row in rows:
                letter = _letter(*row[1:])
                if letter is not None:
                    yield letter
            if len(rows) < _CHUNK:
                return
            last = rows[-1][0]

    def count(self, ids: Sequence[str] | None = None, reason: str | None = None) -> int:
        """How many `select` would give."""
        with self._reading() as connection:
            (count,) = connection.execute(
                f"SELECT count(*) FROM letters WHERE {_SELECTED}",
                self._selection(ids, reason),
            ).fetchone()
        return int(count)

    def heaps(self) -> list[Heap]:
        """How many there are of each workspace and reason."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT workspace, reason, count(*), sum(length(envelope)), min(failed_at) "
                f"FROM letters WHERE {_SELECTED} GROUP BY workspace, reason "
                "ORDER BY workspace, reason",
                self._selection(None, None),
            ).fetchall()
        return [
            Heap(str(workspace_of(whose)), why, many, size, _moment(oldest))
            for whose, why, many, size, oldest in rows
        ]

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
        moved = 0
        made: list[SpoolFile] = []
        try:
            with self._writing() as connection:
                for workspace in self._workspaces(connection, ids, reason):
                    pending = ownership.create(self.path.parent, workspace=workspace)
                    made.append(pending)
                    for chunk in self._chunks(connection, ids, reason, workspace):
                        pending.append_all(chunk)
                        moved += len(chunk)
                        advance(len(chunk))
                connection.execute(
                    f"DELETE FROM letters WHERE {_SELECTED}",
                    self._selection(ids, reason),
                )
        except BaseException:
            for pending in made:
                pending.remove()
            raise
        for pending in made:
            if pending.live:
                pending.close()
            else:
                pending.remove()
        return moved

    def _workspaces(
        self, connection: sqlite3.Connection, ids: Sequence[str] | None, reason: str | None
    ) -> list[str]:
        found = connection.execute(
            f"SELECT DISTINCT workspace FROM letters WHERE {_SELECTED}",
            self._selection(ids, reason),
        ).fetchall()
        return sorted({str(workspace_of(workspace)) for (workspace,) in found})

    def _chunks(
        self,
        connection: sqlite3.Connection,
        ids: Sequence[str] | None,
        reason: str | None,
        workspace: str,
    ) -> Iterator[list[Envelope]]:
        """The calls of one *workspace*, which start anew: they are as old as this moment."""
        last = 0
        while True:
            rows = connection.execute(
                f"SELECT number, workspace, envelope FROM letters WHERE {_SELECTED} "
                "AND number > :last ORDER BY number LIMIT :most",
                {**self._selection(ids, reason), "last": last, "most": _CHUNK},
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            chunk = [
                accepted_anew(envelope, now())
                for _, whose, envelope in rows
                if str(workspace_of(whose)) == workspace and is_envelope(envelope)
            ]
            if chunk:
                yield chunk

    def _selection(
        self, ids: Sequence[str] | None, reason: str | None
    ) -> dict[str, str | int | None]:
        return {
            "ids": None if ids is None else _as_json([id_.upper() for id_ in ids]),
            "reason": reason,
            "workspaces": None if self._seen is None else _as_json(self._seen),
        }

    def discard(self, ids: Sequence[str] | None = None, reason: str | None = None) -> int:
        """Delete them; returns how many there were."""
        if not self.count(ids, reason):
            return 0
        with self._writing() as connection:
            return connection.execute(
                f"DELETE FROM letters WHERE {_SELECTED}",
                self._selection(ids, reason),
            ).rowcount


def _prune(connection: sqlite3.Connection) -> int:
    """Discard the oldest that are over the bounds; returns how many."""
    discarded = connection.execute(
        "DELETE FROM letters WHERE failed_at < ?", (_too_old(),)
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


def _as_json(texts: list[str]) -> str:
    return orjson.dumps(texts).decode()


def _too_old() -> int:
    return now() - int(KEEP_SECONDS * 1000)


def _letter(
    id_: object,
    reason: object,
    status: object,
    detail: object,
    failed_at: object,
    envelope: object,
    workspace: object,
) -> DeadLetter | None:
    """The letter of a row, unless it cannot be one that we have written."""
    if not (
        isinstance(id_, str)
        and isinstance(reason, str)
        and isinstance(status, int | None)
        and isinstance(detail, str | None)
        and isinstance(failed_at, int)
        and isinstance(envelope, bytes)
        and len(envelope) <= _LARGEST
        and is_envelope(envelope)
        and ulid_of(envelope) == id_
    ):
        return None
    whose = str(workspace_of(workspace))
    return DeadLetter(id_, reason, status, detail, _moment(failed_at), envelope, whose)


def _moment(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, tz=timezone.utc)
