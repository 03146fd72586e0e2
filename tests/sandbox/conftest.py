"""A sandbox of each test's own, since these tests also stop it, and a plain HTTP client of it."""

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
