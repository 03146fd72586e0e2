"""
What the calls of the Track API do to the people, events and objects that the sandbox keeps.

The calls come here checked; nothing is refused, some are ignored, as Customer.io ignores them.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cio_events.sandbox.model.checks import Who
from cio_events.sandbox.model.records import Event, Metric, OutboxMessage, Person, PersonDevice
from cio_events.sandbox.world.objects import Objects, set_attributes
from cio_events.sandbox.world.people import NAMES, People

if TYPE_CHECKING:
    from cio_events.sandbox.model.checks import Which

PREFERENCES = "cio_subscription_preferences"
TOPIC = f"{PREFERENCES}.topics."


class World:
    """
    One workspace: its people and their events, its objects and its messages.

    `lock` guards all of it: whoever calls a method, and whoever reads, holds it. An endpoint
    holds it from the first item of a batch to the last.
    """

    def __init__(self) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.people: People = People()
        self.objects: Objects = Objects()
        self.events: list[Event] = []
        self.metrics: list[Metric] = []
        self.messages: list[OutboxMessage] = []
        self._event_ids: set[str] = set()
        # Anonymous id → the places of the events that are nobody's yet.
        self._anonymous_events: dict[str, list[int]] = {}

    # People

    def identify(
        self,
        who: Who,
        attributes: dict[str, Any],
        *,
        timestamp: int | None = None,
        update_only: bool = False,
    ) -> Person | None:
        """
        Merge attributes into a person, older ones losing against newer ones.

        An identifier among the attributes that is another person's is not taken over; one that
        finds a person whom `who` does not find yet gives that person the identifier in `who`.
        """
        person = self.people.claim(who, attributes)
        if person is None and not update_only:
            person = self.people.upsert(who)
        if person is None or person.suppressed:
            return None
        at = int(time.time()) if timestamp is None else timestamp
        for name, value in attributes.items():
            # Equal seconds are in the order of arrival.
            if name == "cio_id" or person.timestamps.get(name, at) > at:
                continue
            if name in NAMES and not self.people.rename(person, name, value, who):
                continue
            person.timestamps[name] = at
            if name.startswith(TOPIC):
                _set_topic(person.attributes, name.removeprefix(TOPIC), value)
            else:
                set_attributes(person.attributes, {name: value})
            if name == "anonymous_id" and isinstance(value, str) and value:
                self._recognise(person, value)
        return person

    def delete(self, who: Who) -> None:
        """Remove a person; their events stay in the list of events, and nobody's."""
        person = self.people.find(who)
        if person is not None and not person.suppressed:
            self.objects.forget_person(person.cio_id)
            self.people.remove(person)

    def suppress(self, who: Who) -> None:
        """Delete a person and ignore whatever names them from now on."""
        person = self.people.upsert(who)
        if person is not None:
            self.objects.forget_person(person.cio_id)
            self.people.suppress(person)

    def unsuppress(self, who: Who) -> None:
        """Let the identifiers of a suppressed person be used again."""
        person = self.people.find(who)
        if person is not None and person.suppressed:
            self.people.remove(person)

    def merge(self, primary_who: Who, secondary_who: Who) -> None:
        """Give the primary what only the secondary has, and remove the secondary."""
        primary, secondary = self.people.find(primary_who), self.people.find(secondary_who)
        if primary is None or secondary is None or primary is secondary:
            return
        if primary.suppressed or secondary.suppressed:
            return
        self.objects.hand_over(secondary.cio_id, primary.cio_id)
        self.people.absorb(primary, secondary)
        for name, value in secondary.attributes.items():
            if name not in primary.attributes and name not in NAMES:
                primary.attributes[name] = value
                primary.timestamps[name] = secondary.timestamps.get(name, 0)
        primary.devices = {**secondary.devices, **primary.devices}
        primary.segments = sorted({*primary.segments, *secondary.segments})
        for place, event in enumerate(self.events):
            if event.cio_id == secondary.cio_id:
                self._give(place, primary)

    def add_device(
        self,
        who: Who,
        token: str,
        platform: str,
        last_used: int | None,
        attributes: dict[str, Any],
    ) -> None:
        """Add a device to a person, or update it."""
        person = self.people.upsert(who)
        if person is not None:
            device = person.devices.setdefault(token, PersonDevice(token, platform, 0))
            device.platform = platform
            device.last_used = int(time.time()) if last_used is None else last_used
            set_attributes(device.attributes, attributes)

    def delete_device(self, who: Who, token: str) -> None:
        """Remove a device from a person."""
        person = self.people.find(who)
        if person is not None:
            person.devices.pop(token, None)

    def add_to_segment(self, segment: int, who: Who) -> None:
        """Add a person to a manual segment, if there is such a person."""
        person = self.people.find(who)
        if person is not None and not person.suppressed:
            person.segments = sorted({*person.segments, segment})

    def remove_from_segment(self, segment: int, who: Who) -> None:
        """Take a person out of a manual segment."""
        person = self.people.find(who)
        if person is not None and segment in person.segments:
            person.segments.remove(segment)

    # Events

    def track(self, who: Who, event: Event) -> None:
        """Take an event of a person, unless it is a repeat."""
        if event.id is None or event.id not in self._event_ids:
            person = self.people.upsert(who)
            if person is not None:
                self._keep(event, person)

    def track_anonymous(self, event: Event) -> None:
        """Take an event of somebody unknown, who may be known by the anonymous id by now."""
        if event.id is None or event.id not in self._event_ids:
            person = self.people.of_anonymous_id(event.anonymous_id)
            if person is None and event.anonymous_id is not None:
                places = self._anonymous_events.setdefault(event.anonymous_id, [])
                places.append(len(self.events))
            self._keep(event, person)

    def _keep(self, event: Event, person: Person | None) -> None:
        if event.id is not None:
            self._event_ids.add(event.id)
        self.events.append(_of(event, person, len(self.events)))

    def _give(self, place: int, person: Person) -> None:
        self.events[place] = _of(self.events[place], person, place)

    # Those not known yet

    def _recognise(self, person: Person, anonymous_id: str) -> None:
        if self.people.recognise(person, anonymous_id):
            for place in self._anonymous_events.pop(anonymous_id, ()):
                self._give(place, person)
            self.objects.recognise(anonymous_id, person.cio_id)

    def relate_anonymous(
        self, which: Which, anonymous_id: str, attributes: dict[str, Any]
    ) -> None:
        """Relate an object to somebody unknown, who may be known by the anonymous id by now."""
        person = self.people.of_anonymous_id(anonymous_id)
        found = self.objects.find(which)
        if person is not None:
            self.objects.relate(which, person.cio_id, attributes)
        elif found is not None:
            self.objects.relate_anonymous(found, anonymous_id, attributes)

    # Deliveries

    def report(self, metric: Metric) -> None:
        """Note what became of a delivery."""
        self.metrics.append(metric)

    def unsubscribe(self, delivery_id: str) -> None:
        """Unsubscribe the person to whom a message in the outbox went."""
        for message in self.messages:
            if message.delivery_id == delivery_id:
                ((kind, value),) = message.fields["identifiers"].items()
                self.identify(Who(kind, str(value)), {"unsubscribed": True}, update_only=True)


def _of(event: Event, person: Person | None, order: int) -> Event:
    if person is None:
        return replace(event, order=order)
    return replace(event, order=order, cio_id=person.cio_id, customer=person.name)


def _set_topic(attributes: dict[str, Any], topic: str, value: Any) -> None:
    """Change one subscription, as the dot notation of JSON has it, and keep the others."""
    held = attributes.get(PREFERENCES)
    preferences = held if isinstance(held, dict) else {}
    topics = preferences.get("topics")
    kept = topics if isinstance(topics, dict) else {}
    attributes[PREFERENCES] = {**preferences, "topics": {**kept, topic: value}}
