"""
`cio-events relay`: deliver what publishers have left in Redis, until Ctrl-C or SIGTERM.

This module imports click, which comes with the extra `cio-events[relay]`.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cio_events._cli import signals
from cio_events._cli.relay_dead import dead
from cio_events._cli.relay_partitions import partitions
from cio_events._cli.relay_redis import WrongSettingError, of_prefix, understood
from cio_events._cli.relay_status import status
from cio_events._destinations import endpoints
from cio_events._destinations.customerio import AppAPI, TrackAPI
from cio_events._process.diagnostics import say
from cio_events._relay.lease import SECONDS
from cio_events.errors import ParamError
from cio_events.options import MOST_PARTITIONS, Options, options_from

if TYPE_CHECKING:
    from cio_events._http.endpoint import Endpoint
    from cio_events._relay.health import Health
    from cio_events._relay.relay import Relay

# One thread reads while another sends; with Python's own 5 ms, each waits so long for the other.
SWITCH_SECONDS = 0.0005

_TIME = "%Y-%m-%d %H:%M:%S"


class Group(click.Group):
    """Commands, and the one that is meant when none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        if not args or args[0] not in {*self.commands, "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Group)
def relay() -> None:
    """
    Deliver what other processes leave in Redis: `cio-events relay URL`.

    Of several relays one delivers, and the others stand by: one for each partition.
    """


relay.add_command(dead)
relay.add_command(partitions)
relay.add_command(status)


@relay.command()
@click.argument("url", envvar="CIO_RELAY")
@of_prefix
@click.option(
    "--lease",
    type=click.FloatRange(0.5),
    default=SECONDS,
    show_default=True,
    help="After how many seconds another relay goes on for one that was killed.",
)
@click.option(
    "--replicas",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many replicas must know of a message before it is sent, as one may be promoted.",
)
@click.option(
    "--partitions",
    "number",
    type=click.IntRange(1, MOST_PARTITIONS),
    envvar="CIO_RELAY_PARTITIONS",
    help="How many there are, where nobody has said it to Redis yet: the option relay_partitions.",
)
@click.option(
    "--health", type=click.IntRange(0, 65535), help="A port of loopback to answer /health on."
)
@click.option(
    "--max-lag", type=click.FloatRange(0), help="How many seconds something may wait, for /health."
)
def run(
    url: str,
    prefix: str,
    lease: float,
    replicas: int,
    number: int | None,
    health: int | None,
    max_lag: float | None,
) -> None:
    """Deliver to Customer.io what is in the Redis at URL: what no other relay delivers."""
    _log_to_stderr()
    with understood():
        from cio_events._relay.health import Health  # optional: they need redis-py
        from cio_events._relay.relay import Relay
        from cio_events._relay.threads import course_of

        options, track, app = _endpoints()
        asked = signals.noted()
        running = Relay(
            url,
            options,
            (TrackAPI(track, options), AppAPI(app, options)),
            prefix=prefix,
            lease=lease,
            replicas=replicas,
            partitions=number,
            tell=_tell,
        )
        running.check()
    watched = None if health is None else _answering(Health, health, running, max_lag)
    sys.setswitchinterval(SWITCH_SECONDS)
    running.start()
    while not (asked or running.failure):
        time.sleep(signals.TICK_SECONDS)
    if asked:
        _tell(f"ends, as {signal.Signals(asked[0]).name} asks for it")
    running.stop()
    if watched is not None:
        watched.stop()
    if isinstance(running.failure, ParamError):
        raise WrongSettingError(str(running.failure))
    if running.failure is not None:
        raise click.ClickException(
            f"it ends, as a thread of it died: {course_of(running.failure)}"
        )


def _answering(make: type[Health], port: int, running: Relay, max_lag: float | None) -> Health:
    try:
        health = make(port, running.status, max_lag)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on 127.0.0.1:{port}: {error.strerror}"
        ) from None
    health.start()
    _tell(f"answers on http://127.0.0.1:{health.port}/health")
    return health


def _endpoints() -> tuple[Options, Endpoint | None, Endpoint | None]:
    """Where to deliver to, as the environment says; a line about what is missing."""
    options, problem = options_from({})
    # CIO_RELAY says where this relay reads from; its own calls go to Customer.io.
    options = replace(options, relay=None, relay_partitions=1)
    track, no_track = endpoints.opened(endpoints.track, options, {}, problem)
    app, no_app = endpoints.opened(endpoints.app, options, {}, problem)
    if track is None and app is None:
        raise WrongSettingError(str(no_track))
    for missing, what in ((no_track, "calls about people"), (no_app, "transactional messages")):
        if missing is not None:
            say(f"{what} are not delivered, and wait in Redis: {missing}")
    return options, track, app


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt=_TIME)


def _tell(what: str) -> None:
    stamp = time.strftime(_TIME)
    click.echo(f"{stamp} this relay {what}", err=True)
