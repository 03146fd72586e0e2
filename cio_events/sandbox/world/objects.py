"""The objects that people are related to, and who is related to which."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from cio_events.sandbox.model.records import CustomObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox.model.checks import Which


class Objects:
    """The objects of one workspace. The lock of the `World` they are in guards them."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._objects: dict[str, CustomObject] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        # cio_object_id → the person's cio_id, or the anonymous id → the relationship's attributes.
        self._people: dict[str, dict[str, dict[str, Any]]] = {}
        self._anonymous: dict[str, dict[str, dict[str, Any]]] = {}

    def __iter__(self) -> Iterator[CustomObject]:
        return iter(self._objects.values())

    def people(self, found: CustomObject) -> dict[str, dict[str, Any]]:
        """Who is related to an object: the person's `cio_id` → the relationship's attributes."""
        return self._people[found.cio_object_id]

    def anonymous_ids(self, found: CustomObject) -> list[str]:
        """Those related to an object who are not known yet."""
        return list(self._anonymous[found.cio_object_id])

    def find(self, which: Which) -> CustomObject | None:
        """The object of that name."""
        if which.cio_object_id is not None:
            return self._objects.get(which.cio_object_id)
        name = (which.object_type_id or "", which.object_id or "")
        return self._objects.get(self._by_name.get(name, ""))

    def identify(self, which: Which, attributes: dict[str, Any]) -> CustomObject | None:
        """Make or update an object; None, and nothing done, for an unknown `cio_object_id`."""
        found = self.find(which)
        if found is None:
            if which.object_type_id is None or which.object_id is None:
                return None
            cio_object_id = "ob" + secrets.token_hex(5)
            found = CustomObject(
                which.object_type_id, which.object_id, cio_object_id, workspace=self._workspace
            )
            self._objects[cio_object_id] = found
            self._by_name[found.object_type_id, found.object_id] = cio_object_id
            self._people[cio_object_id] = {}
            self._anonymous[cio_object_id] = {}
        set_attributes(found.attributes, attributes)
        return found

    def delete(self, which: Which) -> None:
        """Remove an object and everybody's relationship to it."""
        found = self.find(which)
        if found is not None:
            del self._objects[found.cio_object_id]
            del self._by_name[found.object_type_id, found.object_id]
            del self._people[found.cio_object_id]
            del self._anonymous[found.cio_object_id]

    def relate(self, which: Which, cio_id: str, attributes: dict[str, Any]) -> None:
        """Relate a person to an object, which is made if need be."""
        found = self.identify(which, {})
        if found is not None:
            set_attributes(self.people(found).setdefault(cio_id, {}), attributes)

    def relate_anonymous(
        self, found: CustomObject, anonymous_id: str, attributes: dict[str, Any]
    ) -> None:
        """Relate somebody to an object who is known by an anonymous id alone."""
        related = self._anonymous[found.cio_object_id].setdefault(anonymous_id, {})
        set_attributes(related, attributes)

    def unrelate(self, which: Which, cio_id: str) -> None:
        """End a person's relationship to an object."""
        found = self.find(which)
        if found is not None:
            self.people(found).pop(cio_id, None)

    def recognise(self, anonymous_id: str, cio_id: str) -> None:
        """Give a person the relationships of an anonymous id."""
        for cio_object_id, related in self._anonymous.items():
            attributes = related.pop(anonymous_id, None)
            if attributes is not None:
                set_attributes(self._people[cio_object_id].setdefault(cio_id, {}), attributes)

    def hand_over(self, secondary: str, primary: str) -> None:
        """Give one person (a `cio_id`) the relationships of another; their own attributes win."""
        for related in self._people.values():
            if secondary in related:
                related[primary] = {**related.pop(secondary), **related.get(primary, {})}

    def forget_person(self, cio_id: str) -> None:
        """End all relationships of a person."""
        for related in self._people.values():
            related.pop(cio_id, None)


def set_attributes(held: dict[str, Any], attributes: dict[str, Any]) -> None:
    """Merge attributes; null and the empty text remove one."""
    for name, value in attributes.items():
        if value is None or value == "":
            held.pop(name, None)
        else:
            held[name] = value
