"""The entry in INSTALLED_APPS: the example project's tests, commands and development server."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import programs
from tests.support.load import PATIENT, Server, lost
from tests.support.ports import free_port
from tests.support.scripts import ROOT, SECONDS, environment

if TYPE_CHECKING:
    from pathlib import Path

    from cio_events.sandbox import Sandbox

PROJECT = ROOT / "examples" / "django_shop"
JOINED = {"email": "lucy@example.com", "source": "footer"}


def serving(command: list[str], sandbox: Sandbox, home: Path) -> Server:
    """Start a server of the project, whose database is in *home*."""
    imported = programs.ASGI if "uvicorn" in command else programs.WSGI
    database = str(home / "db")
    return Server(command, sandbox, cwd=PROJECT, imported=imported, DATABASE=database)


def test_the_projects_own_tests_pass() -> None:
    """The page's project is complete, and its tests see what it logs."""
    with programs.program(
        *("manage.py", "test"),
        env=environment(PYTHONWARNINGS="error"),
        cwd=PROJECT,
        imported=programs.WSGI,
        joined=False,
    ) as running:
        _, err = running.communicate(SECONDS)
        assert running.returncode == 0, err

    assert "Ran 4 tests" in err
    assert err.rstrip().endswith("OK\nDestroying test database for alias 'default'...")


def test_runserver_with_autoreload(sandbox: Sandbox, tmp_path: Path) -> None:
    """It ends its child by SIGKILL: events have left before, whatever the interval."""
    with serving(["manage.py", "runserver", str(free_port())], sandbox, tmp_path) as running:
        for _ in range(3):
            assert running.ask("POST", "/newsletter", JOINED) == {"status": "joined"}
        deadline = time.monotonic() + SECONDS
        while len(sandbox.events) < 3:
            assert time.monotonic() < deadline, running.lines
            time.sleep(0.02)
        lines = running.end()

    assert lost(lines, sandbox) == set()


def test_runserver_without_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGTERM would end it at once; it delivers first."""
    command = ["manage.py", "runserver", "--noreload", str(free_port())]
    with serving(command, sandbox, tmp_path) as running:
        for _ in range(3):
            running.ask("POST", "/newsletter", JOINED)
        opened = running.request("POST", "/newsletter", JOINED).reaches_the_application()
        lines = running.end()
        opened.close()

    assert len(sandbox.events) == 3
    assert lost(lines, sandbox) == set()


SERVERS = {
    "gunicorn": (["gunicorn", "--bind", "127.0.0.1:0", "shop.wsgi:application"], 1),
    "uvicorn": (["uvicorn", "--port", "0", "shop.asgi:application"], 3),
}


@pytest.mark.parametrize("server", SERVERS)
def test_the_project_behind_a_server(server: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGTERM comes amid requests; they are served, and all that was logged arrives."""
    command, opens = SERVERS[server]
    with serving(["-m", *command], sandbox, tmp_path) as running:
        for _ in range(3):
            running.ask("POST", "/newsletter", JOINED)
        opened = [
            running.request("POST", "/newsletter", JOINED).reaches_the_application()
            for _ in range(opens)
        ]
        answers = running.end_under_load(opened)
        lines = running.lines

    assert answers == [{"status": "joined"}] * opens, "\n".join(lines)
    assert len(sandbox.events) == 3 + opens
    assert lost(lines, sandbox) == set(), "\n".join(lines)


COMMAND = """
import os, signal, sys
sys.argv = ["manage.py", "remind", "5"]

from shop.management.commands import remind
handle = remind.Command.handle

def handle_and_be_ended(self, *args, **options):
    handle(self, *args, **options)
    os.kill(os.getpid(), signal.SIGTERM)

remind.Command.handle = handle_and_be_ended
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def test_a_command_that_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    """Amid its work, as a container is stopped."""
    env = environment(sandbox, **{**PATIENT, "DATABASE": str(tmp_path / "db")})
    (tmp_path / "command.py").write_text(COMMAND)
    command = str(tmp_path / "command.py")
    with programs.program(command, env=env, cwd=PROJECT, imported=programs.WSGI) as running:
        printed, _ = running.communicate(SECONDS)

    assert running.returncode == -signal.SIGTERM, printed
    assert [(event.customer, event.name) for event in sandbox.events] == [("5", "reminded")]
