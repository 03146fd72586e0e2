"""
`cio-events sandbox`: a Customer.io on this machine, until Ctrl-C.

This module imports click, which comes with the extra `cio-events[sandbox]`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import click

from cio_events.sandbox import Sandbox

if TYPE_CHECKING:
    from types import FrameType

    from cio_events.sandbox import ReceivedRequest

DEFAULT_PORT = 8026
# How soon a signal is noticed; waiting in short steps works on every system.
SIGNAL_TICK_SECONDS = 0.1


class MissingExtraError(click.ClickException):
    """A command whose extra is not installed."""

    exit_code = 2


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--site-id", help="The only site id to let in. [default: any]")
@click.option("--api-key", help="The only API key to let in. [default: any]")
@click.option("--app-api-key", help="The only App API key to let in. [default: any]")
@click.option("--region", type=click.Choice(["us", "eu"]), default="us", show_default=True)
def sandbox(
    port: int,
    host: str,
    site_id: str | None,
    api_key: str | None,
    app_api_key: str | None,
    region: str,
) -> None:
    """Run a Customer.io on this machine, until Ctrl-C."""
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    try:
        running = Sandbox(
            site_id,
            api_key,
            app_api_key,
            host=host,
            port=port,
            region="eu" if region == "eu" else "us",
            on_answer=_print_request,
        )
        running.start()
    except ModuleNotFoundError as missing:
        raise MissingExtraError(str(missing)) from missing
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong
    except OSError as taken:
        raise click.ClickException(f"cannot listen on {host}:{port}: {taken.strerror}") from taken
    with running:
        given = {"CIO_SITE_ID": site_id, "CIO_API_KEY": api_key, "CIO_APP_API_KEY": app_api_key}
        click.echo(_welcome(running.url, {name for name, key in given.items() if key is not None}))
        while not signals:
            time.sleep(SIGNAL_TICK_SECONDS)


def _welcome(url: str, restricted: set[str]) -> str:
    keys = ("CIO_SITE_ID", "CIO_API_KEY", "CIO_APP_API_KEY")
    values = {key: "..." if key in restricted else "sandbox" for key in keys}
    exports = {**values, "CIO_TRACK_URL": url, "CIO_APP_URL": url}
    views = ("people", "events", "objects", "messages", "metrics", "requests")
    return "\n".join(
        [
            f"Customer.io sandbox on {url} (Ctrl-C ends it)",
            "",
            *(f"  export {name}={value}" for name, value in exports.items()),
            "",
            "What it knows:",
            *(f"  {url}/sandbox/{view}" for view in views),
            "",
        ]
    )


def escaped(text: str) -> str:
    """Text from outside, with what is not printable as an escape: it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _print_request(request: ReceivedRequest) -> None:
    at = time.strftime("%H:%M:%S", time.localtime(request.time))
    status = "dropped" if request.status is None else request.status
    try:
        click.echo(f"{at} {request.method} {escaped(request.path)} {status}")
    except OSError:
        # Whoever read the lines is gone. The sandbox goes on, and Python, which would try to
        # write the rest when it ends, gets somewhere to write it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
