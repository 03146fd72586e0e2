"""Sub-interpreters: those that are isolated, and those that are as mod_wsgi makes them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.process.life import ROOT

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox


def _module() -> str | None:
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        return name
    return None


MODULE = _module()

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12) or MODULE is None,
    reason="before Python 3.12 no sub-interpreter is isolated",
)

# In one of each kind, to its end: the process's own.
RUN = f"""
import sys
import {MODULE} as interpreters
isolated, shared, url = sys.argv[1:]
old = interpreters.__name__ == "_xxsubinterpreters"
one = interpreters.create()
interpreters.run_string(one, isolated)
one = interpreters.create(isolated=False) if old else interpreters.create("legacy")
failed = interpreters.run_string(one, f"URL = {{url!r}}\\n" + shared)
assert failed is None, failed
"""

ISOLATED = """
import sys
try:
    import cio_events
except ImportError as error:
    print(error, flush=True)
    print("structlog" in sys.modules, flush=True)
"""

SHARED = """
import cio_events
pipeline = cio_events.configure(site_id="site", api_key="key", track_url=URL)
pipeline.track("5", "bought")
print(pipeline.close(20), pipeline.stats().sent, flush=True)
"""


def test_what_each_kind_of_interpreter_can(sandbox: Sandbox) -> None:
    """One that is isolated gets an ImportError that names the cause; the other delivers."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, ISOLATED, SHARED, sandbox.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )

    said, imported, delivered = done.stdout.splitlines()
    assert "isolated sub-interpreter" in said
    assert "orjson" in said
    assert imported == "False"
    assert delivered == "True 1"
    assert [event.name for event in sandbox.events] == ["bought"]
