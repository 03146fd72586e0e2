"""A process without pipelines, whatever other tests have left."""

from __future__ import annotations

import pytest

from cio_events._http import loopback
from cio_events._pipeline import default
from cio_events._process import forks


@pytest.fixture(autouse=True)
def _no_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "watched", list)
    monkeypatch.setattr(default, "process", default.Pipelines())
    monkeypatch.setattr(loopback, "_bound", False)
