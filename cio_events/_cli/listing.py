"""
What the commands about dead letters have in common: how they are chosen, listed and shown.

This module imports click and rich, which come with the extras that have such commands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

import click
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cio_events._buffers.failures import DeadLetter
from cio_events._calls.people import Track
from cio_events._cli import workspaces
from cio_events._cli.output import escaped
from cio_events._process.diagnostics import calls
from cio_events._wire import app
from cio_events._wire.envelope import Envelope, Route, body_of, route_of

# Where the width of the terminal is not known: room for a table whose ids are not broken.
_PIPE_COLUMNS = 110

_NOT_FOUND = 1

LISTED = 100
"""How many are listed unless more are asked for."""

NONE = "There are no dead letters."

_Command = TypeVar("_Command", bound=Callable[..., object])

reason = click.option("--reason", help="Only those that failed for this reason.")


def which(command: _Command) -> _Command:
    """The parameters that choose dead letters."""
    every = click.option("--all", "every", is_flag=True, help="All of them.")
    ids = click.argument("ids", nargs=-1, metavar="[ID]...")
    return ids(every(reason(command)))


def show_table(letters: Iterable[DeadLetter], count: int, limit: int) -> None:
    """List the first *limit* of *count* dead letters."""
    if not count:
        click.echo(NONE)
        return
    table = Table("id", "call", "reason", "status", "failed at", "workspace")
    for letter, _ in zip(letters, range(limit), strict=False):
        status = "" if letter.status is None else str(letter.status)
        table.add_row(
            *(letter.id, kind(letter), cell(letter.reason), status, local(letter.failed_at)),
            workspaces.short(letter.workspace or ""),
        )
    console().print(table)
    if count > limit:
        click.echo(f"{limit} of {count}; --limit shows more.")


def show_whole(letter: DeadLetter) -> None:
    """Show all of *letter*, personal data included."""
    status = f", status {letter.status}" if letter.status else ""
    click.echo(f"{letter.id} {kind(letter)}")
    click.echo(f"failed at {local(letter.failed_at)}: {escaped(letter.reason)}{status}")
    if letter.workspace:
        click.echo(f"workspace {letter.workspace}")
    if letter.detail:
        click.echo(escaped(letter.detail, lines=True))
    if letter.envelope:
        here = console()
        waiting = _content(letter.envelope).decode("utf-8", "replace")
        try:
            content = json.loads(waiting)
        except (ValueError, RecursionError):  # not written by us
            click.echo(escaped(waiting, lines=True))
            return
        narrow = not here.encoding.startswith("utf")
        text = json.dumps(content, indent=2, ensure_ascii=narrow)
        here.print(JSONHighlighter()(escaped(text, lines=True, as_json=True)), soft_wrap=True)


def chosen(ids: Sequence[str], reason: str | None, *, every: bool) -> Sequence[str] | None:
    """
    The ids that were given; None is all.

    Raises:
        click.UsageError: It was not said which.
    """
    if ids and every:
        raise click.UsageError("Give either ids or --all.")
    if not (ids or every or reason):
        raise click.UsageError("Give ids, or --all, or --reason.")
    return ids or None


def end(context: click.Context, missing: Sequence[str]) -> None:
    """Say which ids there are not, and end with 1 for them."""
    for id_ in missing:
        click.echo(f"There is no dead letter {id_}.", err=True)
    if missing:
        context.exit(_NOT_FOUND)


def local(moment: datetime) -> str:
    """*moment* by this machine's clock."""
    return moment.astimezone().isoformat(" ", "seconds")


def summary(letter: DeadLetter) -> dict[str, object]:
    """What a line of JSON says of *letter*, which has nothing personal."""
    return {
        "id": letter.id,
        "call": kind(letter),
        "reason": letter.reason,
        "status": letter.status,
        "failed_at": letter.failed_at,
        "workspace": letter.workspace,
    }


def kind(letter: DeadLetter) -> str:
    """The word that asks for such a call in a log record's ``cio``."""
    call = letter.call
    if call is None:  # it may be of any version, and is listed all the same
        return "unknown"
    if isinstance(call, Track) and call.type != "event":
        return call.type
    return call.tag


def _content(envelope: Envelope) -> bytes:
    """What was to be sent, as JSON."""
    if route_of(envelope) is Route.APP:
        return app.content_of(body_of(envelope))
    return body_of(envelope)


def cell(text: str) -> Text:
    """What came from outside, for a table, which would take brackets for markup."""
    return Text(escaped(text))


def counted(count: int, what: str) -> str:
    """So many calls, and what they are now."""
    return f"{calls(count, 'is', 'are')} {what}"


def console() -> Console:
    """Where tables are shown."""
    here = Console()
    return here if here.is_terminal else Console(width=_PIPE_COLUMNS)


def progress() -> Progress:
    """A bar, where somebody looks."""
    here = Console(stderr=True)
    # A rich before 14.3 ends its line even where it shows none.
    here.quiet = not here.is_terminal
    return Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=here,
        disable=not here.is_terminal,
        transient=True,
    )
