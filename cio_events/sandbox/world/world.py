"""
What the calls of the Track API do to the people, events and objects that the sandbox keeps.

The calls come here checked; nothing is refused, some are ignored, as Customer.io ignores them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model import limits
from cio_events.sandbox.model.checks import Who
from cio_events.sandbox.model.explanations import explain
from cio_events.sandbox.model.records import Event, Metric, OutboxMessage, Person, PersonDevice
from cio_events.sandbox.world.objects import Objects, set_attributes
from cio_events.sandbox.world.people import NAMES, People

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cio_events.sandbox.model.checks import Which
    from cio_events.sandbox.model.explanations import Explanation, Rule
    from cio_events.sandbox.world.archive import Archive

PREFERENCES = "cio_subscription_preferences"
TOPIC = f"{PREFERENCES}.topics."
# How long ago an event may have happened to trigger a campaign.
CAMPAIGN_SECONDS = 72 * 3600


class World:
    """
    One workspace: its people and their events, its objects and its messages.

    The lock of the `Worlds` that it is one of guards it.

    Args:
        workspace: Its name.
        archive: Where the events, metrics and messages of all go.
        worlds: All of them, by their names.
    """

    def __init__(self, workspace: str, archive: Archive, worlds: Mapping[str, World]) -> None:
        self._workspace = workspace
        self._archive = archive
        self._worlds = worlds
        self.people: People = People(workspace)
        self.objects: Objects = Objects(workspace)
        self._findings: list[Explanation] = []
        # Broadcast → when it was triggered last, and how often.
        self._triggered: dict[int, tuple[float, int]] = {}
        # Anonymous id → the places of the events that are nobody's yet.
        self._anonymous_events: dict[str, list[int]] = {}

    # Findings: what is accepted, and not as was meant

    def take_findings(self) -> list[Explanation]:
        """What was found since this was asked last."""
        found, self._findings = self._findings, []
        return found

    def _find(self, rule: Rule, field: str, message: str, value: Any = None) -> None:
        self._findings.append(explain(rule, field, message, value))

    def _nobody(self, who: Who, field: str = "identifiers") -> None:
        self._find(rules.NOBODY, field, f"there is nobody with that {who.type}", who.value)

    def _upsert(self, who: Who) -> Person | None:
        person = self.people.upsert(who)
        if person is None and self.people.find(who) is not None:
            self._find(rules.SUPPRESSED, "identifiers", "the person is suppressed", who.value)
        elif person is None:
            self._nobody(who)
        return person

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
        known = self.people.find(who)
        before = self.people.names(self.people.named(attributes)) if known is None else {}
        person = self.people.claim(who, attributes)
        if person is None and update_only:
            self._nobody(who)
            return None
        if person is None or person.suppressed:
            person = self._upsert(who)
        if person is None:
            return None
        held = before.get(who.type)
        if held is not None and held != who.value:
            message = f"the person with {who.type} {held} has the {who.type} {who.value} now"
            self._find(rules.IDENTIFIER_MOVED, who.type, message, who.value)
        at = int(time.time()) if timestamp is None else timestamp
        for name, value in attributes.items():
            # Equal seconds are in the order of arrival.
            if name == "cio_id":
                continue
            if person.timestamps.get(name, at) > at:
                self._find(rules.OUTDATED, name, f"{name} was set by a later update", value)
                continue
            if name in NAMES:
                against = self.people.rename(person, name, value, who)
                if against is not None:
                    message = f"{name} is not changed: {against.name}"
                    self._find(against, name, message, value)
                    continue
            person.timestamps[name] = at
            person.sources[name] = self._archive.request
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
        if person is None:
            self._nobody(who)
        elif not person.suppressed:
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
        if primary is None or secondary is None:
            missing = ("primary", primary_who) if primary is None else ("secondary", secondary_who)
            self._nobody(missing[1], missing[0])
            return
        if primary is secondary:
            return
        if primary.suppressed or secondary.suppressed:
            return
        self.objects.hand_over(secondary.cio_id, primary.cio_id)
        secondary_name = secondary.name
        self.people.absorb(primary, secondary)
        for name, value in secondary.attributes.items():
            if name not in primary.attributes and name not in NAMES:
                primary.attributes[name] = value
                primary.timestamps[name] = secondary.timestamps.get(name, 0)
                primary.sources[name] = secondary.sources.get(name, self._archive.request)
        primary.merged += [*secondary.merged, secondary_name]
        primary.devices = {**secondary.devices, **primary.devices}
        primary.segments = sorted({*primary.segments, *secondary.segments})
        for event in list(self._archive.events):
            if event.cio_id == secondary.cio_id:
                self._give(event.order, primary)

    def add_device(
        self,
        who: Who,
        token: str,
        platform: str,
        last_used: int | None,
        attributes: dict[str, Any],
    ) -> None:
        """Add a device to a person, or update it."""
        person = self._upsert(who)
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
        if not self._is_repeat(event):
            person = self._upsert(who)
            if person is not None:
                self._keep(event, person)

    def track_anonymous(self, event: Event) -> None:
        """Take an event of somebody unknown, who may be known by the anonymous id by now."""
        if not self._is_repeat(event):
            person = self.people.of_anonymous_id(event.anonymous_id)
            if person is None and event.anonymous_id is not None:
                places = self._anonymous_events.setdefault(event.anonymous_id, [])
                places.append(self._archive.events.following)
            self._keep(event, person)

    def _is_repeat(self, event: Event) -> bool:
        if event.id is None:
            return False
        first = self._archive.first_request(self._workspace, event.id)
        if first is None:
            return False
        self._find(rules.REPEATED, "id", f"same id as request {first}: counted once", event.id)
        return True

    def _keep(self, event: Event, person: Person | None) -> None:
        if event.id is not None:
            self._archive.note(self._workspace, event.id)
        if event.timestamp < time.time() - CAMPAIGN_SECONDS:
            message = "older than 72 hours: triggers no campaign"
            self._find(rules.LATE, "timestamp", message, event.timestamp)
        events = self._archive.events
        kept = replace(event, workspace=self._workspace, order=events.following)
        events.add(_of(kept, person))

    def _give(self, order: int, person: Person) -> None:
        event = self._archive.events.get(order)
        if event is not None:
            self._archive.events.replace(order, _of(event, person))

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

    def send(self, message: OutboxMessage, size: int) -> None:
        """Put a message of so many bytes into the outbox."""
        self._archive.messages.add(replace(message, workspace=self._workspace), size)

    def trigger(self, broadcast: int) -> int | None:
        """The number of a broadcast's next trigger; None if it is too soon for one."""
        last, number = self._triggered.get(broadcast, (float("-inf"), 0))
        now = time.monotonic()
        if now - last < limits.BROADCAST_SECONDS:
            return None
        self._triggered[broadcast] = now, number + 1
        return number + 1

    def of_recipient(self, who: Who) -> World:
        """
        The workspace of the person whom a message names.

        An App API key does not say whose site id it belongs to: it is the one workspace that
        knows the person, and the key's own where none or several do.
        """
        known = [world for world in self._worlds.values() if world.people.find(who) is not None]
        return known[0] if len(known) == 1 else self

    def report(self, metric: Metric) -> None:
        """Note what became of a delivery."""
        self._archive.metrics.add(replace(metric, workspace=self._workspace))

    def unsubscribe(self, delivery_id: str) -> None:
        """Unsubscribe the person to whom a message in the outbox went."""
        for message in self._archive.messages:
            if message.delivery_id == delivery_id:
                ((kind, value),) = message.fields["identifiers"].items()
                who = Who(kind, str(value))
                theirs = self._worlds[message.workspace].of_recipient(who)
                theirs.identify(who, {"unsubscribed": True}, update_only=True)


def _of(event: Event, person: Person | None) -> Event:
    if person is None:
        return event
    return replace(event, cio_id=person.cio_id, customer=person.name)


def _set_topic(attributes: dict[str, Any], topic: str, value: Any) -> None:
    """Change one subscription, as the dot notation of JSON has it, and keep the others."""
    held = attributes.get(PREFERENCES)
    preferences = held if isinstance(held, dict) else {}
    topics = preferences.get("topics")
    kept = topics if isinstance(topics, dict) else {}
    attributes[PREFERENCES] = {**preferences, "topics": {**kept, topic: value}}
