"""Small suites of users, run by pytest in processes of their own, and what came of each test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.support.nursery import Child
from tests.support.scripts import SECONDS, environment

# As `python -m pytest` does.
PYTEST = """
import os, sys
sys.path[:0] = [os.getcwd(), *os.environ["PYTHONPATH"].split(os.pathsep)]
import pytest
sys.exit(pytest.main())
"""

# Of plugins that are found as ours is, those whose import takes longer than all the rest.
_OTHERS = ("ddtrace", "asyncio", "anyio", "django", "pytest_cov", "hypothesispytest")
_OTHERS += ("pytest-structlog", "xdist", "xdist.looponfail")
WITHOUT_OTHERS = tuple(f"-pno:{other}" for other in _OTHERS)


@dataclass(frozen=True)
class Result:
    """What came of a test: ``passed``, ``failed`` or ``error``, and what was printed of it."""

    outcome: str
    text: str


@dataclass(frozen=True)
class Run:
    """What pytest printed, and what came of each test by its name."""

    code: int
    out: str
    tests: dict[str, Result]


def run_suite(
    directory: Path,
    files: dict[str, str],
    *arguments: str,
    plugin: bool = True,
    fresh: bool = False,
    inside: Sequence[str] = (),
    **variables: str,
) -> Run:
    """
    Write *files* and have pytest run them, *inside* another command, as production is set up.

    Neither this project's configuration nor any plugin but ours takes part. Where it matters what
    is imported when, or what a Python that starts does, pytest runs in a *fresh* interpreter.
    """
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    if not any((directory / name).exists() for name in ("pytest.ini", "pyproject.toml")):
        (directory / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    settings = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "CIO_SITE_ID": "real-looking",
        "CIO_API_KEY": "real-looking",
        "CIO_APP_API_KEY": "real-looking",
        "COLUMNS": "200",
    }
    env = environment(**{**settings, **variables})
    env.pop("PYTEST_ADDOPTS", None)
    env["PYTHONPATH"] = os.pathsep.join([str(directory), env["PYTHONPATH"]])
    arguments = (
        *(("-p", "pytest_cio_events") if plugin else ()),
        *("-p", "no:cacheprovider", "-rA", "--tb=short"),
        *("-W", "error::pytest.PytestUnknownMarkWarning"),
        *arguments,
    )
    if not (fresh or inside):
        env["PYTHONWARNINGS"] = "default"  # of those of a Python that starts, nobody thinks
        with Child(PYTEST, arguments, env=env, cwd=directory, imported=["pytest"]) as child:
            out, err = child.communicate(SECONDS)
            assert child.returncode is not None
            return Run(child.returncode, out + err, _tests(out))
    done = subprocess.run(
        [*inside, sys.executable, "-m", "pytest", *arguments],
        cwd=directory,
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr, _tests(done.stdout))


def _tests(out: str) -> dict[str, Result]:
    texts = dict[str, str]()
    name = ""
    for line in out.splitlines():
        heading = re.fullmatch(
            r"_{2,} (?:ERROR at \w+ of )?(?:\w+\.)?(\w+(?:\[.*\])?) _{2,}", line
        )
        if heading is not None:
            name = heading[1]
        elif re.match(r"=+ .*(summary|PASSES)", line):
            name = ""
        elif name:
            texts[name] = texts.get(name, "") + line + "\n"
    found = re.findall(r"^(PASSED|FAILED|ERROR) \S*::(\w+(?:\[[^\]]*\])?)", out, re.MULTILINE)
    return {test: Result(word.lower(), texts.get(test, "")) for word, test in found}
