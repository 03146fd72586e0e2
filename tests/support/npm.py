"""
Packages of npm for tests that need one; where there is no npm they skip, and say so.

`.ci/run` installs all of them once, for all the runs that follow; else the first run keeps them in
pytest's cache.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

AXE = "axe-core@4.10.2"
NODE_CLIENT = "customerio-node@4.4.0"

# Where they are once and for all, if they are.
HOME = Path(__file__).parents[2] / ".venv-ci" / "npm"
# Under the suite's own guard.
INSTALL_SECONDS = 100


def installed(package: str, config: pytest.Config) -> Path:
    """The ``node_modules`` that has a package, ``name@version``; if need be, install it."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no node and npm on this machine")
    assert config.cache is not None
    kept = config.cache.mkdir("npm") / package
    for home in (HOME, kept):
        if _has(home, package):
            return home / "node_modules"
    with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as fresh:
        ended = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", package],
            cwd=fresh,
            capture_output=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if ended.returncode:
            pytest.skip(f"npm cannot install {package} here")
        with suppress(OSError):  # another worker was faster
            Path(fresh).rename(kept)
    return kept / "node_modules"


def _has(home: Path, package: str) -> bool:
    name, _, version = package.rpartition("@")
    about = home / "node_modules" / name / "package.json"
    with suppress(FileNotFoundError):
        return bool(json.loads(about.read_text(encoding="utf-8"))["version"] == version)
    return False
