"""
The commands of `cio-events`; what each does is in the room of its name.

This module imports click, which comes with each extra that has commands.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from cio_events import __version__
from cio_events._cli.output import watch_pipes

_ROOMS = ("doctor", "relay", "sandbox", "spool")


class _Rooms(click.Group):
    """A command of each room; imported is the one that is asked for, as all take a while."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        del ctx
        return list(_ROOMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in _ROOMS:
            return None
        command: click.Command = getattr(import_module(f"cio_events._cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Rooms)
@click.version_option(__version__, prog_name="cio-events")
def commands() -> None:
    """The log line is the event: tools around it."""


def main() -> None:
    """Run the command that this process is started with."""
    watch_pipes()
    try:
        commands(prog_name="cio-events")
    finally:
        sys.stdout.flush()
