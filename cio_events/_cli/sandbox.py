"""
`cio-events sandbox`: a Customer.io on this machine, until Ctrl-C or until a command has ended.

This module imports click, which comes with the extra `cio-events[sandbox]`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cio_events._cli import signals
from cio_events._cli.output import ReaderGoneError, escaped
from cio_events._cli.tail import tail, told
from cio_events.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from cio_events.sandbox import ReceivedRequest

DEFAULT_PORT = 8026
# In /proc/net/tcp, a socket that listens.
LISTENING = "0A"


class MissingExtraError(click.ClickException):
    """A command whose extra is not installed."""

    exit_code = 2


@click.group(invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--site-id", help="The only site id to let in. [default: any]")
@click.option("--api-key", help="The only API key to let in. [default: any]")
@click.option("--app-api-key", help="The only App API key to let in. [default: any]")
@click.option("--region", type=click.Choice(["us", "eu"]), default="us", show_default=True)
@click.option("--allowed-host", multiple=True, help="A name to be asked by beside localhost.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.pass_context
def sandbox(
    context: click.Context,
    *,
    port: int,
    host: str,
    site_id: str | None,
    api_key: str | None,
    app_api_key: str | None,
    region: str,
    allowed_host: tuple[str, ...],
    open_page: bool,
) -> None:
    """Run a Customer.io on this machine, until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    asked = signals.noted()
    running = _started(
        lambda: Sandbox(
            site_id,
            api_key,
            app_api_key,
            host=host,
            port=port,
            region="eu" if region == "eu" else "us",
            on_answer=_print_request,
            allowed_hosts=allowed_host,
        ),
        f"{host}:{port}",
    )
    with running:
        given = {"CIO_SITE_ID": site_id, "CIO_API_KEY": api_key, "CIO_APP_API_KEY": app_api_key}
        click.echo(_welcome(running.url, {name for name, key in given.items() if key is not None}))
        if open_page:
            webbrowser.open(running.url)
        while not asked:
            time.sleep(signals.TICK_SECONDS)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(port: int, command: tuple[str, ...]) -> None:
    """Run COMMAND with a sandbox in its environment, and end as it ends."""
    asked = signals.noted()
    running = _started(
        lambda: Sandbox(port=port, on_answer=lambda request: _print_request(request, err=True)),
        f"127.0.0.1:{port}",
    )
    with running:
        click.echo(f"Customer.io sandbox on {running.url}", err=True)
        environment = {**os.environ, **_exports(running.url)}
        try:
            # The command is what whoever types this line asks for.
            process = subprocess.Popen(command, env=environment)  # noqa: S603
        except OSError as missing:
            raise click.ClickException(f"cannot run {command[0]}: {missing.strerror}") from missing
        while process.poll() is None:
            # Ctrl-C reaches the command by itself, as the terminal's; other signals are for us.
            while asked:
                if asked.pop() == signal.SIGTERM:
                    process.terminate()
            time.sleep(signals.TICK_SECONDS)
    code = process.returncode
    sys.exit(code if code >= 0 else 128 - code)


sandbox.add_command(tail)
sandbox.add_command(run)


def _started(make: Callable[[], Sandbox], place: str) -> Sandbox:
    """A sandbox that is running, or a line that says what is against it."""
    try:
        return make().start()
    except ModuleNotFoundError as missing:
        raise MissingExtraError(str(missing)) from missing
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong
    except OSError as taken:
        by = _listener(int(place.rpartition(":")[2]))
        holder = f" by {by}" if by else ""
        raise click.ClickException(
            f"cannot listen on {place}: {taken.strerror}{holder}; --port 0 takes a free one"
        ) from taken


def _listener(port: int) -> str | None:
    """The program that listens on that port, where the system says so to this user."""
    try:
        table = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        rows = [line.split() for line in table]
        wanted = {
            f"socket:[{row[9]}]"
            for row in rows
            if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port
        }
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            if wanted and link.is_symlink() and str(_target(link)) in wanted:
                pid = link.parts[2]
                name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
                return f"{escaped(name)} (process {pid})"
    except (OSError, ValueError, IndexError):
        pass
    return None


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:  # it has just been closed
        return None


def _exports(url: str) -> dict[str, str]:
    keys = ("CIO_SITE_ID", "CIO_API_KEY", "CIO_APP_API_KEY")
    return {**dict.fromkeys(keys, "sandbox"), "CIO_TRACK_URL": url, "CIO_APP_URL": url}


def _welcome(url: str, restricted: set[str]) -> str:
    exports = {**_exports(url), **dict.fromkeys(restricted, "...")}
    views = ("people", "events", "objects", "messages", "metrics", "requests")
    return "\n".join(
        [
            f"Customer.io sandbox on {url} (Ctrl-C ends it)",
            "",
            *(f"  export {name}={value}" for name, value in exports.items()),
            "",
            f"What it knows, as it arrives: {url}",
            *(f"  {url}/sandbox/{view}" for view in views),
            "",
        ]
    )


def _print_request(request: ReceivedRequest, *, err: bool = False) -> None:
    with suppress(ReaderGoneError):  # the sandbox goes on
        for line in told(request):
            click.echo(line, err=err)
