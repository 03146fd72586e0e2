"""
Packages of npm for tests that need one; where there is no npm they skip, and say so.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Under the suite's own guard.
INSTALL_SECONDS = 100


def install(home: Path, package: str) -> None:
    """
    Install a package, ``name@version``, into the ``node_modules`` of a directory.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no node and npm on this machine")
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", package],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install {package} here")
