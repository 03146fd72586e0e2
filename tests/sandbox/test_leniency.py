"""What the vendor takes beyond its schema, the sandbox takes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cio_events.sandbox import Sandbox
from tests.sandbox.asking import Api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    """A client of a sandbox that is running, `api.sandbox`."""
    with Sandbox() as sandbox, Api(sandbox) as client:
        yield client


def test_an_anonymous_id_may_be_an_integer(api: Api) -> None:
    """It is the same as its text."""
    event = {"name": "visited", "anonymous_id": 42}
    assert api.post("/api/v1/events", json=event).status_code == 200
    api.put("/api/v1/customers/5", json={"anonymous_id": "42"})

    (seen,) = api.sandbox.events_of("5")
    assert seen.anonymous_id == "42"


def test_push_metrics_have_an_older_path(api: Api) -> None:
    """Without the version, and without credentials."""
    metric = {"delivery_id": "d", "event": "opened", "device_id": "t"}
    assert api.post("/push/events", json=metric, auth=("", "")).status_code == 200
    assert [m.metric for m in api.sandbox.metrics] == ["opened"]
