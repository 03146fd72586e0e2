"""
What the calls of the Track API do to the people, events and objects that the sandbox keeps.

The calls come here checked; nothing is refused, some are ignored, as Customer.io ignores them.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cio_events.sandbox import checks
from cio_events.sandbox.checks import Who
from cio_events.sandbox.exchange import InvalidError
from cio_events.sandbox.objects import Objects, set_attributes
from cio_events.sandbox.records import Device, Event, Message, Metric, Person

if TYPE_CHECKING:
    from cio_events.sandbox.checks import Which

PREFERENCES = "cio_subscription_preferences"


class World:
    """
    The people of one workspace, their events, objects and messages.

    `lock` guards all of it: whoever calls a method, and whoever reads, holds it. An endpoint
    holds it from the first item of a batch to the last.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.objects = Objects()
        self.events: list[Event] = []
        self.metrics: list[Metric] = []
        self.messages: list[Message] = []
        self._people: dict[str, Person] = {}
        self._by_identifier: dict[tuple[str, str], str] = {}
        self._by_anonymous_id: dict[str, str] = {}
        self._event_ids: set[str] = set()

    # People

    def people(self) -> Iterable[Person]:
        """Everybody, the suppressed too, in the order in which they were first heard of."""
        return self._people.values()

    def find(self, who: Who) -> Person | None:
        """The person of that identifier."""
        if who.type == "cio_id":
            return self._people.get(who.value.removeprefix("cio_"))
        if who.type == "phone":
            of_phone = (p for p in self._people.values() if p.attributes.get("phone") == who.value)
            return next(of_phone, None)
        return self._people.get(self._by_identifier.get(_key(who.type, who.value), ""))

    def upsert(self, who: Who) -> Person | None:
        """The person of that identifier, made if need be; None if the call is to be ignored."""
        person = self.find(who)
        if person is None and who.type != "cio_id":
            person = Person(cio_id=secrets.token_hex(6))
            self._people[person.cio_id] = person
            if who.type == "phone":
                person.attributes["phone"] = who.value
            else:
                self._name(person, who.type, who.value)
        return None if person is None or person.suppressed else person

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
        person = self.find(who)
        if person is None and who.type in ("id", "email"):
            person = self._of_attributes(attributes)
            if person is not None and not person.suppressed:
                self._name(person, who.type, who.value)
        if person is None and not update_only:
            person = self.upsert(who)
        if person is None or person.suppressed:
            return None
        at = int(time.time()) if timestamp is None else timestamp
        for name, value in attributes.items():
            # Equal seconds are in the order of arrival.
            if name == "cio_id" or person.timestamps.get(name, at) > at:
                continue
            if name in ("id", "email") and not self._rename(person, name, value, who):
                continue
            person.timestamps[name] = at
            _set_attribute(person.attributes, name, value)
            if name == "anonymous_id" and isinstance(value, str) and value:
                self._recognise(person, value)
        return person

    def delete(self, who: Who) -> None:
        """Remove a person; their events stay in the list of events, and nobody's."""
        person = self.find(who)
        if person is not None and not person.suppressed:
            self._remove(person)

    def suppress(self, who: Who) -> None:
        """Delete a person and ignore whatever names them from now on."""
        person = self.upsert(who)
        if person is not None:
            self._remove(person)
            husk = Person(person.cio_id, person.id, person.email, suppressed=True)
            self._people[husk.cio_id] = husk
            for kind in ("id", "email"):
                if getattr(husk, kind):
                    self._by_identifier[_key(kind, getattr(husk, kind))] = husk.cio_id

    def unsuppress(self, who: Who) -> None:
        """Let the identifiers of a suppressed person be used again."""
        person = self.find(who)
        if person is not None and person.suppressed:
            self._remove(person)

    def merge(self, primary_who: Who, secondary_who: Who) -> None:
        """Give the primary what only the secondary has, and remove the secondary."""
        primary, secondary = self.find(primary_who), self.find(secondary_who)
        if primary is None or secondary is None or primary is secondary:
            return
        if primary.suppressed or secondary.suppressed:
            return
        anonymous_ids = [k for k, v in self._by_anonymous_id.items() if v == secondary.cio_id]
        self.objects.hand_over(secondary.cio_id, primary.cio_id)
        self._remove(secondary)
        for kind in ("id", "email"):
            if not getattr(primary, kind) and getattr(secondary, kind):
                self._name(primary, kind, getattr(secondary, kind))
        for name, value in secondary.attributes.items():
            if name not in primary.attributes and name not in ("id", "email"):
                primary.attributes[name] = value
                primary.timestamps[name] = secondary.timestamps.get(name, 0)
        primary.devices = {**secondary.devices, **primary.devices}
        primary.segments = sorted({*primary.segments, *secondary.segments})
        self._by_anonymous_id.update(dict.fromkeys(anonymous_ids, primary.cio_id))
        for order, event in enumerate(self.events):
            if event.cio_id == secondary.cio_id:
                self.events[order] = _owned(event, primary)

    def add_device(
        self,
        who: Who,
        token: str,
        platform: str,
        last_used: int | None,
        attributes: dict[str, Any],
    ) -> None:
        """Add a device to a person, or update it."""
        person = self.upsert(who)
        if person is not None:
            device = person.devices.get(token) or Device(token, platform, 0)
            device.platform = platform
            device.last_used = int(time.time()) if last_used is None else last_used
            set_attributes(device.attributes, attributes)
            person.devices[token] = device

    def delete_device(self, who: Who, token: str) -> None:
        """Remove a device from a person."""
        person = self.find(who)
        if person is not None:
            person.devices.pop(token, None)

    # Events

    def track(
        self,
        who: Who,
        name: str,
        data: dict[str, Any],
        *,
        kind: str = "event",
        id: str | None = None,  # noqa: A002 - the field's own name
        timestamp: int | None = None,
    ) -> None:
        """Take a person's event, unless its id was seen before."""
        if id is None or id not in self._event_ids:
            person = self.upsert(who)
            if person is not None:
                self._record(person, None, name, data, kind, id, timestamp)

    def track_anonymous(
        self,
        anonymous_id: str | None,
        name: str,
        data: dict[str, Any],
        *,
        kind: str = "event",
        id: str | None = None,  # noqa: A002 - the field's own name
        timestamp: int | None = None,
    ) -> None:
        """Take an event of somebody unknown, who may be known by their anonymous id by now."""
        if id is None or id not in self._event_ids:
            person = self._people.get(self._by_anonymous_id.get(anonymous_id or "", ""))
            self._record(person, anonymous_id, name, data, kind, id, timestamp)

    def _record(
        self,
        person: Person | None,
        anonymous_id: str | None,
        name: str,
        data: dict[str, Any],
        kind: str,
        event_id: str | None,
        timestamp: int | None,
    ) -> None:
        if event_id is not None:
            self._event_ids.add(event_id)
        self.events.append(
            Event(
                order=len(self.events),
                id=event_id,
                name=name,
                type=kind,
                customer=None if person is None else person.name,
                cio_id=None if person is None else person.cio_id,
                anonymous_id=anonymous_id,
                data=data,
                timestamp=int(time.time()) if timestamp is None else timestamp,
            )
        )

    # Segments, objects, deliveries

    def add_to_segment(self, segment: int, who: Who) -> None:
        """Add a person to a manual segment, if there is such a person."""
        person = self.find(who)
        if person is not None and not person.suppressed:
            person.segments = sorted({*person.segments, segment})

    def remove_from_segment(self, segment: int, who: Who) -> None:
        """Take a person out of a manual segment."""
        person = self.find(who)
        if person is not None and segment in person.segments:
            person.segments.remove(segment)

    def relate_anonymous(
        self, which: Which, anonymous_id: str, attributes: dict[str, Any]
    ) -> None:
        """Relate an object to somebody unknown, who may be known by the anonymous id by now."""
        cio_id = self._by_anonymous_id.get(anonymous_id)
        found = self.objects.find(which)
        if cio_id is not None:
            self.objects.relate(which, cio_id, attributes)
        elif found is not None:
            self.objects.relate_anonymous(found, anonymous_id, attributes)

    def report(self, metric: Metric) -> None:
        """Note what became of a delivery."""
        self.metrics.append(metric)

    def unsubscribe(self, delivery_id: str) -> None:
        """Unsubscribe the person to whom a message in the outbox went."""
        for message in self.messages:
            if message.delivery_id == delivery_id:
                ((kind, value),) = message.fields["identifiers"].items()
                self.identify(Who(kind, str(value)), {"unsubscribed": True}, update_only=True)

    # How people come by their names

    def _of_attributes(self, attributes: dict[str, Any]) -> Person | None:
        for kind in ("id", "email"):
            value = attributes.get(kind)
            if isinstance(value, (str, int)) and value != "":
                person = self._people.get(self._by_identifier.get(_key(kind, str(value)), ""))
                if person is not None:
                    return person
        return None

    def _rename(self, person: Person, kind: str, value: Any, who: Who) -> bool:
        """Whether the person may be called so from now on; if so, it is done."""
        held = getattr(person, kind)
        # Only a call by cio_id changes an id; by id, an address is changed, as the workspace
        # setting "Allow updates to email using ID" has it.
        fixed = held is not None and kind == "id" and who.type != "cio_id"
        if value is None or value == "":
            other = person.email if kind == "id" else person.id
            if fixed or (held is not None and other is None):
                return False
            self._unname(person, kind)
            return True
        try:
            value = (checks.email if kind == "email" else checks.identifier)(value, kind)
        except InvalidError:
            return False
        holder = self._by_identifier.get(_key(kind, value), person.cio_id)
        if holder != person.cio_id or (fixed and held != value):
            return False
        self._name(person, kind, value)
        return True

    def _name(self, person: Person, kind: str, value: str) -> None:
        self._unname(person, kind)
        setattr(person, kind, value)
        self._by_identifier[_key(kind, value)] = person.cio_id

    def _unname(self, person: Person, kind: str) -> None:
        held = getattr(person, kind)
        if held is not None:
            del self._by_identifier[_key(kind, held)]
            setattr(person, kind, None)

    def _recognise(self, person: Person, anonymous_id: str) -> None:
        """What was anonymous under that id is this person's, and what comes will be."""
        if self._by_anonymous_id.setdefault(anonymous_id, person.cio_id) != person.cio_id:
            return
        for order, event in enumerate(self.events):
            if event.cio_id is None and event.anonymous_id == anonymous_id:
                self.events[order] = _owned(event, person)
        self.objects.recognise(anonymous_id, person.cio_id)

    def _remove(self, person: Person) -> None:
        for kind in ("id", "email"):
            held = getattr(person, kind)
            if held is not None:
                del self._by_identifier[_key(kind, held)]
        for anonymous_id in [k for k, v in self._by_anonymous_id.items() if v == person.cio_id]:
            del self._by_anonymous_id[anonymous_id]
        self.objects.forget_person(person.cio_id)
        del self._people[person.cio_id]


def _key(kind: str, value: str) -> tuple[str, str]:
    # Addresses that differ in case are one address.
    return kind, value.lower() if kind == "email" else value


def _owned(event: Event, person: Person) -> Event:
    return replace(event, cio_id=person.cio_id, customer=person.name)


def _set_attribute(attributes: dict[str, Any], name: str, value: Any) -> None:
    if name.startswith(f"{PREFERENCES}.topics."):
        # JSON dot notation changes one topic and keeps the others.
        topics = (attributes.get(PREFERENCES) or {}).get("topics") or {}
        topic = name.removeprefix(f"{PREFERENCES}.topics.")
        attributes[PREFERENCES] = {"topics": {**topics, topic: value}}
    else:
        set_attributes(attributes, {name: value})
