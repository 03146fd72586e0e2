"""
The commands of `cio-events`; what each does is in the room of its name.

This module imports click, which comes with each extra that has commands.
"""

from __future__ import annotations

import sys
from collections import UserDict
from importlib import import_module
from typing import Any

import click

from cio_events import __version__
from cio_events._cli.output import watch_pipes


class _Commands(UserDict[str, Any]):
    """By their names, each imported when it is asked for, as all take a while."""

    def __getitem__(self, name: str) -> Any:
        return getattr(import_module(super().__getitem__(name)), name)


_ROOMS = {name: f"cio_events._cli.{name}" for name in ("doctor", "relay", "sandbox", "spool")}


@click.group(commands=_Commands(_ROOMS))
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
