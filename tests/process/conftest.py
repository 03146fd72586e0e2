"""A Customer.io on loopback for processes that come to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cio_events.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """A Customer.io that has heard of nobody."""
    _running_sandbox.clear()
    yield _running_sandbox
    _running_sandbox.heal()
