"""
Run the doctor on set-ups, each in a process of its own that is forked from one.

What that process has imported, none of them has to.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.scripts import ROOT, environment, run_code

HOME = Path(__file__).parent

CREDENTIALS = {"CIO_SITE_ID": "f82ad78f695bd32f9d99", "CIO_API_KEY": "1a621ef65edfe6d3b6ae"}

# Reads jobs, and prints what the doctor has found in each.
_RUN = """
import gc, io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
import cio_events._cli.doctor  # which the command imports only once it is asked for
from cio_events._cli.main import commands

def run(job, pipe):
    os.chdir(job["cwd"])
    os.environ.update({name: text for name, text in job["env"].items() if text})
    sys.path.insert(0, job["cwd"])
    printed, said = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(printed), redirect_stderr(said):
        try:
            commands(["doctor", *job["arguments"]], prog_name="cio-events")
        except SystemExit as end:
            code = end.code
    result = {"code": code, "out": printed.getvalue(), "err": said.getvalue()}
    os.write(pipe, json.dumps(result).encode())
    os._exit(0)

results = []
gc.collect()
gc.freeze()
for job in json.loads(sys.argv[1]):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        run(job, theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    results.append(json.loads(text) if text else {"code": None, "out": "", "err": "died"})
json.dump(results, sys.stdout)
"""


@dataclass(frozen=True)
class Job:
    """One run: the arguments of the command, what the environment has, and where."""

    arguments: tuple[str, ...]
    env: dict[str, str]
    cwd: Path


@dataclass(frozen=True)
class Run:
    """What came of it."""

    code: int | None
    out: str
    err: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What was found, where ``--json`` was asked for."""
        assert self.out, self.err
        found: list[dict[str, Any]] = json.loads(self.out)["findings"]
        return found

    @property
    def bad(self) -> set[str]:
        """The ids of what is wrong."""
        return {one["id"] for one in self.findings if one["level"] in ("warning", "error")}


@dataclass(frozen=True)
class SetUp:
    """An application in one file, as its comments describe it."""

    path: Path
    source: str
    finds: set[str] = field(default_factory=set)
    env: dict[str, str] = field(default_factory=dict)
    mended_env: dict[str, str] = field(default_factory=dict)

    @property
    def mended(self) -> str:
        """Its source with the mends applied."""
        lines = []
        for line in self.source.splitlines():
            marked = re.fullmatch(r"(\s*).*?  # mend(?:: (.*))?", line)
            if marked is None:
                lines.append(line)
            elif marked[2]:
                lines.append(marked[1] + marked[2])
        return "\n".join(lines) + "\n"

    def job(self, home: Path, *, mended: bool = False) -> Job:
        """A run of it, or of what was mended, in a directory of its own below *home*."""
        cwd = home / ("mended" if mended else "as_is") / self.path.stem
        cwd.mkdir(parents=True)
        (cwd / self.path.name).write_text(self.mended if mended else self.source)
        env = CREDENTIALS | self.env | (self.mended_env if mended else {})
        return Job(("--json", "--offline", "--app", self.path.stem), env, cwd)


def read(path: Path) -> SetUp:
    """The set-up in the file at *path*."""
    source = path.read_text(encoding="utf-8")

    def said(what: str) -> list[str]:
        return re.findall(rf"^# {what}: (.*)$", source, re.MULTILINE)

    def variables(what: str) -> dict[str, str]:
        pairs = (one.replace("\\n", "\n").partition("=") for one in said(what))
        return {name: value for name, _, value in pairs}

    finds = {id_ for one in said("finds") for id_ in one.split()}
    return SetUp(path, source, finds, variables("env"), variables("mended env"))


BROKEN = {path.stem: read(path) for path in sorted((HOME / "broken").glob("*.py"))}
RIGHT = {path.stem: read(path) for path in sorted((HOME / "right").glob("*.py"))}


def run(jobs: list[Job]) -> list[Run]:
    """Run them all, one after the other."""
    asked = [{"arguments": job.arguments, "env": job.env, "cwd": str(job.cwd)} for job in jobs]
    kept = environment()
    for name in ("ENV", "CI", "STAGE", "APP_ENV", "ENVIRONMENT"):
        kept.pop(name, None)
    env = kept | {"PYTHONWARNINGS": "default"}
    printed, said = run_code(_RUN, json.dumps(asked), env=env)
    assert printed, said
    return [Run(**one) for one in json.loads(printed)]


EXAMPLES = ROOT / "examples"
