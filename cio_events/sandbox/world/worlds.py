"""The workspaces: each site id sees a Customer.io of its own."""

from __future__ import annotations

import threading

from cio_events.sandbox.world.archive import Archive
from cio_events.sandbox.world.world import World


class Worlds:
    """
    A `World` for each workspace, made when it is first heard of.

    `lock` guards all of them: whoever calls a method, here or of a world, and whoever reads,
    holds it. An endpoint holds it from the first item of a batch to the last.
    """

    def __init__(self, *, bounded: bool = True) -> None:
        self.lock: threading.RLock = threading.RLock()
        self._bounded = bounded
        self.clear()

    @property
    def names(self) -> list[str]:
        """The workspaces, in the order in which they were first heard of."""
        return list(self._worlds)

    def of(self, workspace: str) -> World:
        """That workspace."""
        world = self._worlds.get(workspace)
        if world is None:
            world = self._worlds[workspace] = World(workspace, self.archive, self._worlds)
        return world

    def named(self, workspace: str | None) -> list[World]:
        """That workspace, if it was heard of; all without a name."""
        if workspace is None:
            return list(self._worlds.values())
        return [self._worlds[workspace]] if workspace in self._worlds else []

    def clear(self, workspace: str | None = None) -> None:
        """Forget what a workspace knows; everything without a name."""
        if workspace is None:
            self.archive: Archive = Archive(self._bounded)
            self._worlds: dict[str, World] = {}
        else:
            self.archive.forget(workspace)
            self._worlds.pop(workspace, None)
