"""`cio-events relay dead`: calls that were refused, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
import orjson

from cio_events._cli import listing
from cio_events._cli.relay_redis import link_to, of_redis, understood

if TYPE_CHECKING:
    from cio_events._buffers.failures import DeadLetter
    from cio_events._relay.dead import DeadLetters


@click.group()
def dead() -> None:
    """Calls that have failed for good."""


@dead.command("list")
@of_redis
@listing.reason
@click.option("--limit", type=click.IntRange(1), default=listing.LISTED, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, all of them.")
def list_(url: str, prefix: str, reason: str | None, limit: int, *, as_json: bool) -> None:
    """List the dead letters, oldest first."""
    with understood():
        letters = _opened(url, prefix)
        if as_json:
            for letter in letters.select(None, reason):
                click.echo(orjson.dumps(listing.summary(letter)))
            return
        reasons = letters.reasons()
        count = reasons.total() if reason is None else reasons[reason]
        listing.show_table(letters.select(None, reason), count, limit)


@dead.command()
@of_redis
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def show(context: click.Context, url: str, prefix: str, ids: tuple[str, ...]) -> None:
    """Show dead letters whole: the call, personal data included, and what Customer.io said."""
    with understood():
        found = list(_opened(url, prefix).select(ids))
    for letter in found:
        listing.show_whole(letter)
    listing.end(context, _missing(found, ids))


def _command(name: str, what: str, act: Callable[..., int], done: str) -> None:
    """Have the command *name* do *act* to the dead letters that are chosen."""

    @dead.command(name, help=f"{what}, by their ids, or with --all or --reason.")
    @of_redis
    @listing.which
    @click.pass_context
    def command(
        context: click.Context,
        url: str,
        prefix: str,
        ids: tuple[str, ...],
        reason: str | None,
        *,
        every: bool,
    ) -> None:
        chosen = listing.chosen(ids, reason, every=every)
        with understood():
            letters = _opened(url, prefix)
            missing = _missing(list(letters.select(ids)) if ids else [], ids)
            count = act(letters, chosen, reason)
        click.echo(listing.counted(count, done))
        listing.end(context, missing)


_command(
    "resend",
    "Publish dead letters again",
    lambda letters, ids, reason: letters.resend(ids, reason),
    "published again.",
)
_command(
    "discard",
    "Delete dead letters",
    lambda letters, ids, reason: letters.discard(ids, reason),
    "discarded.",
)


def _opened(url: str, prefix: str) -> DeadLetters:
    from cio_events._relay.dead import DeadLetters  # optional: it needs redis-py

    return DeadLetters(link_to(url, prefix))


def _missing(found: Sequence[DeadLetter], ids: Sequence[str]) -> list[str]:
    known = {letter.id for letter in found}
    return [id_ for id_ in ids if id_.upper() not in known]
