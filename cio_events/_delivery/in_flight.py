"""
The calls on their way to one destination: which may be sent now, and which have to wait.

A window is what may be under way at once. It consists of chains: the batches of one chain go one
after the other, chains go side by side, and no customer is in two of them, which keeps each
customer's order. Nothing here sends.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from cio_events._delivery.destination import Batch, Destination, Sharing
from cio_events._delivery.retry import Pace
from cio_events._wire.envelope import Envelope, accepted_at

# So that a window ends soon, and what has come meanwhile is seen.
_SINGLES_IN_A_WINDOW = 64

# Where no calls share a request.
_ALONE = Sharing(-1, 0, 0)

Chain: TypeAlias = "deque[Batch]"


class InFlight:
    """
    What is on its way to one destination.

    Attributes:
        waiting: What was not part of a window yet, oldest first.

        window: The chains under way; a request to be repeated stays the first of its chain.

        pace: When the destination may be asked again.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.waiting: deque[Envelope] = deque()
        self.window: list[Chain] = []
        self.pace = Pace()

    def __bool__(self) -> bool:
        return bool(self.waiting or self.window)

    @property
    def doubtful(self) -> bool:
        """
        Whether the last request failed, so that one alone has to find out what the next does.
        """
        return self.pace.failures > 0

    def oldest(self) -> int:
        """
        Return when the oldest call that is not under way was accepted (Unix milliseconds).
        """
        if self.window:
            return min(accepted_at(chain[0].envelopes[0]) for chain in self.window)
        return accepted_at(self.waiting[0])

    def form_window(self, until: int | None) -> None:
        """
        Make the next window, of calls accepted up to *until*, once the one before is over.
        """
        if not self.window:
            self.window = next_window(self.waiting, until, self.destination)


def next_window(
    waiting: deque[Envelope], until: int | None, destination: Destination
) -> list[Chain]:
    """
    Take the next window from *waiting*, of calls for *destination*.

    It ends before a call of a customer who is in another chain already, with a full batch, or
    with enough single calls.
    """
    sharing, customers_of = destination.sharing or _ALONE, destination.concerns
    batch, room = _leading_batch(waiting, until, sharing)
    # Whom the batch is about: only asked once a single call makes it matter, as it takes time.
    batched: set[str] | None = None
    singles: list[Chain] = []
    chain_of: dict[str, Chain] = {}
    count = 0
    while waiting:
        envelope = waiting[0]
        if until is not None and accepted_at(envelope) > until:
            break
        if envelope[0] == sharing.route:
            if chain_of:
                customers = customers_of(envelope)
                if not chain_of.keys().isdisjoint(customers):
                    break
                if batched is not None:
                    batched.update(customers)
            room -= len(envelope) - sharing.spared
            if room < 0:
                break
            batch.append(waiting.popleft())
            continue
        customers = customers_of(envelope)
        if batched is None and batch and customers:
            batched = {who for other in batch for who in customers_of(other)}
        chains = {id(chain_of[who]): chain_of[who] for who in customers if who in chain_of}
        if (
            count == _SINGLES_IN_A_WINDOW
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


def _leading_batch(
    waiting: deque[Envelope], until: int | None, sharing: Sharing
) -> tuple[list[Envelope], int]:
    """
    Take what *waiting* begins with and one batch can carry; returns the room that is left, too.

    Most calls go this way, so that it looks at no more than it must.
    """
    route, spared, room, count = sharing.route, sharing.spared, sharing.room, 0
    for envelope in waiting:
        size = len(envelope) - spared
        if (
            size > room
            or envelope[0] != route
            or (until is not None and accepted_at(envelope) > until)
        ):
            break
        room -= size
        count += 1
    return [waiting.popleft() for _ in range(count)], room
