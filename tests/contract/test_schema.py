"""
What we send, held against the vendor's own schema of its API.

``schema.json`` is what `distil` has left of it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from cio_events import (
    AddDevice,
    AddRelationships,
    AddToSegment,
    AppClient,
    Call,
    Delete,
    DeleteDevice,
    DeleteObject,
    DeleteRelationships,
    Device,
    Identifier,
    Identify,
    IdentifyObject,
    Merge,
    ObjectIdentifier,
    Operation,
    Pipeline,
    Relationship,
    RemoveFromSegment,
    ReportMetric,
    SendEmail,
    SendInApp,
    SendInboxMessage,
    SendPush,
    SendSMS,
    Suppress,
    Track,
    TrackAnonymous,
    TrackClient,
    Unsuppress,
)
from cio_events._calls.messages import Message
from cio_events._wire import app
from cio_events._wire.registry import kind_of
from tests.contract.distil import SCHEMA
from tests.support.servers import Received, ScriptedServer, answer

LUCY = Identifier("lucy@example.com", "email")
ACME = ObjectIdentifier("1", "acme")
WHEN = 1_700_000_000
DATA = {"price": 13.99, "items": [{"sku": "a"}], "gift": True, "note": None}

CALLS: dict[str, Call] = {
    "identify": Identify("5", {"plan": "basic", **DATA}, timestamp=WHEN),
    "identify by e-mail": Identify(LUCY, {}),
    "identify by cio_id": Identify(Identifier("a1", "cio_id")),
    "identify with relationships": Identify(
        "5", {"cio_relationships": [{"identifiers": {"object_type_id": "1", "object_id": "a"}}]}
    ),
    "event": Track("5", "bought", DATA, timestamp=WHEN),
    "event without data": Track(LUCY, "bought"),
    "page": Track("5", "https://example.com", DATA, type="page"),
    "screen": Track("5", "Home", DATA, type="screen"),
    "anonymous event": TrackAnonymous("anon", "visited", DATA, timestamp=WHEN),
    "anonymous page": TrackAnonymous("anon", "https://example.com", type="page"),
    "anonymous screen": TrackAnonymous("anon", "Home", type="screen"),
    "invite": TrackAnonymous(None, "invited", {"recipient": "alex@example.com"}),
    "delete": Delete("5"),
    "suppress": Suppress("5"),
    "unsuppress": Unsuppress("5"),
    "merge": Merge("5", LUCY),
    "merge cio_ids": Merge(Identifier("a1", "cio_id"), Identifier("a2", "cio_id")),
    "add device": AddDevice("5", "token", "ios", {"last_used": WHEN, "app_version": "2.0"}),
    "add bare device": AddDevice(LUCY, "token", "android"),
    "delete device": DeleteDevice("5", "token"),
    "identify object": IdentifyObject(ACME, DATA, ["5", Relationship(LUCY, {"role": "boss"})]),
    "identify known object": IdentifyObject(ObjectIdentifier(cio_object_id="ob1"), {"a": "b"}),
    "delete object": DeleteObject(ACME),
    "relate object": AddRelationships(ACME, ["5", Relationship(LUCY, {"role": "boss"})]),
    "relate person": AddRelationships("5", [Relationship(ACME, {"role": "boss"})]),
    "separate object": DeleteRelationships(ACME, [LUCY]),
    "separate person": DeleteRelationships(LUCY, [ACME]),
    "raw operation": Operation(
        {"type": "person", "identifiers": {"id": "5"}, "action": "event", "name": "bought"}
    ),
    "add to segment": AddToSegment(7, [f"{n}" for n in range(1_000)]),
    "remove from segment": RemoveFromSegment(7, [LUCY]),
    "metric": ReportMetric("d1", "opened"),
    "metric with all": ReportMetric(
        "d1", "bounced", timestamp=WHEN, recipient="a@b.c", reason="full", href="https://a.b"
    ),
}

_SHARED: dict[str, Any] = {
    "transactional_message_id": 3,
    "identifiers": LUCY,
    "message_data": DATA,
    "send_at": WHEN,
    "language": "fr",
    "queue_draft": False,
    "auto_create": False,
}
_RETENTION = {"disable_message_retention": False, "send_to_unsubscribed": False}

# Each message with the name of the schema's component for it.
MESSAGES: dict[str, Message] = {
    "sendemail": SendEmail(
        **_SHARED,
        **_RETENTION,
        to="lucy@example.com",
        from_="shop@example.com",
        reply_to="a@b.c",
        cc="a@b.c",
        bcc="a@b.c",
        fake_bcc=False,
        subject="Your order",
        preheader="x",
        body="<p>",
        body_plain="x",
        body_amp="x",
        headers={"X-Shop": "1"},
        attachments={"a.txt": "aGk="},
        tracked=False,
        disable_css_preprocessing=False,
    ),
    "sendpush": SendPush(
        **_SHARED,
        **_RETENTION,
        to="the-token-of-a-device",
        title="x",
        message="x",
        image_url="https://example.com/a.png",
        link="shop://orders",
        sound="default",
        custom_data={"order": "1"},
        custom_device=Device("token", "ios", {"last_used": WHEN, "app_version": "2.0"}),
    ),
    "sendsms": SendSMS(**_SHARED, **_RETENTION, to="+15551234567", from_="+1555", tracked=False),
    "sendinbox": SendInboxMessage(**_SHARED, to="x"),
    "sendinapp": SendInApp(**_SHARED),
}

Schema = Any


def _choices_need_their_key(choices: list[Schema]) -> None:
    for choice in choices:
        choice["required"] = list(choice["properties"])


def _any_of(schema: Schema) -> None:
    schema["anyOf"] = schema.pop("oneOf")


def _body_of(document: Schema, path: str, method: str) -> Schema:
    return document["paths"][path][method]


def _merge(document: Schema) -> None:
    body = _body_of(document, "/api/v1/merge_customers", "post")
    for who in ("primary", "secondary"):
        _choices_need_their_key(body["properties"][who]["oneOf"])


def _screen(document: Schema) -> None:
    screen = document["components"]["schemas"]["eventsRequest"]["oneOf"][2]
    assert screen["properties"]["type"]["enum"] == ["screen"]
    screen["required"].remove("anonymous_id")


def _attributes(document: Schema) -> None:
    body = _body_of(document, "/api/v1/customers/{identifier}", "put")
    body["additionalProperties"] = True


def _component(document: Schema, name: str) -> Schema:
    return document["components"]["schemas"][name]


# What the schema says and Customer.io itself does not keep to: its documentation, its own clients
# or other parts of the schema do otherwise.
DEFECTS: dict[str, Callable[[Schema], None]] = {
    "v1 merges: the ways to name a person exclude each other, and an id fits all of them": _merge,
    "v2 relationships: the same of the people who belong to an object": lambda document: (
        _choices_need_their_key(
            _component(document, "v2_cio_relationships")["items"]["properties"]["identifiers"][
                "oneOf"
            ]
        )
    ),
    "v1 anonymous events: a page view fits two of three kinds that exclude each other": (
        lambda document: _any_of(_component(document, "anonymousEventsRequest"))
    ),
    "v1 screen views: one of a known person would need an anonymous_id": _screen,
    "v1 attributes: no fractions, lists or objects, all of which v2 takes": _attributes,
    "metrics: an open fits all the channels, which exclude each other": (
        lambda document: _any_of(_body_of(document, "/api/v1/metrics", "post"))
    ),
    "e-mails: headers are a text, and an object in the vendor's own clients": (
        lambda document: _component(document, "headers").update(type=["string", "object"])
    ),
    "pushes: instead of a device's token there is the word $device_token": (
        lambda document: _component(document, "transactionalSharedPushObject")["properties"][
            "to"
        ].pop("enum")
    ),
}


def _document(*, without: str | None = None) -> Schema:
    """The schema with its defects mended, but the one of that name."""
    document = copy.deepcopy(_ORIGINAL)
    for name, mend in DEFECTS.items():
        if name != without:
            mend(document)
    return document


_ORIGINAL = orjson.loads(SCHEMA.read_bytes())


def complaint(document: Schema, pointer: str, body: object) -> str | None:
    """What the part of the schema at *pointer* has to say against *body*."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry: Any = Registry().with_resource("urn:vendor", resource)
    validator = Draft202012Validator({"$ref": f"urn:vendor#{pointer}"}, registry=registry)
    error = best_match(validator.iter_errors(body))
    return None if error is None else f"{error.json_path}: {error.message}"


def complaint_about(document: Schema, request: Received) -> str | None:
    """What the schema has to say against a request."""
    for path, operations in document["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        named = re.fullmatch(pattern, request.target.partition("?")[0])
        if named and request.method.lower() in operations:
            operation = operations[request.method.lower()]
            break
    else:
        return f"there is no {request.method} {request.target}"
    if operation is None:
        return "there should be no body" if request.body else None
    assert request.headers["content-type"] == "application/json"
    escaped = path.replace("~", "~0").replace("/", "~1")
    pointer = f"/paths/{escaped}/{request.method.lower()}"
    return complaint(document, pointer, request.json)


def requests_of_client(calls: list[Call]) -> list[Received]:
    """The requests that the direct client makes of *calls*."""
    with ScriptedServer() as server, TrackClient("a", "b", url=server.url) as client:
        for call in calls:
            client.send(call)
        return server.requests


def requests_of_batch(calls: list[Call]) -> list[Received]:
    """The request that its ``batch`` makes of those that v2 has."""
    with ScriptedServer() as server, TrackClient("a", "b", url=server.url) as client:
        client.batch([call for call in calls if kind_of(call).batched(call)])
        return server.requests


def requests_of_pipeline(calls: list[Call], api: str) -> list[Received]:
    """The requests that a pipeline makes of *calls*."""
    with ScriptedServer() as server:
        with Pipeline(site_id="a", api_key="b", track_url=server.url, api=api) as pipeline:
            for call in calls:
                assert pipeline.send(call)
            assert pipeline.flush(20)
        return server.requests


WAYS: dict[str, Callable[[list[Call]], list[Received]]] = {
    "client": requests_of_client,
    "batch": requests_of_batch,
    "pipeline v2": lambda calls: requests_of_pipeline(calls, "v2"),
    "pipeline v1": lambda calls: requests_of_pipeline(calls, "v1"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_request_is_as_the_schema_says(way: str) -> None:
    """Method, path and body of every call, in each way that it can be sent."""
    document = _document()
    requests = WAYS[way](list(CALLS.values()))

    assert len(requests) == {"client": len(CALLS), "pipeline v1": len(CALLS)}.get(
        way, 1 if way == "batch" else 9
    )
    assert [complaint_about(document, request) for request in requests] == [None] * len(requests)


def test_every_call_is_among_them() -> None:
    """A new one must be shown to the schema too."""
    assert {type(call) for call in CALLS.values()} == set(_leaves(Call)) - set(_leaves(Message))


def _leaves(kind: type) -> list[type]:
    return [
        leaf
        for below in kind.__subclasses__()
        if below.__module__ == "cio_events"
        for leaf in (_leaves(below) or [below])
    ]


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_as_the_schema_says(name: str) -> None:
    """The schema has the bodies of messages, but not their paths."""
    receipt = answer(200, b'{"delivery_id":"abc","queued_at":1700000000}')
    with ScriptedServer([receipt]) as server, AppClient("key", url=server.url) as client:
        client.send(MESSAGES[name])
    (request,) = server.requests
    document = _document()
    fields = _properties(document, _component(document, name))

    assert complaint(document, f"/components/schemas/{name}", request.json) is None
    assert fields - {"custom_payload"} == set(request.json)


def _properties(document: Schema, schema: Schema) -> set[str]:
    """The names of all fields that *schema* has."""
    if "$ref" in schema:
        return _properties(document, _component(document, schema["$ref"].rpartition("/")[2]))
    found = set(schema.get("properties", ()))
    return found.union(*(_properties(document, part) for part in schema.get("allOf", ())))


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_one(defect: str) -> None:
    """With the schema as it is in that place, one of the requests would be wrong."""
    document = _document(without=defect)

    assert any(complaint_about(document, request) for request in _every_request()) or any(
        complaint(document, f"/components/schemas/{name}", orjson.loads(_body_of_message(message)))
        for name, message in MESSAGES.items()
    )


def _every_request() -> list[Received]:
    if not _CACHED:
        _CACHED.extend(requests_of_client(list(CALLS.values())))
    return _CACHED


_CACHED: list[Received] = []


def _body_of_message(message: Message) -> bytes:
    body = app.request(message).body
    assert body is not None
    return body


@pytest.mark.parametrize(
    ("call", "changed"),
    [
        (Identify("5"), {"_timestamp": "now"}),
        (Track("5", "x"), {"name": 5}),
        (AddDevice("5", "t", "ios"), {"device": {"id": "t", "platform": "windows"}}),
        (IdentifyObject(ACME), {"action": "explode"}),
    ],
)
def test_a_wrong_request_is_noticed(call: Call, changed: dict[str, object]) -> None:
    """The mended schema has not become one that takes anything."""
    (request,) = requests_of_client([call])
    body = orjson.dumps({**request.json, **changed})
    wrong = Received(request.method, request.target, request.headers, body, 0, 0)

    assert complaint_about(_document(), wrong)
