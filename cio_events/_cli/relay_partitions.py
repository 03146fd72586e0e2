"""`cio-events relay partitions`: how many there are, and how many there are to be."""

from __future__ import annotations

import click

from cio_events._cli.relay_redis import link_to, of_redis, understood
from cio_events.options import MOST_PARTITIONS


@click.command()
@of_redis
@click.argument("count", required=False, type=click.IntRange(1, MOST_PARTITIONS))
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="How many seconds the relays may take to deliver what is there.",
)
def partitions(url: str, prefix: str, count: int | None, wait: float) -> None:
    """
    Tell how many partitions there are, or have it be COUNT once nothing waits in Redis.

    Whoever publishes to another number is told so afterwards, and keeps its calls until its option
    relay_partitions is the same.
    """
    with understood():
        from cio_events._relay import number  # optional: it needs redis-py

        link = link_to(url, prefix)
        if count is None:
            found = number.read(link)
            click.echo("1, as nobody has published yet" if found is None else found)
            return
        problem = number.change(link, count, wait)
    if problem is not None:
        raise click.ClickException(problem)
    click.echo(f"The number of partitions is {count} now.")
