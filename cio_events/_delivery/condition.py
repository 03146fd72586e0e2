"""How delivery fares at one moment: for whoever looks into it from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ThreadState: TypeAlias = Literal["none", "runs", "lost", "refused"]
"""
What the thread that delivers does.

- ``none``: there is none, since there was nothing to do yet, or no more
- ``runs``: it runs
- ``lost``: it stayed in the process that this one was forked from
- ``refused``: none can be started, though calls wait
"""


@dataclass(frozen=True, slots=True)
class DestinationCondition:
    """
    How delivery to one destination fares.

    Attributes:
        name: What diagnostics call it.

        held: Whether the settings were refused last.

        failures: Requests that have failed since the last one that succeeded.

        delay: In how many seconds it is tried again.

        waiting: How many calls wait for it, those in the buffer left out.

        oldest: When the oldest of them was accepted, in Unix milliseconds.
    """

    name: str
    held: bool
    failures: int
    delay: float
    waiting: int
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Condition:
    """
    How a pipeline's delivery fares.

    Attributes:
        thread: A `ThreadState`.

        destinations: Each destination's.

        before_patch: Whether the thread was started before gevent patched the process.
    """

    thread: ThreadState
    destinations: tuple[DestinationCondition, ...]
    before_patch: bool = False
