"""Misbehaviour on demand: what goes wrong with the next requests, and how it is called off."""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from cio_events.sandbox.api.exchange import Reply


FaultKind: TypeAlias = Literal["fail", "forget", "drop", "delay"]


@dataclass(slots=True)
class Fault:
    """One instruction: what to do, how many times still, and to which paths."""

    kind: FaultKind
    times: int | None
    """None: until `Faults.heal`."""
    path: str | None
    """A part of the path, percent-encoded as it comes; None: any path."""
    answer: Reply | None = None
    seconds: float = 0.0
    before: bool = False
    share: float = 1.0
    """Of the requests that fit, how many it is used for, from 0 to 1."""
    workspace: str | None = None
    """Whose requests; None: anybody's."""
    text: str | None = None
    """A part of the body, as it comes; None: any body, or none."""

    def fits(self, path: str, workspace: str | None, body: bytes) -> bool:
        """Whether it is meant for such a request."""
        return (
            (self.path is None or self.path in path)
            and (self.workspace is None or self.workspace == workspace)
            and (self.text is None or self.text.encode() in body)
        )


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one request."""

    breaking: Fault | None
    delay: Fault | None
    wakings: int
    """How many times all were woken before; once more, and this one is not to wait."""


class Faults:
    """
    The instructions that stand. They may be given from any thread.

    Of those that fit a request, the first one given is used, and an endless delay after those
    that have an end. A request can be both delayed and broken.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._breaking: list[Fault] = []
        self._delays: list[Fault] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._wakings = 0

    def add(self, fault: Fault) -> None:
        """Give an instruction; `ValueError` if its numbers are invalid."""
        if fault.times is not None and fault.times < 1:
            raise ValueError("times must be at least 1, or None for without end")
        if fault.seconds < 0:
            raise ValueError("seconds must not be negative")
        if not 0 < fault.share <= 1:
            raise ValueError("percent must be more than 0, and at most 100")
        with self._lock:
            if fault.kind != "delay":
                self._breaking.append(fault)
                return
            if fault.times is None:
                # Two endless ones for the same path would hide one another for ever.
                same = (None, fault.path, fault.workspace, fault.text)
                self._delays = [
                    d for d in self._delays if (d.times, d.path, d.workspace, d.text) != same
                ]
            self._delays.append(fault)
            self._delays.sort(key=lambda delay: delay.times is None)

    def take(self, path: str, workspace: str | None, body: bytes) -> Fate:
        """What happens to such a request; the instructions are counted as used."""
        with self._lock:
            return Fate(
                _take(self._breaking, path, workspace, body),
                _take(self._delays, path, workspace, body),
                self._wakings,
            )

    async def wait(self, fate: Fate, *, before: bool) -> None:
        """Let the delay pass that is due before, or after, the request is accepted."""
        if fate.delay is None or fate.delay.before is not before:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if fate.wakings != self._wakings:
                return
            self._waiting.add(waiter)
        timer = loop.call_later(fate.delay.seconds, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            with self._lock:
                self._waiting.discard(waiter)

    def heal(self, workspace: str | None = None) -> None:
        """Forget a workspace's instructions, or all; wake the requests that are being delayed."""
        with self._lock:
            for faults in (self._breaking, self._delays):
                faults[:] = [
                    fault
                    for fault in faults
                    if workspace is not None and fault.workspace != workspace
                ]
        self.wake()

    def wake(self) -> None:
        """Wake the requests that are being delayed."""
        with self._lock:
            self._wakings += 1
            for waiter in self._waiting:
                # Under the lock the request is still waiting, so its loop is not closed yet.
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)


def _take(faults: list[Fault], path: str, workspace: str | None, body: bytes) -> Fault | None:
    for place, fault in enumerate(faults):
        if fault.fits(path, workspace, body) and (
            fault.share >= 1 or random.random() < fault.share
        ):
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    del faults[place]
            return fault
    return None


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
