"""What is installed: a wheel with its types, a core that needs no more than it says, a command."""

from __future__ import annotations

import email
import re
import subprocess
import sysconfig
import venv
import zipfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pip
import pytest

import cio_events
from cio_events.sandbox import Sandbox
from tests.support.scripts import ROOT, SECONDS, environment, run_code

# What `pip --python` starts; there, pip has been imported twice.
PIP = Path(pip.__file__).with_name("__pip-runner__.py")


def run(
    *command: str | Path, sandbox: Sandbox | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run *command* outside of the checkout, so that only what is installed is found."""
    alone = {"PYTHONPATH": "", "PYTHONNOUSERSITE": "1", "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT.parent,
        env=environment(sandbox, **alone),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


BUILD = """
import sys
from hatchling import build
build.build_wheel(sys.argv[1])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that this checkout makes."""
    target = tmp_path_factory.mktemp("wheel")
    # What pip has a process of its own call.
    run_code(BUILD, str(target), env=environment(PYTHONWARNINGS="default"))
    (built,) = target.glob("*.whl")
    return built


def metadata(wheel: Path) -> email.message.Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return email.message_from_bytes(archive.read(name))


def with_all_they_need(requirements: Iterable[str], extra: str = "") -> set[str]:
    """The distributions that fulfil *requirements*, as far as this environment has them."""
    found = set()
    for requirement in requirements:
        wanted = re.search(r"extra == ['\"](\w+)", requirement)
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
        if wanted is None or wanted[1] == extra:
            try:
                found |= {name, *with_all_they_need(distribution(name).requires or [])}
            except PackageNotFoundError:  # for another system or Python
                continue
    return found


def install(wheel: Path, home: Path, extra: str = "") -> Path:
    """
    A new environment with the package and what it says that it needs; returns its commands.

    What it needs is linked from the environment of the tests, so that no registry is asked.
    """
    venv.create(home, symlinks=True)
    commands = home / "bin"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    for name in with_all_they_need(metadata(wheel).get_all("Requires-Dist", []), extra):
        for top in {file.parts[0] for file in distribution(name).files or []}:
            if top not in ("..", "__pycache__"):
                (site / top).symlink_to(str(distribution(name).locate_file(top)))
    # pip has nowhere to look for anything that is missing, and so fails if something is.
    run(
        *(commands / "python", PIP, "install", "--no-compile", "--disable-pip-version-check"),
        f"{wheel}[{extra}]" if extra else wheel,
    )
    return commands


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment without any extra."""
    return install(wheel, tmp_path_factory.mktemp("core"))


def test_the_wheel_has_the_package_with_its_types_and_licence_and_nothing_else(
    wheel: Path,
) -> None:
    """Every module is in it, pytest's plugin, `py.typed` and the sandbox's page; no tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    package = ROOT / "cio_events"
    modules = {str(path.relative_to(ROOT)) for path in package.rglob("*.py")}
    page = (package / "sandbox" / "server" / "assets").iterdir()
    info = f"cio_events-{cio_events.__version__}.dist-info"
    assert {name for name in names if not name.startswith(f"{info}/")} == {
        *modules,
        *(str(path.relative_to(ROOT)) for path in page),
        "pytest_cio_events.py",
        "cio_events/py.typed",
    }
    assert f"{info}/licenses/LICENSE" in names


def test_the_wheel_says_what_it_needs(wheel: Path) -> None:
    """Four core dependencies, each with a floor, and Python 3.10."""
    said = metadata(wheel)
    core = [one for one in said.get_all("Requires-Dist", []) if "extra ==" not in one]

    assert sorted(re.split(">=", one)[0] for one in core) == [
        "blinker",
        "orjson",
        "requests",
        "structlog",
    ]
    assert all(re.fullmatch(r"[a-z]+>=[\d.]+", one) for one in core)
    assert said["Requires-Python"] == ">=3.10"
    assert {"dev", "sandbox", "spool"} <= {*said.get_all("Provides-Extra", [])}


LOG = """
import structlog, cio_events
structlog.configure(processors=[cio_events.CustomerIOProcessor(), structlog.dev.ConsoleRenderer()])
structlog.get_logger().info("purchase", cio_customer="5", price=13.99)
"""


def test_the_core_delivers_with_its_own_dependencies_alone(core: Path) -> None:
    """Without any extra, a tagged log line arrives."""
    with Sandbox() as sandbox:
        run(core / "python", "-W", "error", "-c", LOG, sandbox=sandbox)

        (event,) = sandbox.events
        assert (event.customer, event.name, event.data) == ("5", "purchase", {"price": 13.99})


def test_the_command_without_its_extra_says_what_to_install(core: Path) -> None:
    """No traceback, but the pip command that helps."""
    done = run(core / "cio-events", "sandbox", check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "cio-events needs click: pip install 'cio-events[sandbox]'\n"
    done = run(core / "cio-events", "doctor", "--app", "shop", check=False)
    assert done.stderr == "cio-events needs click: pip install 'cio-events[doctor]'\n"


def test_the_sandbox_without_its_extra_says_what_to_install(core: Path) -> None:
    """It can be imported anywhere, and starting it names the extra."""
    start = "from cio_events.sandbox import Sandbox; Sandbox().start()"

    done = run(core / "python", "-c", start, check=False)

    assert done.returncode == 1
    assert "pip install 'cio-events[sandbox]'" in done.stderr.splitlines()[-1]


def test_an_extra_brings_the_command(wheel: Path, tmp_path: Path) -> None:
    """With the leanest extra, and nothing that it does not ask for, the installed command runs."""
    asked = metadata(wheel).get_all("Requires-Dist", [])
    spool, sandbox = (
        {one.partition(";")[0] for one in asked if re.search(f"extra == ['\"]{extra}", one)}
        for extra in ("spool", "sandbox")
    )
    assert set() < spool < sandbox
    commands = install(wheel, tmp_path, "spool")

    done = run(commands / "cio-events", "--version")

    assert done.stdout == f"cio-events, version {cio_events.__version__}\n"
    assert run(commands / "python", "-m", "cio_events", "--version").stdout == done.stdout
