"""The sandbox answers the Track API, version 2, as the vendor's schema says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from cio_events.sandbox import Metric
from tests.sandbox.asking import Api

ULID = "01HFV2Z4Q8J9K3M5N7P1R6T0WX"
PERSON = {"type": "person", "identifiers": {"id": "42"}}
ACME = {"type": "object", "identifiers": {"object_type_id": "1", "object_id": "acme"}}
OBB = {"cio_object_id": "obb7fd050101"}
TOKEN = "a83b219c-e756-4c5b-a8e3-d1a5c5b2f3c1"
DELIVERY = {
    "type": "delivery",
    "identifiers": {"id": "RPIyMTM6OjEyMzQ="},
    "action": "event",
    "name": "opened",
    "attributes": {"device_token": TOKEN},
}


def event(number: int = 0, **fields: Any) -> dict[str, Any]:
    """An event of person 42 that differs from others by its number."""
    return {**PERSON, "action": "event", "name": "purchase", "attributes": {"n": number}, **fields}


def test_the_schemas_batch_is_done(api: Api) -> None:
    """People and objects mix in one batch, and each item finds what those before it did."""
    answer = api.batch(
        {
            **PERSON,
            "action": "identify",
            "attributes": {"first_name": "Jane", "last_name": "Doe", "plan": "premium"},
        },
        {
            **ACME,
            "action": "identify",
            "attributes": {"name": "Acme Corp", "plan": "enterprise", "seats": 50},
        },
        {
            **ACME,
            "action": "add_relationships",
            "cio_relationships": [
                {"identifiers": {"id": "42"}, "relationship_attributes": {"role": "admin"}}
            ],
        },
    )

    assert (answer.status_code, answer.json()) == (200, {})
    (jane,) = api.sandbox.people
    assert jane.attributes == {"first_name": "Jane", "last_name": "Doe", "plan": "premium"}
    (acme,) = api.sandbox.objects
    assert (acme.object_type_id, acme.object_id) == ("1", "acme")
    assert acme.attributes == {"name": "Acme Corp", "plan": "enterprise", "seats": 50}
    assert acme.relationships == jane.relationships
    assert [(r.customer, r.attributes) for r in acme.relationships] == [("42", {"role": "admin"})]


# The schema's example of each operation.
EXAMPLES: list[dict[str, Any]] = [
    {**PERSON, "action": "identify", "attributes": {"first_name": "Jane"}},
    {**PERSON, "action": "delete"},
    {
        **PERSON,
        "action": "event",
        "name": "purchase",
        "attributes": {"product": "Widget", "price": 29.99},
    },
    {**PERSON, "action": "page", "name": "/pricing", "attributes": {"url": "https://x.com"}},
    {**PERSON, "action": "screen", "name": "Dashboard", "attributes": {"app_version": "2.1.0"}},
    {
        **PERSON,
        "action": "add_relationships",
        "cio_relationships": [
            {"identifiers": ACME["identifiers"], "relationship_attributes": {"role": "admin"}}
        ],
    },
    {
        **PERSON,
        "action": "delete_relationships",
        "cio_relationships": [{"identifiers": ACME["identifiers"]}],
    },
    {
        **PERSON,
        "action": "add_device",
        "device": {"token": TOKEN, "platform": "ios", "last_used": 1713484800},
    },
    {**PERSON, "action": "delete_device", "device": {"token": TOKEN}},
    {
        "type": "person",
        "action": "merge",
        "primary": {"id": "42"},
        "secondary": {"id": "known-user-456"},
    },
    {**PERSON, "action": "suppress"},
    {**PERSON, "action": "unsuppress"},
    {**ACME, "action": "identify", "attributes": {"name": "Acme Corp"}},
    {**ACME, "action": "identify_anonymous", "anonymous_id": "anon-abc-123"},
    {**ACME, "action": "delete"},
    {
        **ACME,
        "action": "add_relationships",
        "cio_relationships": [
            {"identifiers": {"id": "42"}, "relationship_attributes": {"role": "admin"}}
        ],
    },
    {
        **ACME,
        "action": "delete_relationships",
        "cio_relationships": [{"identifiers": {"id": "42"}}],
    },
    DELIVERY,
]


@pytest.mark.parametrize("operation", EXAMPLES, ids=lambda o: f"{o['type']} {o['action']}")
def test_every_operation_of_the_schema_is_accepted(api: Api, operation: dict[str, Any]) -> None:
    """Alone and in a batch."""
    alone, together = api.entity(**operation), api.batch(operation)

    assert (alone.status_code, alone.json()) == (200, {})
    assert (together.status_code, together.json()) == (200, {})


@pytest.mark.parametrize("action", ["event", "page", "screen"])
def test_an_event_arrives_whole(api: Api, action: str) -> None:
    """Name, attributes, id and timestamp are kept; a repeat is accepted and is not."""
    operation = event(1, action=action, id=ULID, timestamp=1700000000)
    for _ in range(2):
        assert api.batch(operation).status_code == 200

    (kept,) = api.sandbox.events
    assert (kept.id, kept.name, kept.type, kept.customer) == (ULID, "purchase", action, "42")
    assert (kept.data, kept.timestamp) == ({"n": 1}, 1700000000)


def test_a_repeat_is_known_across_versions(api: Api) -> None:
    """What v2 accepted, a retry over v1 does not add again."""
    api.batch(event(id=ULID))
    api.post("/api/v1/customers/42/events", json={"name": "purchase", "id": ULID})

    assert len(api.sandbox.events) == 1


def test_devices_come_and_go(api: Api) -> None:
    """A device is named by its token here."""
    api.batch({**PERSON, "action": "add_device", "device": {"token": "t", "platform": "android"}})
    (person,) = api.sandbox.people
    assert [device.platform for device in person.devices.values()] == ["android"]

    api.batch({**PERSON, "action": "delete_device", "device": {"token": "t"}})
    (person,) = api.sandbox.people
    assert person.devices == {}


def test_people_are_named_by_any_identifier(api: Api) -> None:
    """By id (a number too), e-mail address, phone and cio_id."""
    for named in ({"id": 42}, {"email": "42@example.com"}, {"phone": "+14155552671"}):
        answer = api.batch({**event(), "identifiers": named})
        assert answer.status_code == 200
    assert [person.name for person in api.sandbox.people][:2] == ["42", "42@example.com"]

    by_phone = api.sandbox.people[2]
    assert by_phone.attributes == {"phone": "+14155552671"}
    api.batch({**event(), "identifiers": {"phone": "+14155552671"}})
    api.batch({**event(), "identifiers": {"cio_id": by_phone.cio_id}})
    assert len(api.sandbox.events_of(by_phone.cio_id)) == 3
    assert len(api.sandbox.people) == 3


def test_a_bad_item_is_listed_and_the_rest_is_done(api: Api) -> None:
    """207, with each error under its place in the batch."""
    answer = api.batch(
        event(0),
        event(1, name=""),
        event(2),
        event(3, identifiers={}),
        "what is this",
        event(5, timestamp="now"),
        event(6),
    )

    assert answer.status_code == 207
    assert answer.json() == {
        "errors": [
            {
                "batch_index": 1,
                "reason": "required",
                "field": "name",
                "message": "name must not be blank",
            },
            {
                "batch_index": 3,
                "reason": "invalid",
                "field": "identifiers",
                "message": "identifiers must hold exactly one of id, email, cio_id, phone",
            },
            {
                "batch_index": 4,
                "reason": "invalid",
                "field": "",
                "message": "an operation must be an object",
            },
            {
                "batch_index": 5,
                "reason": "invalid",
                "field": "timestamp",
                "message": "timestamp must be unix seconds, an integer",
            },
        ]
    }
    assert [kept.data["n"] for kept in api.sandbox.events] == [0, 2, 6]


def test_a_batch_of_nothing_but_bad_items_is_a_207(api: Api) -> None:
    """The request itself was well formed."""
    answer = api.batch(event(name=""))

    assert answer.status_code == 207
    assert [error["batch_index"] for error in answer.json()["errors"]] == [0]


def test_an_empty_batch_is_fine(api: Api) -> None:
    """Nothing to do is done."""
    assert api.batch().status_code == 200


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        (b"{", "invalid", "body"),
        (b'{"batch": [{"x": NaN}]}', "invalid", "body"),
        (b"[]", "invalid", "body"),
        (b"", "invalid", "body"),
        (b"{}", "required", "batch"),
        (b'{"batch": {}}', "invalid", "batch"),
        (b'{"batch": null}', "invalid", "batch"),
    ],
)
def test_a_malformed_batch_is_refused_as_a_whole(
    api: Api, body: bytes, reason: str, field: str
) -> None:
    """400, and nothing was done."""
    answer = api.post("/api/v2/batch", data=body)

    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["reason"], error["field"]) == (reason, field)
    assert set(error) == {"reason", "field", "message"}
    assert api.sandbox.events == []


def sized(most: int, build: Any) -> bytes:
    """The JSON of what `build` makes of a padding, as large as allowed to the byte."""
    padding = most - len(orjson.dumps(build("")))
    return orjson.dumps(build("x" * padding))


def test_a_batch_may_be_500_000_bytes(api: Api) -> None:
    """To the byte, and one more is too many."""
    full = [event(attributes={"x": "y" * 30_000})] * 16
    body = sized(500_000, lambda padding: {"batch": [*full, event(attributes={"x": padding})]})
    assert len(body) == 500_000
    assert api.post("/api/v2/batch", data=body).status_code == 200

    answer = api.post("/api/v2/batch", data=body + b" ")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["reason"] == "too_large"
    assert len(api.sandbox.events) == 17


def test_an_item_may_be_32_000_bytes(api: Api) -> None:
    """To the byte, and one more is an error of the item, not of the batch."""
    fits = orjson.loads(sized(32_000, lambda padding: event(attributes={"x": padding})))
    larger = {**fits, "attributes": {"x": fits["attributes"]["x"] + "x"}}
    answer = api.post("/api/v2/batch", data=orjson.dumps({"batch": [fits, larger, event()]}))

    assert answer.status_code == 207
    assert [(e["batch_index"], e["reason"]) for e in answer.json()["errors"]] == [(1, "too_large")]
    assert len(api.sandbox.events) == 2


def test_an_entity_may_be_32_000_bytes(api: Api) -> None:
    """To the byte, and one more is refused."""
    body = sized(32_000, lambda padding: event(attributes={"x": padding}))
    assert api.post("/api/v2/entity", data=body).status_code == 200

    answer = api.post("/api/v2/entity", data=body + b" ")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["reason"] == "too_large"


def relationships(**identifiers: Any) -> list[dict[str, Any]]:
    """A list of one relationship."""
    return [{"identifiers": identifiers}]


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({}, "type"),
        ({**PERSON, "type": "robot"}, "type"),
        (PERSON, "action"),
        ({**PERSON, "action": "dance"}, "action"),
        ({**ACME, "action": "event"}, "action"),
        ({"type": "person", "action": "delete"}, "identifiers"),
        ({**event(), "identifiers": {"id": "1", "email": "a@b"}}, "identifiers"),
        ({**event(), "identifiers": {"anonymous_id": "1"}}, "identifiers"),
        ({**event(), "identifiers": {"id": ""}}, "identifiers.id"),
        ({**event(), "identifiers": {"id": None}}, "identifiers.id"),
        ({**event(), "identifiers": {"id": True}}, "identifiers.id"),
        ({**event(), "identifiers": {"id": "x" * 151}}, "identifiers.id"),
        ({**event(), "identifiers": {"email": "nobody"}}, "identifiers.email"),
        ({**PERSON, "action": "page"}, "name"),
        (event(name="x" * 101), "name"),
        (event(attributes=[]), "attributes"),
        (event(id=7), "id"),
        (event(timestamp=1.5), "timestamp"),
        (event(timestamp=-1), "timestamp"),
        ({**PERSON, "action": "identify", "attributes": 1}, "attributes"),
        (
            {**PERSON, "action": "identify", "attributes": {str(n): n for n in range(301)}},
            "attributes",
        ),
        ({**PERSON, "action": "identify", "cio_relationships": {}}, "cio_relationships"),
        (
            {**PERSON, "action": "identify", "cio_relationships": relationships(object_id="x")},
            "cio_relationships[0].identifiers.object_type_id",
        ),
        ({"type": "person", "action": "merge", "primary": {"id": "1"}}, "secondary"),
        ({**PERSON, "action": "add_device"}, "device"),
        ({**PERSON, "action": "add_device", "device": {"id": "t"}}, "device.token"),
        (
            {**PERSON, "action": "add_device", "device": {"token": "t", "platform": "tv"}},
            "device.platform",
        ),
        ({**PERSON, "action": "delete_device", "device": {}}, "device.token"),
        ({**PERSON, "action": "add_relationships"}, "cio_relationships"),
        ({**ACME, "action": "add_relationships"}, "cio_relationships"),
        (
            {**ACME, "action": "add_relationships", "cio_relationships": relationships(name="x")},
            "cio_relationships[0].identifiers",
        ),
        ({**ACME, "action": "identify", "identifiers": {"name": "acme"}}, "identifiers"),
        (
            {**ACME, "action": "identify", "identifiers": {"object_type_id": "1"}},
            "identifiers.object_id",
        ),
        ({**ACME, "action": "identify", "identifiers": None}, "identifiers"),
        ({**DELIVERY, "identifiers": {}}, "identifiers.id"),
        ({**DELIVERY, "name": "eaten"}, "name"),
        ({**DELIVERY, "attributes": {}}, "attributes.device_token"),
    ],
)
def test_what_customer_io_refuses_is_refused(
    api: Api, operation: dict[str, Any], field: str
) -> None:
    """Alone a 400 and in a batch a 207, with the same field, and nothing done."""
    alone, together = api.entity(**operation), api.batch(operation)

    assert (alone.status_code, together.status_code) == (400, 207)
    (error,) = alone.json()["errors"]
    assert error["field"] == field
    assert field in error["message"]
    assert together.json()["errors"] == [{"batch_index": 0, **error}]
    assert (api.sandbox.people, api.sandbox.objects, api.sandbox.events) == ([], [], [])


def test_update_only_makes_nobody(api: Api) -> None:
    """`_update` among the attributes changes whom there is, and is no attribute itself."""
    update = {**PERSON, "action": "identify", "attributes": {"_update": True, "plan": "pro"}}
    api.batch(update)
    assert api.sandbox.people == []

    api.batch({**PERSON, "action": "identify"}, update)
    assert [person.attributes for person in api.sandbox.people] == [{"plan": "pro"}]


def test_suppress_unsuppress_merge_and_delete(api: Api) -> None:
    """They do what they do in v1."""
    api.batch(event(), {**PERSON, "action": "suppress"}, event())
    assert [person.suppressed for person in api.sandbox.people] == [True]
    assert len(api.sandbox.events) == 1

    api.batch({**PERSON, "action": "unsuppress"}, event())
    assert len(api.sandbox.events_of("42")) == 1

    other = {**event(), "identifiers": {"email": "a@example.com"}}
    merge = {"type": "person", "action": "merge", "primary": {"id": "42"}}
    api.batch(other, {**merge, "secondary": {"email": "a@example.com"}})
    (person,) = api.sandbox.people
    assert (person.id, person.email) == ("42", "a@example.com")
    assert len(api.sandbox.events_of("42")) == 2

    api.batch({**PERSON, "action": "delete"})
    assert api.sandbox.people == []


def test_objects_are_updated_related_and_deleted(api: Api) -> None:
    """By type and id or by cio_object_id; a deleted object leaves nobody related to it."""
    jane = {"identifiers": {"id": "42"}, "relationship_attributes": {"role": "admin", "x": 1}}
    api.batch(
        {**ACME, "action": "identify", "attributes": {"seats": 5}, "cio_relationships": [jane]}
    )
    (acme,) = api.sandbox.objects
    by_cio_id = {"type": "object", "identifiers": {"cio_object_id": acme.cio_object_id}}
    changed = {"identifiers": {"id": "42"}, "relationship_attributes": {"x": None}}
    api.batch(
        {**by_cio_id, "action": "identify", "attributes": {"seats": None, "plan": "pro"}},
        {**ACME, "action": "add_relationships", "cio_relationships": [changed]},
    )
    (acme,) = api.sandbox.objects
    assert acme.attributes == {"plan": "pro"}
    assert [r.attributes for r in acme.relationships] == [{"role": "admin"}]

    api.batch({**ACME, "action": "delete_relationships", "cio_relationships": [jane]})
    assert [found.relationships for found in api.sandbox.objects] == [[]]

    api.batch(
        {**ACME, "action": "add_relationships", "cio_relationships": [jane]},
        {**by_cio_id, "action": "delete"},
    )
    assert api.sandbox.objects == []
    assert [person.relationships for person in api.sandbox.people] == [[]]


def test_an_unknown_cio_object_id_makes_no_object(api: Api) -> None:
    """Only Customer.io gives them out."""
    unknown = {"type": "object", "identifiers": OBB}
    related = relationships(id="42")
    answer = api.batch(
        {**unknown, "action": "identify", "cio_relationships": related},
        {**unknown, "action": "identify_anonymous", "anonymous_id": "cookie"},
        {**unknown, "action": "add_relationships", "cio_relationships": related},
        {**unknown, "action": "delete_relationships", "cio_relationships": related},
        {**unknown, "action": "delete"},
        {**PERSON, "action": "add_relationships", "cio_relationships": relationships(**OBB)},
    )
    assert answer.status_code == 200
    assert api.sandbox.objects == []


def test_people_add_and_delete_relationships(api: Api) -> None:
    """From the person's side, with objects that are made if need be."""
    both = [
        {"identifiers": ACME["identifiers"], "relationship_attributes": {"role": "admin"}},
        {"identifiers": {"object_type_id": 2, "object_id": 7}},
    ]
    api.batch({**PERSON, "action": "identify", "cio_relationships": both[:1]})
    api.batch({**PERSON, "action": "add_relationships", "cio_relationships": both})
    (person,) = api.sandbox.people
    assert [(r.object_type_id, r.object_id) for r in person.relationships] == [
        ("1", "acme"),
        ("2", "7"),
    ]
    assert person.relationships[0].attributes == {"role": "admin"}

    api.batch({**PERSON, "action": "delete_relationships", "cio_relationships": both[:1]})
    (person,) = api.sandbox.people
    assert [r.object_id for r in person.relationships] == ["7"]


def test_anonymous_relationships_carry_over_to_the_person(api: Api) -> None:
    """In either shape of the schema, before and after the person is known."""
    listed = {"identifiers": {"anonymous_id": "two"}, "relationship_attributes": {"role": "x"}}
    api.batch(
        {**ACME, "action": "identify_anonymous", "anonymous_id": "one"},
        {**ACME, "action": "identify_anonymous", "cio_relationships": [listed]},
    )
    (acme,) = api.sandbox.objects
    assert (acme.relationships, acme.anonymous_ids) == ([], ["one", "two"])

    identify = {**PERSON, "action": "identify"}
    api.batch({**identify, "attributes": {"anonymous_id": "two"}})
    other = {"object_type_id": "1", "object_id": "other"}
    later = {"type": "object", "identifiers": other, "action": "identify_anonymous"}
    api.batch({**later, "anonymous_id": "two"})
    acme, made_later = api.sandbox.objects
    assert acme.anonymous_ids == ["one"]
    assert [(r.customer, r.attributes) for r in acme.relationships] == [("42", {"role": "x"})]
    assert [r.customer for r in made_later.relationships] == ["42"]


def test_deliveries_are_reported(api: Api) -> None:
    """The metric is kept with what came with it."""
    api.entity(**DELIVERY)

    assert api.sandbox.metrics == [
        Metric("RPIyMTM6OjEyMzQ=", "opened", None, {"device_token": TOKEN}, workspace="site")
    ]
