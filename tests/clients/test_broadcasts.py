"""A broadcast is triggered by the client of the App API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cio_events import AppClient, NoAnswerError, ParamError, TransactionalError
from cio_events.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Customer.io."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def app(sandbox: Sandbox) -> Iterator[AppClient]:
    """Its client."""
    with AppClient("key", url=sandbox.url) as client:
        yield client


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({}, {"data": {}}),
        ({"data": {"headline": "News"}}, {"data": {"headline": "News"}}),
        (
            {"recipients": {"segment": {"id": 7}}},
            {"data": {}, "recipients": {"segment": {"id": 7}}},
        ),
        (
            {"ids": iter(["5", 6]), "ignore_missing": True},
            {"data": {}, "ids": ["5", "6"], "id_ignore_missing": True},
        ),
        (
            {"emails": ("a@b.c",), "ignore_missing": False, "add_duplicates": True},
            {
                "data": {},
                "emails": ["a@b.c"],
                "email_ignore_missing": False,
                "email_add_duplicates": True,
            },
        ),
        ({"ids": range(10_000)}, {"data": {}, "ids": [str(n) for n in range(10_000)]}),
    ],
)
def test_it_is_asked_for(
    app: AppClient, sandbox: Sandbox, arguments: dict[str, Any], body: dict[str, Any]
) -> None:
    """The number of the trigger comes back."""
    assert app.trigger_broadcast(12, **arguments) == 1
    (request,) = sandbox.requests
    assert (request.method, request.path) == ("POST", "/v1/campaigns/12/triggers")
    assert request.body == body


def test_a_second_one_is_too_soon(app: AppClient, sandbox: Sandbox) -> None:
    """Customer.io takes one in ten seconds of each, and nothing is sent again."""
    app.trigger_broadcast(12)
    app.trigger_broadcast(13)
    with pytest.raises(TransactionalError, match=r"trigger_broadcast 12.* 10 seconds") as error:
        app.trigger_broadcast(12)
    assert error.value.status == 429
    assert len(sandbox.requests) == 3
    assert [finding.rule for finding in sandbox.findings] == ["broadcast triggered too soon"]


def test_after_a_doubt_it_may_have_been_received(app: AppClient, sandbox: Sandbox) -> None:
    """An answer without a number, and none at all: it is not asked again."""
    sandbox.fail_next(200, body={"ok": True})
    sandbox.forget_next()
    for _ in range(2):
        with pytest.raises(NoAnswerError) as error:
            app.trigger_broadcast(12)
        assert error.value.maybe_received
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"broadcast_id": 0}, "broadcast_id"),
        ({"broadcast_id": True}, "broadcast_id"),
        ({"broadcast_id": "12/../1"}, "broadcast_id"),
        ({"data": [1]}, "data"),
        ({"data": {"x": "y" * 5_000_000}}, "data"),
        ({"recipients": "all"}, "recipients"),
        ({"ids": "5"}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": [None]}, "ids"),
        ({"ids": range(10_001)}, "ids"),
        ({"ids": [10**400]}, "ids"),
        ({"emails": [5]}, "emails"),
        ({"emails": ["\ud800"]}, "emails"),
        ({"ids": ["5"], "emails": ["a@b.c"]}, "emails"),
        ({"ids": ["5"], "add_duplicates": True}, "add_duplicates"),
        ({"ignore_missing": True}, "ignore_missing"),
        ({"ids": ["5"], "ignore_missing": "yes"}, "ignore_missing"),
    ],
)
def test_what_is_wrong_is_named(
    app: AppClient, sandbox: Sandbox, arguments: dict[str, Any], param: str
) -> None:
    """Nothing is asked."""
    with pytest.raises(ParamError) as error:
        app.trigger_broadcast(**{"broadcast_id": 12, **arguments})
    assert error.value.param == param
    assert sandbox.requests == []
