"""
The calls on their way to one destination: which may travel now, and which have to wait.

A window is what may be under way at once. It consists of chains: the batches of one chain go one
after the other, chains go side by side, and no customer is in two of them, which keeps each
customer's order. Nothing here sends.
"""

from __future__ import annotations

import random
from collections import deque
from typing import TypeAlias

from cio_events._destinations.customerio import Batch, Hold, TryAgain
from cio_events._http.endpoint import Endpoint
from cio_events._wire import batch as v2
from cio_events._wire.encode import customers_of
from cio_events._wire.envelope import BATCH_BYTE, HEADER_BYTES, Envelope, accepted_at
from cio_events.options import Options

# So that a window ends soon, and what has come meanwhile is seen.
_SINGLES_IN_A_WAVE = 64

# In a batch, a comma stands where an envelope has its header.
_HEADER_LESS_COMMA = HEADER_BYTES - 1

# 2 ** 30 times any delay is over every cap, and still a number.
_DOUBLINGS = 30

Chain: TypeAlias = "deque[Batch]"


class Lane:
    """
    One destination: Track, or App.

    Attributes:
        name: What diagnostics call it.

        endpoint: Where its requests go; None if there are no credentials.

        waiting: What was not part of a window yet, oldest first.

        window: The chains under way; a request to be repeated stays the first of its chain.

        ready_at: Until then (`time.monotonic`) nothing is sent.

        held: Whether the settings were refused last.
    """

    def __init__(self, name: str, endpoint: Endpoint | None) -> None:
        self.name = name
        self.endpoint = endpoint
        self.waiting: deque[Envelope] = deque()
        self.window: list[Chain] = []
        self.ready_at: float = 0.0
        self.held: bool = False
        self._failures = 0  # requests without success since the last one with

    def __bool__(self) -> bool:
        return bool(self.waiting or self.window)

    @property
    def doubtful(self) -> bool:
        """
        Whether the last request failed, so that one alone has to find out what the next does.
        """
        return self._failures > 0

    def oldest(self) -> int:
        """
        When the oldest call that is not under way was accepted (Unix milliseconds).
        """
        if self.window:
            return min(accepted_at(chain[0].envelopes[0]) for chain in self.window)
        return accepted_at(self.waiting[0])

    def form_window(self, until: int | None) -> None:
        """
        Make the next window, of calls accepted up to *until*, once the one before is over.
        """
        if not self.window:
            self.window = next_window(self.waiting, until)

    def succeeded(self, now: float) -> None:
        """
        The destination has answered a request.
        """
        # A request that was under way beside one that failed does not end the pause.
        if now >= self.ready_at:
            self._failures = 0
            self.held = False

    def pause(self, verdict: TryAgain | Hold, now: float, options: Options) -> float:
        """
        Let the whole destination wait after *verdict*; returns for how many seconds.
        """
        self.held = isinstance(verdict, Hold)
        if now >= self.ready_at:
            self._failures += 1
        if isinstance(verdict, Hold):
            delay = options.hold_interval
        elif verdict.delay:
            delay = verdict.delay
        else:
            # Full jitter: many processes that lost one server must not come back at one time.
            doublings = min(self._failures - 1, _DOUBLINGS)
            delay = random.uniform(0, min(options.retry_cap, options.retry_base * 2.0**doublings))
        self.ready_at = max(self.ready_at, now + delay)
        return delay


def next_window(waiting: deque[Envelope], until: int | None) -> list[Chain]:
    """
    Take the next window from *waiting*.

    It ends before a call of a customer who is in another chain already, with a full batch, or
    with enough single calls.
    """
    batch, room = _leading_batch(waiting, until)
    # Whom the batch is about: only asked once a single call makes it matter, as it takes time.
    batched: set[str] | None = None
    singles: list[Chain] = []
    chain_of: dict[str, Chain] = {}
    count = 0
    while waiting:
        envelope = waiting[0]
        if until is not None and accepted_at(envelope) > until:
            break
        if envelope[0] == BATCH_BYTE:
            if chain_of:
                customers = customers_of(envelope)
                if not chain_of.keys().isdisjoint(customers):
                    break
                if batched is not None:
                    batched.update(customers)
            room -= len(envelope) - _HEADER_LESS_COMMA
            if room < 0:
                break
            batch.append(waiting.popleft())
            continue
        customers = customers_of(envelope)
        if batched is None and batch and not _all_anonymous(customers):
            batched = {who for other in batch for who in customers_of(other)}
        chains = {id(chain_of[who]): chain_of[who] for who in customers if who in chain_of}
        if (
            count == _SINGLES_IN_A_WAVE
            or len(chains) > 1
            or (batched and not batched.isdisjoint(customers))
        ):
            break
        if chains:
            (chain,) = chains.values()
        else:
            chain = deque()
            singles.append(chain)
        chain.append(Batch([waiting.popleft()]))
        chain_of.update(dict.fromkeys(customers, chain))
        count += 1
    return [deque([Batch(batch)]), *singles] if batch else singles


def _leading_batch(waiting: deque[Envelope], until: int | None) -> tuple[list[Envelope], int]:
    """
    Take what *waiting* begins with and one batch can carry; returns the room that is left, too.

    Most calls go this way, so that it looks at no more than it must.
    """
    room, count = v2.BATCH_ROOM, 0
    for envelope in waiting:
        size = len(envelope) - _HEADER_LESS_COMMA
        if (
            size > room
            or envelope[0] != BATCH_BYTE
            or (until is not None and accepted_at(envelope) > until)
        ):
            break
        room -= size
        count += 1
    return [waiting.popleft() for _ in range(count)], room


def _all_anonymous(customers: tuple[str, ...]) -> bool:
    return all(who.startswith(v2.ANONYMOUS) for who in customers)
