"""
Which workspace's calls a command of the spool is about: the option, and how one is shown.

This module imports click.
"""

from __future__ import annotations

from collections.abc import Callable

import click

from cio_events._buffers.workspace import Workspace
from cio_events._destinations import endpoints
from cio_events.options import options_from

# Letters of a fingerprint that tell one workspace from another.
_SHOWN = 8

_MINE = "mine"

option = click.option(
    "--workspace",
    metavar="FINGERPRINT",
    help="Only those of this workspace: how its fingerprint begins, as shown here, or `mine`, "
    "which is that of the environment's settings (CIO_SITE_ID and so on).",
)


def chooser(workspace: str | None) -> Callable[[Workspace], bool]:
    """
    Which workspaces are meant by this value of the option.

    Raises:
        click.UsageError: It is `mine`, and the environment says of no place where calls go.
    """
    if workspace != _MINE:
        return lambda whose: str(whose).startswith((workspace or "").lower())
    options, problem = options_from({})
    found = endpoints.find(options, {}, problem)
    if found.track is None and found.app is None and found.relay is None:
        raise click.UsageError(
            "The environment names no workspace: set CIO_SITE_ID and CIO_API_KEY, "
            "CIO_APP_API_KEY, or CIO_RELAY."
        )
    return found.workspace().delivers


def short(workspace: str) -> str:
    """As much of a fingerprint as a table has room for."""
    return workspace[:_SHOWN]
