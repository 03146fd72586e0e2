"""
The commands of `cio-events spool`: what a spool holds, and what becomes of its dead letters.

They work beside the processes that use the spool, and after them. This module imports click and
rich, which come with the extra `cio-events[spool]`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click
import orjson
from rich.filesize import decimal
from rich.table import Table

from cio_events._buffers.spool import trust
from cio_events._buffers.spool.dead_letters import DeadLetters, Heap
from cio_events._buffers.spool.inspection import FileSeen, files_in, set_aside_in
from cio_events._buffers.spool.problems import described
from cio_events._buffers.spool.sqlite import ERRORS, bytes_of
from cio_events._buffers.workspace import workspace_of
from cio_events._cli import listing, workspaces
from cio_events._cli.output import escaped
from cio_events._delivery.buffer import ADOPT_INTERVAL

_Command = TypeVar("_Command", bound=Callable[..., object])


@click.group()
def spool() -> None:
    """What waits in a spool, and what has failed for good."""


_PATH = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)

_directory = click.argument("directory", type=_PATH)

# Where no ids follow, it may be left away.
_directory_or_own = click.argument("directory", type=_PATH, envvar="CIO_SPOOL")


def _which(command: _Command) -> _Command:
    """The parameters that choose dead letters."""
    return _directory(workspaces.option(listing.which(command)))


@spool.command("list")
@_directory_or_own
@listing.reason
@workspaces.option
@click.option("--limit", type=click.IntRange(1), default=listing.LISTED, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, all of them.")
def list_(
    directory: Path, reason: str | None, workspace: str | None, limit: int, *, as_json: bool
) -> None:
    """List the dead letters, oldest first."""
    with _dead_letters(directory, workspace) as letters:
        if as_json:
            for letter in letters.select(reason=reason):
                click.echo(orjson.dumps(listing.summary(letter)))
            return
        listing.show_table(letters.select(reason=reason), letters.count(reason=reason), limit)


@spool.command()
@_directory
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def show(context: click.Context, directory: Path, ids: tuple[str, ...]) -> None:
    """Show dead letters whole: the call, personal data included, and what Customer.io said."""
    with _dead_letters(directory) as letters:
        for letter in letters.select(ids):
            listing.show_whole(letter)
        listing.end(context, _missing(letters, ids))


@spool.command()
@_which
@click.pass_context
def resend(
    context: click.Context,
    directory: Path,
    ids: tuple[str, ...],
    reason: str | None,
    workspace: str | None,
    *,
    every: bool,
) -> None:
    """Make dead letters pending again, by their ids, or with --all, --reason or --workspace."""
    chosen = listing.chosen(ids, reason or workspace, every=every)
    with _dead_letters(directory, workspace) as letters:
        missing = _missing(letters, ids)
        total = letters.count(chosen, reason)
        with listing.progress() as progress:
            bar = progress.add_task("resending", total=total)
            count = letters.resend(
                chosen, reason, advance=lambda more: progress.advance(bar, more)
            )
        click.echo(listing.counted(count, "pending again."))
        if count:
            click.echo(
                f"A process with this spool sends them within {ADOPT_INTERVAL:g} seconds, or the "
                "next one that starts."
            )
        listing.end(context, missing)


@spool.command()
@_which
@click.pass_context
def discard(
    context: click.Context,
    directory: Path,
    ids: tuple[str, ...],
    reason: str | None,
    workspace: str | None,
    *,
    every: bool,
) -> None:
    """Delete dead letters, by their ids, or with --all, --reason or --workspace."""
    chosen = listing.chosen(ids, reason or workspace, every=every)
    with _dead_letters(directory, workspace) as letters:
        missing = _missing(letters, ids)
        click.echo(listing.counted(letters.discard(chosen, reason), "discarded."))
        listing.end(context, missing)


@spool.command()
@_directory_or_own
@workspaces.option
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def stats(directory: Path, workspace: str | None, *, as_json: bool) -> None:
    """Count what waits, in which files, and the dead letters by reason, of each workspace."""
    with _dead_letters(directory, workspace) as letters:
        chosen = workspaces.chooser(workspace)
        seen = [each for each in files_in(directory) if chosen(workspace_of(each.workspace))]
        aside = set_aside_in(directory)
        heaps = letters.heaps()
    if as_json:
        click.echo(orjson.dumps(_stats(seen, heaps, aside)))
        return
    console = listing.console()
    if seen:
        columns = ("workspace", "file", "made by", "state", "calls", "size")
        table = Table(*columns, title="Waiting")
        for each in seen:
            calls = "?" if each.calls is None else str(each.calls)
            maker = "" if each.made_by is None else str(each.made_by)
            # The rest of the name is the workspace.
            name = each.path.name.partition(".")[0]
            whose = workspaces.short(each.workspace)
            table.add_row(
                *(whose, listing.cell(name), maker, each.state, calls, decimal(each.size))
            )
        console.print(table)
    else:
        click.echo("No calls wait.")
    if heaps:
        table = Table("workspace", "reason", "calls", "size", "oldest", title="Dead letters")
        for heap in heaps:
            whose, oldest = workspaces.short(heap.workspace), listing.local(heap.oldest)
            table.add_row(
                *(whose, listing.cell(heap.reason), str(heap.count), decimal(heap.size), oldest)
            )
        console.print(table)
    else:
        click.echo(listing.NONE)
    for path in aside:
        name = escaped(path.name)
        click.echo(f"Damaged, and set aside: {name} ({decimal(bytes_of(path))})")


def _stats(seen: list[FileSeen], heaps: list[Heap], aside: list[Path]) -> dict[str, object]:
    return {
        "files": [
            {
                "file": _utf8(each.path),
                "workspace": each.workspace,
                "made_by": each.made_by,
                "state": each.state,
                "calls": each.calls,
                "bytes": each.size,
            }
            for each in seen
        ],
        "dead_letters": [
            {
                "workspace": heap.workspace,
                "reason": heap.reason,
                "calls": heap.count,
                "bytes": heap.size,
                "oldest": heap.oldest,
            }
            for heap in heaps
        ],
        "set_aside": [{"file": _utf8(path), "bytes": bytes_of(path)} for path in aside],
    }


def _utf8(path: Path) -> str:
    """The name of the file at *path*, which may have any bytes."""
    return os.fsencode(path.name).decode("utf-8", "replace")


@contextmanager
def _dead_letters(directory: Path, workspace: str | None = None) -> Iterator[DeadLetters]:
    try:
        with _as_owner_of(directory):
            trust.check_directory(directory)
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                # Who could put another in its place would have root write there.
                trust.check_parents(directory)
            letters = DeadLetters(directory)
            if workspace is not None:
                letters.narrow(workspaces.chooser(workspace))
            yield letters
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


def _missing(letters: DeadLetters, ids: Sequence[str]) -> list[str]:
    found = {letter.id for letter in letters.select(ids)} if ids else set()
    return [id_ for id_ in ids if id_.upper() not in found]
