"""
Packages of npm for tests that need one; where there is no npm they skip, and say so.

`.ci/run` installs all of them once, for all the runs that follow.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

AXE = "axe-core@4.10.2"
NODE_CLIENT = "customerio-node@4.4.0"

# Where they are once and for all, if they are.
HOME = Path(__file__).parents[2] / ".venv-ci" / "npm"
# Under the suite's own guard.
INSTALL_SECONDS = 100


def installed(package: str, otherwise: Path) -> Path:
    """The ``node_modules`` that has a package, ``name@version``; if need be one in *otherwise*."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no node and npm on this machine")
    name, _, version = package.rpartition("@")
    try:
        about = (HOME / "node_modules" / name / "package.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    else:
        if json.loads(about)["version"] == version:
            return HOME / "node_modules"
    ended = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", package],
        cwd=otherwise,
        capture_output=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if ended.returncode:
        pytest.skip(f"npm cannot install {package} here")
    return otherwise / "node_modules"
