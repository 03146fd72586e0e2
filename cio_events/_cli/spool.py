"""
The commands of `cio-events spool`: what a spool holds, and what becomes of its dead letters.

They work beside the processes that use the spool, and after them. This module imports click and
rich, which come with the extra `cio-events[spool]`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click
import orjson
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from cio_events._buffers.base import ADOPT_INTERVAL
from cio_events._buffers.failures import DeadLetter
from cio_events._buffers.spool.dead_letters import DeadLetters
from cio_events._buffers.spool.inspection import files_in, set_aside_in
from cio_events._buffers.spool.problems import described
from cio_events._buffers.spool.sqlite import ERRORS, bytes_of
from cio_events._calls.people import Track
from cio_events._wire import app
from cio_events._wire.envelope import Envelope, Route, body_of, route_of

# Where the width of the terminal is not known: room for a table whose ids are not broken.
_PIPE_COLUMNS = 110

_LISTED = 100

_NOT_FOUND = 1

_NO_DEAD_LETTERS = "There are no dead letters."

# What a terminal would obey.
_LINE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")

_Command = TypeVar("_Command", bound=Callable[..., object])


@click.group()
def spool() -> None:
    """What waits in a spool, and what has failed for good."""


_directory = click.argument(
    "directory",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
)
_ids = click.argument("ids", nargs=-1, metavar="[ID]...")
_reason = click.option("--reason", help="Only those that failed for this reason.")


def _which(command: _Command) -> _Command:
    """The parameters that choose dead letters."""
    every = click.option("--all", "every", is_flag=True, help="All of them.")
    return _directory(_ids(every(_reason(command))))


@spool.command("list")
@_directory
@_reason
@click.option("--limit", type=click.IntRange(1), default=_LISTED, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, all of them.")
def list_(directory: Path, reason: str | None, limit: int, *, as_json: bool) -> None:
    """List the dead letters, oldest first."""
    with _dead_letters(directory) as letters:
        if as_json:
            for letter in letters.select(reason=reason):
                click.echo(orjson.dumps(_summary(letter)))
            return
        count = letters.count(reason=reason)
        if not count:
            click.echo(_NO_DEAD_LETTERS)
            return
        table = Table("id", "call", "reason", "status", "failed at")
        for letter, _ in zip(letters.select(reason=reason), range(limit), strict=False):
            table.add_row(*("" if each is None else str(each) for each in _row(letter)))
        _console().print(table)
        if count > limit:
            click.echo(f"{limit} of {count}; --limit shows more.")


@spool.command()
@_directory
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def show(context: click.Context, directory: Path, ids: tuple[str, ...]) -> None:
    """Show dead letters whole: the call, personal data included, and what Customer.io said."""
    console = _console()
    with _dead_letters(directory) as letters:
        for letter in letters.select(ids):
            id_, call, reason, status, failed_at = _row(letter)
            click.echo(f"{id_} {call}")
            click.echo(f"failed at {failed_at}: {reason}{f', status {status}' if status else ''}")
            if letter.detail:
                click.echo(_LINE.sub(_escaped, letter.detail))
            text = _content(letter.envelope).decode("utf-8", "replace")
            console.print_json(_LINE.sub(_as_json, text))
        _end(context, _missing(letters, ids))


@spool.command()
@_which
@click.pass_context
def resend(
    context: click.Context,
    directory: Path,
    ids: tuple[str, ...],
    reason: str | None,
    *,
    every: bool,
) -> None:
    """Make dead letters pending again, by their ids, or with --all or --reason."""
    chosen = _chosen(ids, reason, every=every)
    with _dead_letters(directory) as letters:
        missing = _missing(letters, ids)
        total = letters.count(chosen, reason)
        with _progress() as progress:
            bar = progress.add_task("resending", total=total)
            count = letters.resend(
                chosen, reason, advance=lambda more: progress.advance(bar, more)
            )
        click.echo(_counted(count, "pending again."))
        if count:
            click.echo(
                f"A process with this spool sends them within {ADOPT_INTERVAL:g} seconds, or the "
                "next one that starts."
            )
        _end(context, missing)


@spool.command()
@_which
@click.pass_context
def discard(
    context: click.Context,
    directory: Path,
    ids: tuple[str, ...],
    reason: str | None,
    *,
    every: bool,
) -> None:
    """Delete dead letters, by their ids, or with --all or --reason."""
    chosen = _chosen(ids, reason, every=every)
    with _dead_letters(directory) as letters:
        missing = _missing(letters, ids)
        click.echo(_counted(letters.discard(chosen, reason), "discarded."))
        _end(context, missing)


@spool.command()
@_directory
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def stats(directory: Path, *, as_json: bool) -> None:
    """Count what waits, in which files, and the dead letters by reason."""
    with _dead_letters(directory) as letters:
        seen = files_in(directory)
        aside = set_aside_in(directory)
        heaps = letters.heaps()
    if as_json:
        click.echo(
            orjson.dumps(
                {
                    "files": [
                        {
                            "file": each.path.name,
                            "made_by": each.made_by,
                            "state": each.state,
                            "calls": each.calls,
                            "bytes": each.size,
                        }
                        for each in seen
                    ],
                    "dead_letters": [
                        {
                            "reason": heap.reason,
                            "calls": heap.count,
                            "bytes": heap.size,
                            "oldest": heap.oldest,
                        }
                        for heap in heaps
                    ],
                    "set_aside": [{"file": p.name, "bytes": bytes_of(p)} for p in aside],
                }
            )
        )
        return
    console = _console()
    if seen:
        table = Table("file", "made by", "state", "calls", "size", title="Waiting")
        for each in seen:
            calls = "?" if each.calls is None else str(each.calls)
            maker = "" if each.made_by is None else str(each.made_by)
            table.add_row(each.path.name, maker, each.state, calls, decimal(each.size))
        console.print(table)
    else:
        click.echo("No calls wait.")
    if heaps:
        table = Table("reason", "calls", "size", "oldest", title="Dead letters")
        for heap in heaps:
            oldest = _local(heap.oldest)
            table.add_row(heap.reason, str(heap.count), decimal(heap.size), oldest)
        console.print(table)
    else:
        click.echo(_NO_DEAD_LETTERS)
    for path in aside:
        click.echo(f"Damaged, and set aside: {path.name} ({decimal(bytes_of(path))})")


@contextmanager
def _dead_letters(directory: Path) -> Iterator[DeadLetters]:
    try:
        with _as_owner_of(directory):
            yield DeadLetters(directory)
    except ERRORS as error:
        raise click.ClickException(f"{directory} cannot be used: {described(error)}") from error


@contextmanager
def _as_owner_of(directory: Path) -> Iterator[None]:
    """Have root act as the user whose spool it is, who could lead it elsewhere."""
    owner = directory.stat()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _chosen(ids: Sequence[str], reason: str | None, *, every: bool) -> Sequence[str] | None:
    if ids and every:
        raise click.UsageError("Give either ids or --all.")
    if not (ids or every or reason):
        raise click.UsageError("Give ids, or --all, or --reason.")
    return ids or None


def _missing(letters: DeadLetters, ids: Sequence[str]) -> list[str]:
    found = {letter.id for letter in letters.select(ids)} if ids else set()
    return [id_ for id_ in ids if id_.upper() not in found]


def _end(context: click.Context, missing: Sequence[str]) -> None:
    for id_ in missing:
        click.echo(f"There is no dead letter {id_}.", err=True)
    if missing:
        context.exit(_NOT_FOUND)


def _row(letter: DeadLetter) -> tuple[str, str, str, int | None, str]:
    return letter.id, _kind(letter), letter.reason, letter.status, _local(letter.failed_at)


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(" ", "seconds")


def _summary(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "call": _kind(letter),
        "reason": letter.reason,
        "status": letter.status,
        "failed_at": letter.failed_at,
    }


def _kind(letter: DeadLetter) -> str:
    """The word that asks for such a call in a log record's ``cio``."""
    try:
        call = letter.call
    except Exception:  # noqa: BLE001 - it may be of any version, and is listed all the same
        return "unknown"
    if isinstance(call, Track) and call.type != "event":
        return call.type
    return call.tag


def _content(envelope: Envelope) -> bytes:
    """What was to be sent, as JSON."""
    if route_of(envelope) is Route.APP:
        return app.request_of(body_of(envelope)).body or b"null"
    return body_of(envelope)


def _as_json(control: re.Match[str]) -> str:
    return f"\\u{ord(control[0]):04x}"


def _escaped(control: re.Match[str]) -> str:
    return ascii(control[0])[1:-1]


def _counted(count: int, what: str) -> str:
    return f"{count} {'call is' if count == 1 else 'calls are'} {what}"


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE_COLUMNS)


def _progress() -> Progress:
    console = Console(stderr=True)
    # A rich before 14.3 ends its line even where it shows none.
    console.quiet = not console.is_terminal
    return Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
