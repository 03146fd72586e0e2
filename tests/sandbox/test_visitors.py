"""Web pages of others cannot read the sandbox, nor have it do anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cio_events.sandbox import Sandbox
from tests.sandbox.asking import raw

if TYPE_CHECKING:
    from collections.abc import Iterator

DELETE = ("DELETE", "/api/v1/customers/5")
BASIC = {"Authorization": "Basic c2l0ZTprZXk="}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that is running."""
    with Sandbox() as running:
        yield running


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost:1", "LOCALHOST", "[::1]:8026", "127.1.2.3"]
)
def test_names_of_this_machine_are_let_in(sandbox: Sandbox, host: str) -> None:
    """With any port, since a forwarder may have another."""
    assert raw(sandbox, "GET", "/sandbox/people", Host=host)[0] == 200
    assert raw(sandbox, *DELETE, Host=host, **BASIC)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8026", "localhost.evil.example", "10.0.0.1", "[", ""),
        *("evil.example@localhost", "[::1]evil.example", "localhost/evil.example"),
    ],
)
def test_a_foreign_host_is_refused(sandbox: Sandbox, host: str) -> None:
    """A page whose name leads here by DNS reads nothing and changes nothing, and is not kept."""
    for method, path in (("GET", "/sandbox/people"), ("GET", "/nowhere"), DELETE):
        status, answer = raw(sandbox, method, path, Host=host, **BASIC)
        assert (status, b"Host" in answer) == (400, True)
    assert sandbox.requests == []


def test_a_host_can_be_allowed() -> None:
    """By its name alone."""
    with Sandbox(allowed_hosts=["Sandbox.test"]) as sandbox:
        assert raw(sandbox, "GET", "/sandbox/people", Host="sandbox.test:9")[0] == 200
        assert raw(sandbox, "GET", "/sandbox/people", Host="other.test")[0] == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
def test_another_pages_requests_change_nothing(sandbox: Sandbox, origin: str) -> None:
    """Whatever path they ask for."""
    status, answer = raw(sandbox, *DELETE, Origin=origin, **BASIC)
    assert (status, b"page" in answer) == (403, True)
    assert sandbox.requests == []


def test_our_own_page_may(sandbox: Sandbox) -> None:
    """Its origin is the host that it asks."""
    host = f"127.0.0.1:{sandbox.port}"
    assert raw(sandbox, *DELETE, Host=host, Origin=f"http://{host}", **BASIC)[0] == 200
