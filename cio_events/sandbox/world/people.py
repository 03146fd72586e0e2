"""Who is who: the people by their identifiers, and how they come by and lose those."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from cio_events.sandbox.model import checks
from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.explanations import InvalidError
from cio_events.sandbox.model.records import Person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox.model.checks import Who
    from cio_events.sandbox.model.explanations import Rule

NAMES = ("id", "email")

# What a call may not change, by the kind of identifier that it names the person by. Only by
# cio_id can everything be changed; by id also the address, as the workspace setting "Allow
# updates to email using ID" has it.
FIXED: dict[str, tuple[str, ...]] = {"id": ("id",), "email": NAMES, "phone": NAMES, "cio_id": ()}


class People:
    """The people of one workspace. The lock of the `World` they are in guards them."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._people: dict[str, Person] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        self._by_anonymous_id: dict[str, str] = {}

    def __iter__(self) -> Iterator[Person]:
        return iter(self._people.values())

    def find(self, who: Who) -> Person | None:
        """The person of that identifier, suppressed or not."""
        if who.type == "cio_id":
            return self._people.get(who.value.removeprefix("cio_"))
        if who.type == "phone":
            return next((p for p in self if p.attributes.get("phone") == who.value), None)
        return self._of_name(who.type, who.value)

    def upsert(self, who: Who) -> Person | None:
        """The person of that identifier, made if need be; None if the call is to be ignored."""
        person = self.find(who)
        if person is None and who.type != "cio_id":
            person = Person(cio_id=secrets.token_hex(6), workspace=self._workspace)
            self._people[person.cio_id] = person
            if who.type == "phone":
                person.attributes["phone"] = who.value
            else:
                self._name(person, who.type, who.value)
        return None if person is None or person.suppressed else person

    def claim(self, who: Who, attributes: dict[str, Any]) -> Person | None:
        """
        The person of that identifier, or else one who is named among the attributes.

        The latter has the identifier from now on.
        """
        person = self.find(who)
        if person is None and who.type in NAMES:
            person = self.named(attributes)
            if person is not None and not person.suppressed:
                self._name(person, who.type, who.value)
        return person

    def named(self, attributes: dict[str, Any]) -> Person | None:
        """The person whom identifiers among the attributes name."""
        named = [(kind, attributes[kind]) for kind in NAMES if attributes.get(kind)]
        people = (self._of_name(kind, str(value)) for kind, value in named)
        return next((found for found in people if found is not None), None)

    def names(self, person: Person | None) -> dict[str, str | None]:
        """The identifiers of a person, none for nobody."""
        return {} if person is None else {kind: getattr(person, kind) for kind in NAMES}

    def rename(self, person: Person, kind: str, value: Any, who: Who) -> Rule | None:
        """Change that identifier, unless a rule is against it for a call that names them so."""
        held = getattr(person, kind)
        fixed = held is not None and kind in FIXED[who.type]
        if value is None or value == "":
            last = held is not None and all(getattr(person, k) is None for k in NAMES if k != kind)
            if fixed or last:
                return rules.IDENTIFIER_FIXED
            self._unname(person, kind)
            return None
        try:
            name = (checks.email if kind == "email" else checks.identifier)(value, kind)
        except InvalidError:
            return rules.IDENTIFIER_UNUSABLE
        if self._by_name.get(_key(kind, name), person.cio_id) != person.cio_id:
            return rules.ADDRESS_TAKEN
        if fixed and _key(kind, name) != _key(kind, held):
            return rules.IDENTIFIER_FIXED
        self._name(person, kind, name)
        return None

    def remove(self, person: Person) -> None:
        """Forget a person."""
        for kind in NAMES:
            held = getattr(person, kind)
            if held is not None:
                del self._by_name[_key(kind, held)]
        for anonymous_id in self._anonymous_ids(person):
            del self._by_anonymous_id[anonymous_id]
        del self._people[person.cio_id]

    def suppress(self, person: Person) -> None:
        """Forget all but the identifiers of a person, which keep calls away from now on."""
        self.remove(person)
        husk = Person(person.cio_id, suppressed=True, workspace=self._workspace)
        self._people[husk.cio_id] = husk
        self._name_after(husk, person)

    def absorb(self, primary: Person, secondary: Person) -> None:
        """Forget the secondary; the primary gets the identifiers that it has none of."""
        anonymous_ids = self._anonymous_ids(secondary)
        self.remove(secondary)
        self._name_after(primary, secondary)
        self._by_anonymous_id.update(dict.fromkeys(anonymous_ids, primary.cio_id))

    def recognise(self, person: Person, anonymous_id: str) -> bool:
        """Whether that anonymous id is this person's; it is whose it was first."""
        return self._by_anonymous_id.setdefault(anonymous_id, person.cio_id) == person.cio_id

    def of_anonymous_id(self, anonymous_id: str | None) -> Person | None:
        """The person whose anonymous id that is."""
        return self._people.get(self._by_anonymous_id.get(anonymous_id or "", ""))

    def _of_name(self, kind: str, value: str) -> Person | None:
        return self._people.get(self._by_name.get(_key(kind, value), ""))

    def _anonymous_ids(self, person: Person) -> list[str]:
        return [id_ for id_, of in self._by_anonymous_id.items() if of == person.cio_id]

    def _name(self, person: Person, kind: str, value: str) -> None:
        self._unname(person, kind)
        setattr(person, kind, value)
        self._by_name[_key(kind, value)] = person.cio_id

    def _unname(self, person: Person, kind: str) -> None:
        held = getattr(person, kind)
        if held is not None:
            del self._by_name[_key(kind, held)]
            setattr(person, kind, None)

    def _name_after(self, person: Person, other: Person) -> None:
        for kind in NAMES:
            if getattr(person, kind) is None and getattr(other, kind) is not None:
                self._name(person, kind, getattr(other, kind))


def _key(kind: str, value: str) -> tuple[str, str]:
    # Addresses that differ in case are one address.
    return kind, value.lower() if kind == "email" else value
