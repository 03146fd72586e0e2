"""
The commands of `cio-events`; what each does is in the room of its name.

This module imports click, which comes with each extra that has commands.
"""

from __future__ import annotations

import sys

import click

from cio_events import __version__
from cio_events._cli.doctor import doctor
from cio_events._cli.output import watch_pipes
from cio_events._cli.relay import relay
from cio_events._cli.sandbox import sandbox
from cio_events._cli.spool import spool


@click.group()
@click.version_option(__version__, prog_name="cio-events")
def commands() -> None:
    """The log line is the event: tools around it."""


commands.add_command(relay)
commands.add_command(doctor)
commands.add_command(sandbox)
commands.add_command(spool)


def main() -> None:
    """Run the command that this process is started with."""
    watch_pipes()
    try:
        commands(prog_name="cio-events")
    finally:
        sys.stdout.flush()
