"""The sandbox answers every path of the Track API, version 1, as the vendor's schema says."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest

from cio_events.sandbox import Device, Metric, Sandbox
from tests.sandbox.asking import Api, raw

CUSTOMER = "/api/v1/customers/5"
ULID = "01HFV2Z4Q8J9K3M5N7P1R6T0WX"


def refusal(response: Any) -> str:
    """The one message of a v1 refusal."""
    assert response.status_code == 400
    (message,) = response.json()["meta"]["errors"]
    return str(message)


def test_region_names_the_sandbox_itself(api: Api) -> None:
    """Following the answer leads back to the sandbox, never to the real Customer.io."""
    answer = api.get("/api/v1/accounts/region")

    assert answer.status_code == 200
    assert answer.json() == {"url": api.sandbox.url, "region": "us", "environment_id": 1}
    assert [item.kind for item in api.sandbox.requests[-1].items] == ["region"]


def test_region_can_be_eu() -> None:
    """A sandbox can be one of the EU."""
    with Sandbox(region="eu") as sandbox, Api(sandbox) as api:
        assert api.get("/api/v1/accounts/region").json()["region"] == "eu"


def test_identify_takes_the_example_of_the_schema(api: Api) -> None:
    """Attributes, relationships and subscription preferences arrive; the answer is empty."""
    answer = api.put(
        CUSTOMER,
        json={
            "email": "customer@example.com",
            "created_at": 1361205308,
            "first_name": "Bob",
            "plan": "basic",
            "cio_relationships": {
                "action": "add_relationships",
                "relationships": [
                    {
                        "identifiers": {
                            "object_type_id": "1",
                            "object_id": "01H5Q5SZVQDJ71SBME2SMDXS88",
                        },
                        "relationship_attributes": {"role": "admin"},
                    },
                    {
                        "identifiers": {"object_type_id": "2", "object_id": "1171SBME"},
                        "relationship_attributes": {"role": "viewer"},
                    },
                ],
            },
            "cio_subscription_preferences": {
                "topics": {"topic_1": True, "topic_2": True, "topic_3": False}
            },
        },
    )

    assert (answer.status_code, answer.json()) == (200, {})
    person = api.sandbox.person("5")
    assert person is not None
    assert (person.id, person.email) == ("5", "customer@example.com")
    assert person.attributes == {
        "email": "customer@example.com",
        "created_at": 1361205308,
        "first_name": "Bob",
        "plan": "basic",
        "cio_subscription_preferences": {
            "topics": {"topic_1": True, "topic_2": True, "topic_3": False}
        },
    }
    assert [(r.object_type_id, r.object_id, r.attributes) for r in person.relationships] == [
        ("1", "01H5Q5SZVQDJ71SBME2SMDXS88", {"role": "admin"}),
        ("2", "1171SBME", {"role": "viewer"}),
    ]


def test_identify_can_end_relationships(api: Api) -> None:
    """`delete_relationships` takes away what `add_relationships` gave."""
    acme = {"identifiers": {"object_type_id": "1", "object_id": "acme"}}
    for action, expected in (("add_relationships", 1), ("delete_relationships", 0)):
        api.put(CUSTOMER, json={"cio_relationships": {"action": action, "relationships": [acme]}})
        person = api.sandbox.person("5")

        assert person is not None
        assert len(person.relationships) == expected


def test_one_topic_is_changed_by_dot_notation(api: Api) -> None:
    """A dotted preference changes its topic and keeps the others."""
    api.put(CUSTOMER, json={"cio_subscription_preferences": {"topics": {"topic_1": True}}})
    api.put(CUSTOMER, json={"cio_subscription_preferences.topics.topic_2": False})

    person = api.sandbox.person("5")
    assert person is not None
    assert person.attributes["cio_subscription_preferences"] == {
        "topics": {"topic_1": True, "topic_2": False}
    }


def test_a_topic_can_follow_preferences_that_are_none(api: Api) -> None:
    """Preferences of another shape are replaced by those of the schema."""
    for odd in ("all", {"topics": "all", "other": 1}):
        api.put(CUSTOMER, json={"cio_subscription_preferences": odd})
        dotted = {"cio_subscription_preferences.topics.topic_2": False}
        assert api.put(CUSTOMER, json=dotted).status_code == 200

    person = api.sandbox.person("5")
    assert person is not None
    assert person.attributes["cio_subscription_preferences"] == {
        "other": 1,
        "topics": {"topic_2": False},
    }


@pytest.mark.parametrize("body", [None, b"", b"{}", b"null"])
def test_identify_without_attributes_makes_a_person(api: Api, body: bytes | None) -> None:
    """Nothing to say about somebody is no error."""
    assert api.put(CUSTOMER, data=body).status_code == 200
    assert [person.id for person in api.sandbox.people] == ["5"]


def test_update_only_makes_nobody(api: Api) -> None:
    """`_update` changes whom there is and makes nobody."""
    api.put(CUSTOMER, json={"_update": True, "plan": "pro"})
    assert api.sandbox.people == []

    api.put(CUSTOMER, json={"plan": "basic"})
    api.put(CUSTOMER, json={"_update": True, "plan": "pro"})
    person = api.sandbox.person("5")
    assert person is not None
    assert person.attributes == {"plan": "pro"}


@pytest.mark.parametrize(
    "identifier",
    ["5", "a/b", "a b", "a+b", "100%", "%2F", "ü-Ω-✓", "a?b#c", "a&b=c", "..x", "~!*'()", "5\n6"],
)
def test_any_identifier_survives_the_path(api: Api, identifier: str) -> None:
    """An identifier arrives as it was before it was percent-encoded, slashes included."""
    path = f"/api/v1/customers/{quote(identifier, safe='')}"
    api.put(path, json={"plan": "pro"})
    api.post(f"{path}/events", json={"name": "seen"})

    assert [person.id for person in api.sandbox.people] == [identifier]
    assert [event.customer for event in api.sandbox.events] == [identifier]


def test_the_kind_of_an_identifier_shows_from_its_shape(api: Api) -> None:
    """With an @ it is an e-mail address, after `cio_` a cio_id, else an id."""
    api.put("/api/v1/customers/lucy%40example.com", json={"plan": "pro"})
    person = api.sandbox.person("lucy@example.com")
    assert person is not None
    assert (person.id, person.email) == (None, "lucy@example.com")

    api.put(f"/api/v1/customers/cio_{person.cio_id}", json={"id": "5"})
    by_id = api.sandbox.person("5")
    assert by_id is not None
    assert by_id.cio_id == person.cio_id


def test_an_unknown_cio_id_is_dropped(api: Api) -> None:
    """A cio_id makes nobody, since only Customer.io gives them out."""
    assert api.put("/api/v1/customers/cio_a3000001", json={"plan": "pro"}).status_code == 200
    assert api.post("/api/v1/customers/cio_a3000001/events", json={"name": "x"}).status_code == 200
    assert (api.sandbox.people, api.sandbox.events) == ([], [])


def test_an_event_arrives_whole(api: Api) -> None:
    """Name (trimmed), data, id and timestamp are kept, and the person is made."""
    body = {
        "name": " purchase ",
        "data": {"price": 23.45, "product": "socks"},
        "id": ULID,
        "timestamp": 1700000000,
    }
    assert api.post(f"{CUSTOMER}/events", json=body).json() == {}

    (event,) = api.sandbox.events
    assert (event.order, event.id, event.name, event.type) == (0, ULID, "purchase", "event")
    assert (event.customer, event.anonymous_id) == ("5", None)
    assert event.data == {"price": 23.45, "product": "socks"}
    assert event.timestamp == 1700000000
    assert api.sandbox.events_of("5") == [event]


def test_an_event_without_a_timestamp_happened_now(api: Api) -> None:
    """Its time is the time of its arrival."""
    before = int(time.time())
    api.post(f"{CUSTOMER}/events", json={"name": "purchase"})

    (event,) = api.sandbox.events
    assert before <= event.timestamp <= time.time()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("page", "page"),
        ("screen", "screen"),
        ("event", "event"),
        ("other", "event"),
        (None, "event"),
    ],
)
def test_what_is_no_page_and_no_screen_is_an_event(api: Api, sent: str | None, kept: str) -> None:
    """Any other type is set to `event`, as the schema says."""
    api.post(f"{CUSTOMER}/events", json={"name": "homepage", "type": sent})
    assert [event.type for event in api.sandbox.events] == [kept]


def test_a_repeated_event_is_accepted_and_not_kept(api: Api) -> None:
    """The ULID tells a repeat, whoever it is for; without one, two alike are two."""
    for customer in ("5", "5", "6"):
        path = f"/api/v1/customers/{customer}/events"
        assert api.post(path, json={"name": "purchase", "id": ULID}).status_code == 200
    assert [event.customer for event in api.sandbox.events] == ["5"]

    for _ in range(2):
        api.post(f"{CUSTOMER}/events", json={"name": "purchase"})
    assert len(api.sandbox.events) == 3


def test_an_anonymous_event_is_nobodys(api: Api) -> None:
    """It is kept under its anonymous id and makes no person."""
    body = {"name": "watched_video", "anonymous_id": "abc123", "data": {"video": "intro"}}
    assert api.post("/api/v1/events", json=body).status_code == 200

    (event,) = api.sandbox.events
    assert (event.customer, event.anonymous_id) == (None, "abc123")
    assert api.sandbox.people == []


@pytest.mark.parametrize("body", [{}, {"anonymous_id": None}, {"anonymous_id": ""}])
def test_an_invite_names_a_recipient(api: Api, body: dict[str, Any]) -> None:
    """Without an anonymous id an event is an invite, which is for somebody."""
    body = {**body, "name": "invite"}
    assert refusal(api.post("/api/v1/events", json=body)) == "data.recipient is required"

    body["data"] = {"recipient": "friend@example.com"}
    assert api.post("/api/v1/events", json=body).status_code == 200
    assert [event.data for event in api.sandbox.events] == [body["data"]]


def test_devices_come_and_go(api: Api) -> None:
    """A device is added, updated and deleted by its token."""
    device = {"id": "tok/en", "platform": "ios", "last_used": 1514764800}
    api.put(f"{CUSTOMER}/devices", json={"device": {**device, "attributes": {"os": "17"}}})
    api.put(f"{CUSTOMER}/devices", json={"device": {**device, "attributes": {"app": "2"}}})

    person = api.sandbox.person("5")
    assert person is not None
    assert person.devices == {
        "tok/en": Device("tok/en", "ios", 1514764800, {"os": "17", "app": "2"})
    }

    assert api.delete(f"{CUSTOMER}/devices/tok%2Fen").json() == {}
    person = api.sandbox.person("5")
    assert person is not None
    assert person.devices == {}


def test_deletes_of_nobody_and_nothing_are_fine(api: Api) -> None:
    """What is not there is as good as deleted."""
    assert api.delete(CUSTOMER).status_code == 200
    assert api.delete(f"{CUSTOMER}/devices/token").status_code == 200
    assert api.post(f"{CUSTOMER}/unsuppress").status_code == 200
    assert api.sandbox.people == []


@pytest.mark.parametrize("endpoint", ["metrics", "push/events"])
def test_metrics_are_kept(api: Api, endpoint: str) -> None:
    """Both ways to report what became of a delivery; the schema asks for no credentials."""
    name = "metric" if endpoint == "metrics" else "event"
    body = {"delivery_id": "RPILAgUBcRhIBqSfeiIwdIYJKxTY", name: "opened", "timestamp": 1613063089}
    extra = {"recipient": "a@example.com"} if endpoint == "metrics" else {"device_id": "token"}
    assert (
        api.post(f"/api/v1/{endpoint}", json={**body, **extra}, auth=("", "")).status_code == 200
    )

    details = extra if endpoint == "metrics" else {"device_token": "token"}
    assert api.sandbox.metrics == [
        Metric("RPILAgUBcRhIBqSfeiIwdIYJKxTY", "opened", 1613063089, details)
    ]


def test_an_unknown_metric_is_refused(api: Api) -> None:
    """Only what the schema lists can be reported."""
    answer = api.post("/api/v1/metrics", json={"delivery_id": "x", "metric": "eaten"})
    assert refusal(answer).startswith("metric must be one of bounced, clicked")


def test_a_form_identifies_whoever_filled_it_in(api: Api) -> None:
    """Its fields become attributes, but for the reserved ones; the answer has no content."""
    data = {"email": "a@example.com", "first_name": "cool", "form_url": "https://example.com"}
    answer = api.post("/api/v1/forms/contact/submit", json={"data": data})

    assert (answer.status_code, answer.content) == (204, b"")
    person = api.sandbox.person("a@example.com")
    assert person is not None
    assert person.attributes == {"first_name": "cool"}

    for wrong in ({"email_address": "a@example.com"}, {"id": "5", "email": "a@example.com"}):
        answer = api.post("/api/v1/forms/contact/submit", json={"data": wrong})
        assert refusal(answer) == "data must hold exactly one of id, email"


def test_manual_segments(api: Api) -> None:
    """People that there are can be put in and taken out, by any identifier."""
    api.put(CUSTOMER, json={"email": "a@example.com"})
    api.post("/api/v1/segments/7/add_customers", json={"ids": ["5", "nobody"]})
    api.post("/api/v1/segments/3/add_customers?id_type=email", json={"ids": ["a@example.com"]})

    (person,) = api.sandbox.people
    assert person.segments == [3, 7]

    api.post("/api/v1/segments/7/remove_customers", json={"ids": ["5"]})
    (person,) = api.sandbox.people
    assert person.segments == [3]

    answer = api.post("/api/v1/segments/seven/add_customers", json={"ids": ["5"]})
    assert refusal(answer) == "segment_id must be an integer"
    for wrong in ([], ["5"] * 1001, "5"):
        answer = api.post("/api/v1/segments/7/add_customers", json={"ids": wrong})
        assert refusal(answer) == "ids must be a list of 1 to 1000 identifiers"


def test_unsubscribing_by_delivery(api: Api) -> None:
    """Whoever got the message has `unsubscribed` set; the path asks for no credentials."""
    api.put(CUSTOMER, json={"plan": "pro"})
    sent = api.message("push", transactional_message_id=1, identifiers={"id": "5"})
    path = f"/unsubscribe/{sent.json()['delivery_id']}"
    assert api.post(path, json={"unsubscribe": True}, auth=("", "")).status_code == 200

    person = api.sandbox.person("5")
    assert person is not None
    assert person.attributes == {"plan": "pro", "unsubscribed": True}


def test_unsubscribing_takes_true_or_false(api: Api) -> None:
    """False, and a delivery that nobody knows, change nothing."""
    assert api.post("/unsubscribe/x", json={"unsubscribe": False}).status_code == 200
    assert api.post("/unsubscribe/x", json={"unsubscribe": True}).status_code == 200
    assert api.sandbox.people == []
    answer = api.post("/unsubscribe/x", json={"unsubscribe": "yes"})
    assert refusal(answer) == "unsubscribe must be true or false"


EVENT = {"name": "purchase"}
DEVICE = {"id": "token", "platform": "ios"}


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("PUT", "", {"_timestamp": "now"}, "_timestamp must be unix seconds, an integer"),
        ("PUT", "", {"_timestamp": 1.5}, "_timestamp must be unix seconds, an integer"),
        ("PUT", "", [1], "attributes must be an object"),
        ("PUT", "", {"x" * 151: 1}, "an attribute's name is longer than 150 bytes"),
        ("PUT", "", {"é" * 76: 1}, "an attribute's name is longer than 150 bytes"),
        ("PUT", "", {str(n): n for n in range(301)}, "attributes holds more than 300 attributes"),
        ("PUT", "", {"x": "y" * 100_000}, "attributes is larger than 100000 bytes"),
        ("PUT", "", {"cio_relationships": {"action": "x"}}, "cio_relationships.action must be"),
        ("POST", "/events", {}, "name is required"),
        ("POST", "/events", {"name": "  "}, "name must not be blank"),
        ("POST", "/events", {"name": 5}, "name must be a string"),
        ("POST", "/events", {"name": "x" * 101}, "name is longer than 100 bytes"),
        ("POST", "/events", {"name": "é" * 51}, "name is longer than 100 bytes"),
        ("POST", "/events", {**EVENT, "data": [1]}, "data must be an object"),
        ("POST", "/events", {**EVENT, "data": {"x": "y" * 100_000}}, "data is larger than 100000"),
        ("POST", "/events", {**EVENT, "timestamp": "2020"}, "timestamp must be unix seconds"),
        ("POST", "/events", {**EVENT, "timestamp": True}, "timestamp must be unix seconds"),
        ("POST", "/events", {**EVENT, "id": 5}, "id must be a string"),
        ("PUT", "/devices", {}, "device is required"),
        ("PUT", "/devices", {"device": {"id": "token"}}, "device.platform is required"),
        ("PUT", "/devices", {"device": {**DEVICE, "id": ""}}, "device.id must not be blank"),
        ("PUT", "/devices", {"device": {**DEVICE, "platform": "tv"}}, "device.platform must be"),
        ("PUT", "/devices", {"device": {**DEVICE, "last_used": "now"}}, "device.last_used must"),
    ],
)
def test_what_customer_io_refuses_is_refused(
    api: Api, method: str, path: str, body: Any, message: str
) -> None:
    """400, the field named, and nothing done."""
    answer = api.request(method, CUSTOMER + path, json=body)

    assert refusal(answer).startswith(message)
    assert (api.sandbox.people, api.sandbox.events) == ([], [])


def test_limits_are_met_exactly(api: Api) -> None:
    """What is as large as allowed is allowed."""
    assert api.put(f"/api/v1/customers/{'x' * 150}", json={"x" * 150: 1}).status_code == 200
    assert api.put(CUSTOMER, json={str(n): n for n in range(300)}).status_code == 200
    data = {"x": "y" * (100_000 - len('{"x":""}'))}
    body = {"name": "é" * 50, "data": data}
    assert api.post(f"{CUSTOMER}/events", json=body).status_code == 200


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("x" * 151, "identifier is longer than 150 bytes"),
        ("%C3%A9" * 76, "identifier is longer than 150 bytes"),
        ("%20", "identifier must not be blank"),
        ("%FF", "the path is not UTF-8"),
    ],
)
def test_bad_identifiers_are_refused(api: Api, identifier: str, message: str) -> None:
    """An identifier is neither blank nor too long, and it is text."""
    assert refusal(api.put(f"/api/v1/customers/{identifier}", json={})) == message


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"x": NaN}', b'{"x": Infinity}', b'{"x": "\xff"}', b'{"x": "\\ud800"}', b"{'x': 1}"],
)
def test_only_strict_json_is_json(api: Api, body: bytes) -> None:
    """NaN, broken UTF-8 and lone surrogates are refused like any other broken body."""
    assert refusal(api.put(CUSTOMER, data=body)).startswith("the body is not JSON: ")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "primary is required"),
        ({"primary": {"id": "5"}}, "secondary is required"),
        (
            {"primary": {"id": "5", "email": "a@b"}, "secondary": {"id": "6"}},
            "primary must hold exactly one of id, email, cio_id",
        ),
        (
            {"primary": {"id": "5"}, "secondary": {"phone": "6"}},
            "secondary must hold exactly one of id, email, cio_id",
        ),
    ],
)
def test_a_bad_merge_is_refused_in_its_own_shape(
    api: Api, body: dict[str, Any], message: str
) -> None:
    """The one v1 path that answers `meta.error`."""
    answer = api.post("/api/v1/merge_customers", json=body)
    assert (answer.status_code, answer.json()) == (400, {"meta": {"error": message}})


def test_what_is_not_there_is_not_found(api: Api) -> None:
    """Unknown paths and methods, and a base URL that brought its slash, are told so."""
    assert api.get("/api/v1/customer").status_code == 404
    assert api.get(CUSTOMER).status_code == 405
    assert raw(api.sandbox, "PUT", f"/{CUSTOMER}")[0] == 404
    assert api.put(f"{CUSTOMER}/").status_code == 404


def test_the_vendors_own_clients_have_nothing_to_complain_of(api: Api) -> None:
    """What go-customerio, customerio-python and customerio-node send beside the schema."""
    sent = [
        # go-customerio: null for what is unset, last_used as text, id and platform twice
        ("PUT", CUSTOMER, {"device": None, "x": None}),
        ("POST", f"{CUSTOMER}/events", {"name": "a", "data": None}),
        (
            "PUT",
            f"{CUSTOMER}/devices",
            {"device": {**DEVICE, "last_used": "1514764800", "attributes": {**DEVICE, "n": 1}}},
        ),
        # customerio-python: an empty body for a delete and a suppression, a null anonymous id
        ("DELETE", f"{CUSTOMER}/devices/token", {}),
        (
            "POST",
            "/api/v1/events",
            {"name": "b", "data": {"recipient": "r"}, "anonymous_id": None},
        ),
        # customerio-node: the device's data beside its id
        ("PUT", f"{CUSTOMER}/devices", {"device": {**DEVICE, "primary": True}}),
        ("POST", f"{CUSTOMER}/suppress", {}),
        ("DELETE", CUSTOMER, {}),
    ]
    assert [api.request(m, p, json=b).status_code for m, p, b in sent] == [200] * len(sent)
