"""
Scripts of users, run as they run them: in a process of their own, with the environment's settings.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cio_events.sandbox import Sandbox
from tests.support.nursery import Child

ROOT = Path(__file__).parents[2]

# A guard against hanging, no measure.
SECONDS = 60


def environment(sandbox: Sandbox | None = None, **more: str) -> dict[str, str]:
    """The environment of these tests, with settings for *sandbox* and no others of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CIO_")}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    kept["PYTHONPATH"] = os.pathsep.join(paths)
    if sandbox is not None:
        kept |= {
            "CIO_SITE_ID": "site",
            "CIO_API_KEY": "key",
            "CIO_APP_API_KEY": "app-key",
            "CIO_TRACK_URL": sandbox.url,
            "CIO_APP_URL": sandbox.url,
            # On a loaded machine, what an exit delivers takes longer than it has by default.
            "CIO_EXIT_TIMEOUT": "20",
        }
    return kept | more


def run_code(
    code: str, *arguments: str, env: dict[str, str], cwd: Path = ROOT, whole: bool = False
) -> tuple[str, str]:
    """
    Run *code*, warnings as errors, in a process whose imports of ours are done.

    Its end may be a *whole* one.

    Returns what it printed and what it said.
    """
    with Child(code, arguments, env=env, cwd=cwd, whole=whole) as child:
        printed, said = child.communicate(SECONDS)
        assert child.returncode == 0, printed + said
    return printed, said


def run_python(
    *arguments: str, env: dict[str, str], cwd: Path = ROOT, check: bool = True
) -> tuple[str, str]:
    """
    Run Python with *arguments* and warnings as errors; returns what it printed and what it said.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr
