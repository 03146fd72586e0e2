"""What is refused says how to mend it, and what is accepted says what is not as was meant."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from cio_events.sandbox import Sandbox
from cio_events.sandbox.model import explanations, limits
from tests.sandbox.asking import Api, raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ULID = "01HFV2Z4Q8J9K3M5N7P1R6T0WX"


@pytest.fixture
def api() -> Iterator[Api]:
    """A client of a sandbox that is running, `api.sandbox`."""
    with Sandbox() as sandbox, Api(sandbox) as client:
        yield client


def identify(api: Api, who: str, **attributes: Any) -> None:
    """Identify somebody, which is accepted."""
    assert api.put(f"/api/v1/customers/{who}", json=attributes).status_code == 200


def track(api: Api, who: str = "5", **fields: Any) -> None:
    """Send an event."""
    api.post(f"/api/v1/customers/{who}/events", json={"name": "seen", **fields})


def message(api: Api, **fields: Any) -> None:
    """Send an e-mail."""
    api.message(
        "email",
        **{"transactional_message_id": 1, "to": "a@b", "identifiers": {"id": "5"}, **fields},
    )


def taken(api: Api) -> None:
    """Give somebody the address of somebody else."""
    identify(api, "5", email="lucy@example.com")
    identify(api, "6", plan="basic")
    identify(api, "6", email="lucy@example.com")


def moved(api: Api) -> None:
    """Identify a known address by a new id."""
    identify(api, "5", email="lucy@example.com")
    identify(api, "6", email="lucy@example.com")


def suppressed(api: Api) -> None:
    """Track somebody who is suppressed."""
    api.post("/api/v1/customers/5/suppress")
    track(api)


def repeated(api: Api) -> None:
    """Send an event twice."""
    track(api, id=ULID)
    track(api, id=ULID)


def outdated(api: Api) -> None:
    """Send an older value after a newer one."""
    identify(api, "5", plan="pro", _timestamp=1_700_000_100)
    identify(api, "5", plan="basic", _timestamp=1_700_000_000)


def deep(api: Api) -> None:
    """Send a deep event."""
    body = '{"name": "x", "data": {"x": ' + "[" * 300 + "]" * 300 + "}}"
    api.post("/api/v1/customers/5/events", data=body)


def basic(api: Api, path: str) -> None:
    """Identify by a raw path."""
    raw(api.sandbox, "PUT", path, b"{}", Authorization="Basic c2l0ZTprZXk=")


def twice(api: Api) -> None:
    """Trigger a broadcast twice within ten seconds."""
    bearer = {"Authorization": "Bearer app-key"}
    for _ in range(2):
        raw(api.sandbox, "POST", "/v1/campaigns/12/triggers", b"{}", **bearer)


EXAMPLES: dict[str, Callable[[Api], object]] = {
    "required": lambda api: track(api, name=None),
    "not an object": lambda api: track(api, data=5),
    "not a list": lambda api: api.post("/api/v2/batch", json={"batch": 5}),
    "not a text": lambda api: track(api, name=5),
    "not one of the allowed values": lambda api: api.batch({"type": "cat", "action": "meow"}),
    "not Unix seconds": lambda api: track(api, timestamp="yesterday"),
    "not an integer": lambda api: api.post("/api/v1/segments/x/add_customers", json={"ids": [1]}),
    "not true or false": lambda api: api.post("/unsubscribe/x", json={"unsubscribe": 1}),
    "not JSON": lambda api: api.post("/api/v2/batch", data=b"{"),
    "not UTF-8": lambda api: basic(api, "/api/v1/customers/%FF"),
    "nested too deeply": deep,
    "identifier too long": lambda api: track(api, "x" * 151),
    "not an e-mail address": lambda api: api.entity(
        type="person", action="delete", identifiers={"email": "nobody"}
    ),
    "not exactly one identifier": lambda api: api.entity(
        type="person", action="delete", identifiers={"id": "5", "email": "a@b"}
    ),
    "not an object's identifiers": lambda api: api.entity(
        type="object", action="delete", identifiers={"id": "5"}
    ),
    "event name too long": lambda api: track(api, name="x" * 101),
    "too many attributes": lambda api: api.put(
        "/api/v1/customers/5", json={f"a{n}": n for n in range(301)}
    ),
    "attribute name too long": lambda api: api.put("/api/v1/customers/5", json={"a" * 151: 1}),
    "data too large": lambda api: track(api, data={"x": "y" * 100_001}),
    "operation too large": lambda api: api.entity(x="y" * 32_001),
    "batch too large": lambda api: api.batch({"x": "y" * 500_001}),
    "message too large": lambda api: message(api, body="x" * limits.MESSAGE_BYTES),
    "body too large": lambda api: api.post("/api/v2/batch", data=b"x" * (limits.BODY_BYTES + 1)),
    "wrong number of ids": lambda api: api.post(
        "/api/v1/segments/1/add_customers", json={"ids": []}
    ),
    "not Base64": lambda api: message(api, attachments={"a": "%"}),
    "too many recipients": lambda api: message(api, bcc=",".join("a@b" for _ in range(15))),
    "broadcast triggered too soon": twice,
    "unknown field": lambda api: message(api, subjekt="Hello"),
    "wrong type": lambda api: message(api, tracked="yes"),
    "identifier of somebody else": taken,
    "person has a new id": moved,
    "identifier cannot be changed": lambda api: identify(api, "5", id="6"),
    "value cannot identify": lambda api: identify(api, "5", email="nobody"),
    "repeat": repeated,
    "older than 72 hours": lambda api: track(api, timestamp=int(time.time()) - 73 * 3600),
    "person is suppressed": suppressed,
    "nobody of that name": lambda api: api.delete("/api/v1/customers/nobody"),
    "older than what is known": outdated,
}


def test_every_rule_has_an_example() -> None:
    """A new one needs its own."""
    assert set(EXAMPLES) == set(explanations.RULES)


@pytest.mark.parametrize("rule", EXAMPLES)
def test_every_rule_explains_itself(api: Api, rule: str) -> None:
    """The last call says which rule it broke, where, and what helps; and nothing else is said."""
    if rule == "identifier cannot be changed":
        identify(api, "5", plan="pro")
    EXAMPLES[rule](api)

    (item,) = api.sandbox.requests[-1].items
    (finding,) = item.findings
    assert finding.rule == rule
    assert finding.message
    assert len(finding.mend) > 15
    refused = explanations.RULES[rule].reason != "finding"
    assert (item.verdict == "refused") == refused
    assert api.sandbox.findings == [finding]
    shown = api.get("/sandbox/requests").json()[-1]["items"][0]["findings"][0]
    assert (shown["rule"], shown["mend"]) == (rule, finding.mend)


def test_an_address_of_somebody_else_is_answered_with_200_and_not_changed(api: Api) -> None:
    """As the vendor has it; the finding names the attribute and the value."""
    taken(api)

    six = api.sandbox.person("6")
    assert six is not None
    assert (six.email, six.attributes) == (None, {"plan": "basic"})
    (finding,) = api.sandbox.findings
    assert (finding.rule, finding.field, finding.value) == (
        "identifier of somebody else",
        "email",
        "lucy@example.com",
    )
    assert "Attribute Update Failure" in finding.mend


def test_a_batch_has_an_item_for_each_operation(api: Api) -> None:
    """In their order, accepted, repeated and refused."""
    event = {"type": "person", "identifiers": {"id": 5}, "action": "event", "name": "seen"}
    api.batch({**event, "id": ULID}, {**event, "id": ULID}, {**event, "name": ""}, 7)

    (request,) = api.sandbox.requests
    assert [(i.kind, i.customer, i.name, i.id, i.verdict) for i in request.items] == [
        ("event", "5", "seen", ULID, "accepted"),
        ("event", "5", "seen", ULID, "repeated"),
        ("event", "5", "", None, "refused"),
        ("unreadable", None, None, None, "refused"),
    ]
    (repeat,) = request.items[1].findings
    assert repeat.message == "same id as request 0: counted once"


def test_a_finding_shows_a_part_of_a_long_value(api: Api) -> None:
    """And the limit that it is over."""
    track(api, name="long " * 100)

    (finding,) = api.sandbox.findings
    assert finding.value is not None
    assert len(finding.value) < 130
    assert (finding.field, finding.limit) == ("name", "100 bytes")
    assert "it has 499 bytes" in finding.message


def test_what_is_well_finds_nothing(api: Api) -> None:
    """A usual day."""
    identify(api, "5", email="lucy@example.com", plan="pro")
    identify(api, "5", email="lucy@example.com", plan="free")
    track(api, id=ULID)
    message(api)
    assert api.sandbox.findings == []
