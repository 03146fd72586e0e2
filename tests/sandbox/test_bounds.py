"""Nothing that a client sends is a fault of the sandbox's, or fills its memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cio_events.sandbox import Sandbox
from cio_events.sandbox.model import limits
from cio_events.sandbox.model.ring import Ring
from tests.sandbox.asking import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = "/api/v1/customers/5/events"
VIEWS = ("people", "events", "objects", "metrics", "messages", "requests", "left")
GOOD = {"type": "person", "identifiers": {"id": "5"}, "action": "event", "name": "good"}


@pytest.fixture
def api() -> Iterator[Api]:
    """A client of a sandbox that is running, `api.sandbox`."""
    with Sandbox() as sandbox, Api(sandbox) as client:
        yield client


def levels(count: int, brackets: str = "[]") -> str:
    """JSON of so many levels."""
    if brackets == "[]":
        return "[" * count + "]" * count
    return '{"]\\"[":' * count + "1" + "}" * count


def assert_well(api: Api) -> None:
    """It shows all that it knows, and goes on."""
    for view in VIEWS:
        assert api.get(f"/sandbox/{view}").status_code == 200
    assert api.batch(GOOD).status_code == 200


@pytest.mark.parametrize("brackets", ["[]", "{}"])
@pytest.mark.parametrize("count", [180, 250, 1_100, 20_000])
def test_a_deep_body_is_refused_or_kept(api: Api, count: int, brackets: str) -> None:
    """Never a 500, on any path, nor by looking at it afterwards."""
    deep = levels(count, brackets)
    expected = 200 if count == 180 else 400
    event = f'{{"name": "deep", "data": {{"x": {deep}}}}}'
    operation = json.dumps(GOOD)[:-1] + f', "attributes": {{"x": {deep}}}}}'
    message = (
        '{"transactional_message_id": 1, "to": "a@b", "identifiers": {"id": "5"},'
        f' "message_data": {{"x": {deep}}}}}'
    )
    if len(deep) < limits.OPERATION_BYTES:
        assert api.post("/api/v2/entity", data=operation).status_code == expected
    bearer = {"Authorization": "Bearer app-key"}
    assert api.post(EVENTS, data=event).status_code in (expected, 400)
    answer = api.post("/v1/send/email", data=message, headers=bearer, auth=lambda r: r)
    assert answer.status_code == expected
    assert api.post("/api/v2/batch", data=f'{{"x": {deep}}}').status_code == 400
    assert_well(api)


@pytest.mark.parametrize("count", [250, 1_100])
def test_one_unreadable_operation_does_not_fail_its_batch(api: Api, count: int) -> None:
    """The others are done, and the answer says which was not."""
    good = json.dumps(GOOD)
    deep = good[:-1] + f', "attributes": {{"x": {levels(count)}}}}}'
    answer = api.post("/api/v2/batch", data=f'{{"batch": [{good}, {deep}, {good}]}}')

    assert answer.status_code == 207
    (error,) = answer.json()["errors"]
    assert (error["batch_index"], error["reason"]) == (1, "invalid")
    assert "190 levels" in error["message"]
    assert len(api.sandbox.events) == 2
    assert_well(api)


def test_what_looks_deep_in_a_text_is_none(api: Api) -> None:
    """Brackets in texts are letters, in a body that has to be cut too."""
    text = '[{"' * 500
    odd = {**GOOD, "attributes": {"text": text, "\\": '\\"['}}
    deep = json.dumps(GOOD)[:-1] + f', "attributes": {{"x": {levels(2_000)}}}}}'
    api.post("/api/v2/batch", data=f'{{"batch": [{deep}, {json.dumps(odd)}]}}')

    (event,) = api.sandbox.events
    assert event.data == odd["attributes"]


@pytest.mark.parametrize("digits", ["7" * 5_000, "7" * 30, "\N{ARABIC-INDIC DIGIT TWO}" * 5_000])
def test_too_many_digits_are_no_number(api: Api, digits: str) -> None:
    """In a path, in a text and as a number."""
    segment = api.post(f"/api/v1/segments/{digits}/add_customers", json={"ids": ["5"]})
    assert segment.status_code == 400
    device = {"device": {"id": "t", "platform": "ios", "last_used": digits}}
    assert api.put("/api/v1/customers/5/devices", json=device).status_code == 400
    if digits.isascii():
        for field in ("timestamp", "name", "data", "id"):
            body = json.dumps({"name": "x", field: 0}).replace(": 0", f": {digits}")
            assert api.post(EVENTS, data=body).status_code == 400
        api.put("/api/v1/customers/5", data=f'{{"n": {digits}}}')
    assert_well(api)


@pytest.mark.parametrize("address", ["(" * 500, "<" * 500, '"' * 501, "\\" * 501, "[" * 500])
def test_brackets_in_an_address_are_letters(api: Api, address: str) -> None:
    """However many there are."""
    fields = {"transactional_message_id": 1, "identifiers": {"id": "5"}}
    assert api.message("email", **fields, to=address, bcc=address).status_code == 200
    assert_well(api)


def test_recipients_are_counted_outside_of_names(api: Api) -> None:
    """A comma in quotes or in a comment parts nobody."""
    fields: dict[str, Any] = {"transactional_message_id": 1, "identifiers": {"id": "5"}}
    names = ", ".join(f'"Last, First, {n}" (a, b) <{n}@example.com>' for n in range(15))
    assert api.message("email", **fields, to=names).status_code == 200
    assert api.message("email", **fields, to=names, cc="a@example.com").status_code == 400


def test_a_large_body_is_refused_and_not_kept(api: Api) -> None:
    """With 413, whatever it is."""
    large = b'{"x": "' + b"y" * limits.BODY_BYTES + b'"}'
    assert api.post(EVENTS, data=large).status_code == 413
    assert [(r.body, r.status) for r in api.sandbox.requests] == [(None, 413)]
    assert_well(api)


def test_history_is_bounded_and_what_left_is_counted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last are kept, numbers go on, and the counts are shown."""
    monkeypatch.setattr(limits, "REQUESTS_KEPT", 3)
    monkeypatch.setattr(limits, "EVENTS_KEPT", 4)
    api.sandbox.clear()
    api.post("/api/v1/events", json={"name": "early", "anonymous_id": "a"})
    for number in range(5):
        api.post(EVENTS, json={"name": f"event {number}"})
    api.put("/api/v1/customers/5", json={"anonymous_id": "a"})

    assert [request.index for request in api.sandbox.requests] == [4, 5, 6]
    assert [(e.name, e.order) for e in api.sandbox.events] == [
        (f"event {number}", number + 1) for number in range(1, 5)
    ]
    left = {"requests": 4, "events": 2, "messages": 0, "metrics": 0}
    assert api.sandbox.left == left
    assert api.get("/sandbox/left").json() == left


def test_a_ring_lets_the_first_ones_go() -> None:
    """By count and by bytes; the last one stays however large it is."""
    ring: Ring[str] = Ring(3, 10)
    assert [ring.add(letter, 3) for letter in "abcd"] == [0, 1, 2, 3]
    assert (list(ring), ring.left, ring.following) == (["b", "c", "d"], 1, 4)
    assert (ring.get(0), ring.get(1), ring.get(4)) == (None, "b", None)
    assert (ring.since(3), ring.since(0), ring.since(9)) == (["d"], ["b", "c", "d"], [])
    ring.replace(0, "gone")
    ring.replace(2, "C")
    assert list(ring) == ["b", "C", "d"]
    ring.add("large", 100)
    assert (list(ring), ring.left) == (["large"], 4)
