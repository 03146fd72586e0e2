"""`cio-events relay status`: who leads, what waits, and what became of the rest."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click
import orjson
from rich.console import Group
from rich.filesize import decimal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cio_events._cli import listing
from cio_events._cli.relay_redis import link_to, of_prefix, understood

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from cio_events._relay.status import Status, Total

_SECONDS_BETWEEN_LOOKS = 1.0

_NOT_WELL = 1

_AWAY = "Redis cannot be asked."


@click.command()
@click.argument("at", metavar="[URL]", required=False)
@click.option("--url", envvar="CIO_RELAY", help="Where Redis is, or CIO_RELAY.")
@of_prefix
@click.option("--watch", is_flag=True, help="Look again each second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, or one a line.")
@click.option("--max-lag", type=click.FloatRange(0), help="How many seconds something may wait.")
@click.pass_context
def status(
    context: click.Context,
    at: str | None,
    url: str | None,
    prefix: str,
    max_lag: float | None,
    *,
    watch: bool,
    as_json: bool,
) -> None:
    """Tell who leads and what waits; end with 1 if nobody leads, or something waits too long."""
    where = at or url
    if where is None:
        raise click.UsageError("Say where Redis is: URL, --url, or CIO_RELAY.")
    with understood():
        from cio_events._relay.status import look_at_all  # optional: it needs redis-py

        link = link_to(where, prefix)

        def seen() -> list[Status]:
            return look_at_all(link)

        now = seen()
        if watch:
            try:
                _watch(seen, now, max_lag, as_json=as_json)
            except KeyboardInterrupt:
                now = _seen_or_away(seen)
        elif as_json:
            click.echo(_as_json(now, max_lag))
        else:
            listing.console().print(_shown(now, max_lag))
    if not _is_well(now, max_lag):
        context.exit(_NOT_WELL)


def _watch(
    seen: Callable[[], list[Status]], now: list[Status], max_lag: float | None, *, as_json: bool
) -> None:
    """Show how it is each second, also while Redis is away and when it has come back."""
    console = listing.console()
    with ExitStack() as stack:
        live = None
        if console.is_terminal and not as_json:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
        while True:
            shown: RenderableType = _shown(now, max_lag) if now else Text(_AWAY)
            if live is not None:
                live.update(shown, refresh=True)
            elif as_json:
                click.echo(_as_json(now, max_lag))
            else:
                console.print(shown)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            now = _seen_or_away(seen)


def _seen_or_away(seen: Callable[[], list[Status]]) -> list[Status]:
    from cio_events._relay.link import ERRORS  # optional: it needs redis-py

    try:
        return seen()
    except ERRORS:
        return []


def _is_well(now: Sequence[Status], max_lag: float | None) -> bool:
    return bool(now) and all(one.is_well(max_lag) for one in now)


def _as_json(now: Sequence[Status], max_lag: float | None) -> bytes:
    from cio_events._relay.status import total  # as above

    return orjson.dumps(
        {
            "well": _is_well(now, max_lag),
            "partitions": [one.as_json() for one in now],
            "total": total(now).as_json(),
        }
    )


def _counts(one: Status | Total) -> list[str]:
    return [*map(str, (one.published, one.sent, one.failed, one.pending, one.unread))]


def _lag(one: Status | Total) -> str:
    return f"{one.seconds:.1f} s, {decimal(one.bytes)}" if one.entries else "nothing"


def _shown(now: Sequence[Status], max_lag: float | None) -> Group:
    from cio_events._relay.status import total  # as above

    table = Table(
        "partition", "leader", "published", "sent", "failed", "read, not ended", "unread"
    )
    table.add_column("waits")
    table.add_column("dead letters")
    for one in now:
        leader = f"{one.leader} ({one.generation})" if one.leader else "nobody"
        table.add_row(str(one.partition), leader, *_counts(one), _lag(one), str(one.dead))
    if len(now) > 1:
        every = total(now)
        table.add_section()
        table.add_row("all", "", *_counts(every), _lag(every), str(every.dead))
    lines = []
    for one in now:
        where = f"partition {one.partition}"
        if one.leader is None:
            lines.append(f"Nobody leads {where}: start cio-events relay.")
        if max_lag is not None and one.seconds > max_lag:
            lines.append(f"Something has waited in {where} for over {max_lag:g} seconds.")
        if not one.balanced:
            lines.append(f"The ledgers of {where} do not meet.")
    return Group(table, *map(Text, lines))
