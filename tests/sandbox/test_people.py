"""The sandbox keeps people as Customer.io does: attributes, order, merges, suppression."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cio_events.sandbox import Person
from tests.sandbox.asking import Api


def identify(api: Api, identifier: str, **attributes: Any) -> None:
    """Set attributes of a person."""
    api.put(f"/api/v1/customers/{identifier}", json=attributes).raise_for_status()


def track(api: Api, identifier: str, name: str = "seen") -> None:
    """Have a person do something."""
    api.post(f"/api/v1/customers/{identifier}/events", json={"name": name}).raise_for_status()


def merge(api: Api, primary: str, secondary: str) -> None:
    """Merge two people by their ids."""
    body = {"primary": {"id": primary}, "secondary": {"id": secondary}}
    api.post("/api/v1/merge_customers", json=body).raise_for_status()


def person(api: Api, identifier: str) -> Person:
    """The person, who must be there."""
    found = api.sandbox.person(identifier)
    assert found is not None
    return found


def test_attributes_are_merged(api: Api) -> None:
    """An update adds and replaces; null and the empty text remove."""
    identify(api, "5", plan="basic", city="Rome", age=30, vip=False)
    identify(api, "5", plan="pro", city=None, age="", zero=0)

    assert person(api, "5").attributes == {"plan": "pro", "vip": False, "zero": 0}


def test_an_older_update_does_not_replace_a_newer_one(api: Api) -> None:
    """Each attribute keeps the time at which it was set, and v1 and v2 have one order."""
    identify(api, "5", plan="new", city="Rome", _timestamp=2000)
    identify(api, "5", plan="old", name="Lucy", _timestamp=1000)
    api.entity(
        type="person",
        action="identify",
        identifiers={"id": "5"},
        timestamp=1500,
        attributes={"plan": "older", "city": "Oslo", "name": "Lou"},
    )

    assert person(api, "5").attributes == {"plan": "new", "city": "Rome", "name": "Lou"}
    assert person(api, "5").timestamps == {"plan": 2000, "city": 2000, "name": 1500}


def test_in_one_second_the_last_to_arrive_holds(api: Api) -> None:
    """Equal times do not lose the later update."""
    identify(api, "5", plan="first", _timestamp=2000)
    identify(api, "5", plan="second", _timestamp=2000)

    assert person(api, "5").attributes == {"plan": "second"}


def test_an_older_update_does_not_revive_what_was_removed(api: Api) -> None:
    """A removal has its time too."""
    identify(api, "5", plan="pro", _timestamp=1000)
    identify(api, "5", plan=None, _timestamp=3000)
    identify(api, "5", plan="basic", _timestamp=2000)

    assert person(api, "5").attributes == {}


def test_an_update_without_a_time_is_of_now(api: Api) -> None:
    """It replaces what is of the past, and a retry of an older update does not undo it."""
    identify(api, "5", plan="old", _timestamp=int(time.time()) - 10)
    identify(api, "5", plan="now")
    identify(api, "5", plan="retried", _timestamp=int(time.time()) - 5)

    assert person(api, "5").attributes == {"plan": "now"}


def test_a_person_is_found_by_every_name(api: Api) -> None:
    """By id, by e-mail address in any case, and by cio_id with or without its prefix."""
    identify(api, "5", email="Lucy@example.com")
    lucy = person(api, "5")

    for name in ("LUCY@EXAMPLE.COM", lucy.cio_id, f"cio_{lucy.cio_id}"):
        assert person(api, name) == lucy
    assert api.sandbox.person("6") is None
    assert api.sandbox.events_of("6") == []


def test_a_new_id_with_a_known_address_is_the_known_person(api: Api) -> None:
    """The existing person gets the id; nobody is made."""
    identify(api, "lucy@example.com", plan="pro")
    identify(api, "5", email="lucy@example.com")

    (lucy,) = api.sandbox.people
    assert (lucy.id, lucy.email) == ("5", "lucy@example.com")
    assert lucy.attributes == {"plan": "pro", "email": "lucy@example.com"}


def test_an_identifier_of_somebody_else_is_not_taken_over(api: Api) -> None:
    """The rest of the update holds, as in Customer.io's Attribute Update Failure."""
    identify(api, "5", email="lucy@example.com")
    identify(api, "6", plan="basic")
    identify(api, "6", email="lucy@example.com", plan="pro")

    assert person(api, "6").email is None
    assert person(api, "6").attributes == {"plan": "pro"}
    assert person(api, "lucy@example.com").id == "5"


def test_an_address_is_changed_by_id_and_an_id_by_cio_id_alone(api: Api) -> None:
    """An id is fixed for whoever is named by it."""
    identify(api, "5", email="old@example.com")
    identify(api, "5", email="new@example.com", id="6")
    assert (person(api, "5").email, person(api, "5").id) == ("new@example.com", "5")
    assert api.sandbox.person("old@example.com") is None

    identify(api, f"cio_{person(api, '5').cio_id}", id="6")
    assert api.sandbox.person("5") is None
    assert person(api, "6").email == "new@example.com"


@pytest.mark.parametrize("name", ["nobody", "x" * 151 + "@example.com", 7.5, True, [], {}])
def test_what_is_no_address_does_not_become_one(api: Api, name: Any) -> None:
    """The rest of the update holds."""
    identify(api, "5", email=name, plan="pro")

    assert person(api, "5").email is None
    assert person(api, "5").attributes == {"plan": "pro"}


def test_an_address_is_not_changed_by_address(api: Api) -> None:
    """Nor taken away; but its case may change, since that is the same address."""
    identify(api, "5", email="old@example.com")
    identify(api, "old@example.com", email="new@example.com")
    identify(api, "old@example.com", email="")
    assert person(api, "5").email == "old@example.com"

    identify(api, "old@example.com", email="OLD@example.com")
    assert person(api, "5").email == "OLD@example.com"


def test_the_last_identifier_stays(api: Api) -> None:
    """A person is never without a name."""
    identify(api, "lucy@example.com", email="")
    assert person(api, "lucy@example.com").email == "lucy@example.com"

    identify(api, "5", email="5@example.com")
    identify(api, "5", email="")
    assert person(api, "5").email is None


def test_a_merge_moves_everything_to_the_primary(api: Api) -> None:
    """What the primary lacks, devices, events, relationships and segments; the secondary goes."""
    acme = {"identifiers": {"object_type_id": "1", "object_id": "acme"}}
    related = {"action": "add_relationships", "relationships": [acme]}
    identify(api, "5", plan="pro")
    identify(api, "6", plan="basic", city="Rome", email="6@example.com", cio_relationships=related)
    device = {"device": {"id": "token", "platform": "ios"}}
    api.put("/api/v1/customers/6/devices", json=device)
    api.post("/api/v1/segments/7/add_customers", json={"ids": ["6"]})
    track(api, "5", "mine")
    track(api, "6", "theirs")
    merge(api, "5", "6")

    (kept,) = api.sandbox.people
    assert (kept.id, kept.email) == ("5", "6@example.com")
    assert kept.attributes == {"plan": "pro", "city": "Rome"}
    assert list(kept.devices) == ["token"]
    assert [(r.object_id, r.customer) for r in kept.relationships] == [("acme", "5")]
    assert kept.segments == [7]
    assert [(e.name, e.customer) for e in api.sandbox.events_of("5")] == [
        ("mine", "5"),
        ("theirs", "5"),
    ]
    assert person(api, "6@example.com").id == "5"
    assert api.sandbox.person("6") is None


@pytest.mark.parametrize(("primary", "secondary"), [("5", "nobody"), ("nobody", "5"), ("5", "5")])
def test_a_merge_with_nobody_does_nothing(api: Api, primary: str, secondary: str) -> None:
    """It is accepted, and both stay what they are."""
    identify(api, "5", plan="pro")
    before = api.sandbox.people
    merge(api, primary, secondary)

    assert api.sandbox.people == before


def test_a_merge_with_a_suppressed_person_does_nothing(api: Api) -> None:
    """On either side: what names the suppressed is ignored."""
    identify(api, "5", plan="pro")
    identify(api, "6", email="6@example.com")
    api.post("/api/v1/customers/6/suppress")
    before = api.sandbox.people
    merge(api, "5", "6")
    merge(api, "6", "5")

    assert api.sandbox.people == before


def test_a_deleted_person_is_gone(api: Api) -> None:
    """The events stay in the list, and are not those of whoever takes the id next."""
    identify(api, "5", plan="pro", email="5@example.com")
    track(api, "5")
    api.delete("/api/v1/customers/5")
    assert api.sandbox.people == []
    assert api.sandbox.person("5@example.com") is None
    assert [event.customer for event in api.sandbox.events] == ["5"]

    identify(api, "5", city="Rome")
    assert person(api, "5").attributes == {"city": "Rome"}
    assert api.sandbox.events_of("5") == []


def test_a_suppressed_person_stays_out_until_unsuppressed(api: Api) -> None:
    """Everything known goes, and calls that name the person are accepted and ignored."""
    identify(api, "5", email="5@example.com", plan="pro")
    assert api.post("/api/v1/customers/5/suppress").json() == {}
    known = person(api, "5")
    assert (known.suppressed, known.email, known.attributes) == (True, "5@example.com", {})

    for name in ("5", "5%40example.com"):
        identify(api, name, plan="basic")
        track(api, name)
        device = {"device": {"id": "token", "platform": "ios"}}
        assert api.put(f"/api/v1/customers/{name}/devices", json=device).status_code == 200
        assert api.delete(f"/api/v1/customers/{name}").status_code == 200
    identify(api, "6", email="5@example.com")
    assert person(api, "5") == known
    assert api.sandbox.events == []

    api.post("/api/v1/customers/5/unsuppress")
    assert api.sandbox.person("5") is None
    identify(api, "5", plan="new")
    assert person(api, "5").attributes == {"plan": "new"}


def test_somebody_unknown_can_be_suppressed(api: Api) -> None:
    """The identifier is kept out before it was ever let in."""
    api.post("/api/v1/customers/5/suppress")
    track(api, "5")

    assert person(api, "5").suppressed
    assert api.sandbox.events == []


def test_anonymous_events_become_those_of_the_person(api: Api) -> None:
    """Earlier ones when the person gets the anonymous id, later ones as they arrive."""
    anonymous = {"anonymous_id": "cookie"}
    api.post("/api/v1/events", json={"name": "before", **anonymous})
    api.post("/api/v1/events", json={"name": "other", "anonymous_id": "another"})
    identify(api, "5", anonymous_id="cookie")
    api.post("/api/v1/events", json={"name": "after", **anonymous})

    assert [(e.name, e.customer) for e in api.sandbox.events] == [
        ("before", "5"),
        ("other", None),
        ("after", "5"),
    ]
    assert [event.name for event in api.sandbox.events_of("5")] == ["before", "after"]


def test_an_anonymous_id_is_not_reusable(api: Api) -> None:
    """The first person to have it keeps it."""
    identify(api, "5", anonymous_id="cookie")
    identify(api, "6", anonymous_id="cookie")
    api.post("/api/v1/events", json={"name": "seen", "anonymous_id": "cookie"})

    assert [event.customer for event in api.sandbox.events] == ["5"]


def test_an_anonymous_id_goes_with_the_person(api: Api) -> None:
    """Once they are deleted, their anonymous id is nobody's, and can be somebody else's."""
    identify(api, "5", anonymous_id="cookie")
    api.delete("/api/v1/customers/5")
    api.post("/api/v1/events", json={"name": "between", "anonymous_id": "cookie"})
    assert [event.customer for event in api.sandbox.events] == [None]

    identify(api, "6", anonymous_id="cookie")
    assert [event.customer for event in api.sandbox.events] == ["6"]


def test_a_relationship_of_both_keeps_the_primarys_attributes(api: Api) -> None:
    """The secondary adds what the primary's relationship does not say."""
    acme = {"object_type_id": "1", "object_id": "acme"}
    said: dict[str, dict[str, Any]] = {"5": {"role": "admin"}, "6": {"role": "viewer", "since": 1}}
    for name, attributes in said.items():
        related = {"identifiers": acme, "relationship_attributes": attributes}
        change = {"action": "add_relationships", "relationships": [related]}
        identify(api, name, cio_relationships=change)
    merge(api, "5", "6")

    assert [r.attributes for r in person(api, "5").relationships] == [
        {"role": "admin", "since": 1}
    ]
    assert [len(found.relationships) for found in api.sandbox.objects] == [1]


def test_the_anonymous_id_of_a_secondary_is_the_primarys(api: Api) -> None:
    """After a merge, anonymous events go to whoever stayed."""
    identify(api, "5")
    identify(api, "6", anonymous_id="cookie")
    merge(api, "5", "6")
    api.post("/api/v1/events", json={"name": "seen", "anonymous_id": "cookie"})

    assert [event.customer for event in api.sandbox.events] == ["5"]


def test_what_is_read_is_the_readers(api: Api) -> None:
    """Changing a snapshot changes nothing in the sandbox."""
    identify(api, "5", plan="pro")
    api.put("/api/v1/customers/5/devices", json={"device": {"id": "token", "platform": "ios"}})
    snapshot = person(api, "5")
    snapshot.attributes["plan"] = "changed"
    snapshot.devices["token"].attributes["x"] = "changed"
    snapshot.devices.clear()
    api.sandbox.people.clear()
    api.sandbox.requests.clear()

    assert person(api, "5").attributes == {"plan": "pro"}
    assert person(api, "5").devices["token"].attributes == {}
    assert len(api.sandbox.requests) == 2
