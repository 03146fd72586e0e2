"""What a side is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.event import NAME, Event

QUEUE = 2_000_000
"""How many events every side that has a queue may queue: more than any row leaves pending."""

HOLD_TIMEOUT = 600.0
"""How many seconds every side waits for an answer: the sink holds the first one back at times."""


def _as_it_is(event: Event) -> Event:
    return event


def _nothing_to_do() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Opened:
    """
    A side that is set up, in a process that it has for itself.

    Attributes:
        call: Sends one event, as an application would write it.

        make: What a call takes, made of the event. It is no part of the call.

        flush: Returns when all that was called has been sent.

        settle: Does what may be done before the clock starts, with all calls made.

        loop: Calls all of a block, where that is to be quicker than a loop over `call`.

        close: Ends what would outlive the process.
    """

    call: Callable[[Any], object]
    make: Callable[[Event], Any] = _as_it_is
    flush: Callable[[], object] = _nothing_to_do
    settle: Callable[[], object] = _nothing_to_do
    loop: Callable[[Sequence[Any]], object] | None = None
    close: Callable[[], object] = _nothing_to_do

    def run(self, block: Sequence[Any]) -> None:
        """Call all of the block."""
        if self.loop is not None:
            self.loop(block)
            return
        call = self.call
        for made in block:
            call(made)


@dataclass(frozen=True, slots=True)
class Side:
    """
    One way to send the benchmark event.

    Attributes:
        name: What it is called in the table.

        open: Sets it up, given the address to send to and a directory for its files.

        needs: The modules without which it cannot run.

        packages: The distributions whose versions belong to the result.

        delivers: Whether its events go to the sink.

        backlog: Whether its calls only queue events, which a thread sends, or `Opened.flush`.

        request_a_call: Whether each call is a request, and waits for its answer.
    """

    name: str
    open: Callable[[str, Path], Opened]
    needs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    delivers: bool = True
    backlog: bool = True
    request_a_call: bool = False

    def missing(self) -> bool:
        """Whether something is not installed that it needs."""
        return not all(map(_is_there, self.needs))


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there either
        return False


def event_dict(event: Event) -> dict[str, object]:
    """The event as an untagged record in the middle of a structlog chain."""
    return {"event": NAME, "level": "info", **event.properties}


def opened_processor(process: Any) -> Opened:
    """A processor of structlog that gets untagged records."""

    def call(made: dict[str, object]) -> None:
        process(None, "info", made)

    def loop(block: Sequence[dict[str, object]]) -> None:
        for made in block:
            process(None, "info", made)

    return Opened(call, make=event_dict, loop=loop)
