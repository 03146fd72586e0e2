"""What keeps arriving: the events, metrics and messages of all workspaces, the last of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cio_events.sandbox.model import limits
from cio_events.sandbox.model.ring import Ring

if TYPE_CHECKING:
    from cio_events.sandbox.model.records import Event, Metric, OutboxMessage


def _or_all(limit: int, *, bounded: bool) -> int | None:
    return limit if bounded else None


@dataclass(slots=True)
class Archive:
    """
    In the order of arrival, whoever's they are.

    One for all workspaces, so that the bounds hold however many there are. The lock of the
    `Worlds` that it belongs to guards it.
    """

    bounded: bool = True
    request: int = 0
    """The number of the request that is being answered."""
    events: Ring[Event] = field(init=False)
    metrics: Ring[Metric] = field(init=False)
    messages: Ring[OutboxMessage] = field(init=False)
    event_ids: OrderedDict[tuple[str, str], int] = field(init=False, default_factory=OrderedDict)
    """Workspace and event id → the request that it came with first."""

    def __post_init__(self) -> None:
        """Make room."""
        bounded = self.bounded
        self.events = Ring(_or_all(limits.EVENTS_KEPT, bounded=bounded))
        self.metrics = Ring(_or_all(limits.METRICS_KEPT, bounded=bounded))
        self.messages = Ring(
            _or_all(limits.MESSAGES_KEPT, bounded=bounded),
            _or_all(limits.MESSAGE_BYTES_KEPT, bounded=bounded),
        )

    def forget(self, workspace: str) -> None:
        """Let go what belongs to that workspace."""
        self.events.forget(lambda event: event.workspace == workspace)
        self.metrics.forget(lambda metric: metric.workspace == workspace)
        self.messages.forget(lambda message: message.workspace == workspace)
        for key in [key for key in self.event_ids if key[0] == workspace]:
            del self.event_ids[key]

    def first_request(self, workspace: str, event_id: str) -> int | None:
        """The request that an event with that id came with before."""
        return self.event_ids.get((workspace, event_id))

    def note(self, workspace: str, event_id: str) -> None:
        """Know that id from now on."""
        self.event_ids[workspace, event_id] = self.request
        if self.bounded and len(self.event_ids) > limits.EVENT_IDS_KEPT:
            self.event_ids.popitem(last=False)
