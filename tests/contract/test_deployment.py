"""
The files of the deployment pages, run by their servers and ended by SIGTERM amid requests.

Nothing is sent before the end, so that what arrives was delivered while the process ended.
"""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cio_events.sandbox import Sandbox
from tests.contract.pages import PAGES
from tests.support import programs
from tests.support.load import NOTICE_SECONDS, PATIENT, Server, lost
from tests.support.nursery import Child
from tests.support.scripts import ROOT, SECONDS, environment

EXAMPLES = ROOT / "examples"

ENDS_AMID_REQUESTS = {"flask run", "flask_app.py"}

UWSGI = Path(sys.executable).with_name("uwsgi")

# In the place of a copy that has a free port in the place of 8000.
UWSGI_INI = "uwsgi.ini"

# What serves it, how, by which signal it is told to end, and how many requests are then open. They
# are served to their end, but by Flask's own server, which ends amid them.
SERVERS = {
    "flask run": (["-m", "flask", "--app", "flask_app", "run", "--port", "0"], signal.SIGINT, 2),
    "flask_app.py": (["flask_app.py"], signal.SIGTERM, 2),
    "fastapi and uvicorn": (
        ["-m", "uvicorn", "fastapi_app:app", "--port", "0"],
        signal.SIGTERM,
        4,
    ),
    "django and gunicorn": (
        ["-m", "gunicorn", "--bind", "127.0.0.1:0", "django_app:application"],
        signal.SIGTERM,
        1,
    ),
    "flask and gunicorn": (
        [
            "-m",
            "gunicorn",
            "--config",
            "gunicorn_conf.py",
            "--bind",
            "127.0.0.1:0",
            "flask_app:app",
        ],
        signal.SIGTERM,
        1,
    ),
    "flask and uwsgi": (
        [str(UWSGI), "--ini", UWSGI_INI],
        signal.SIGTERM,
        1,
    ),
}

DEPLOYED = {
    "flask_app.py",
    "fastapi_app.py",
    "django_app.py",
    "gunicorn_conf.py",
    "uwsgi.ini",
    "celery_app.py",
    "lambda_app.py",
    *(
        path.relative_to(EXAMPLES).as_posix()
        for path in (EXAMPLES / "django_shop").rglob("*.py")
        if path.name != "__init__.py"
    ),
}


@contextmanager
def serving(server: str, sandbox: Sandbox, tmp_path: Path) -> Iterator[Server]:
    """An application's server."""
    if "uwsgi" in server and not UWSGI.exists():
        pytest.skip("there is no uWSGI for this Python")
    ini = tmp_path / UWSGI_INI
    ini.write_text((EXAMPLES / UWSGI_INI).read_text().replace("127.0.0.1:8000", "127.0.0.1:0"))
    command = [str(ini) if word is UWSGI_INI else word for word in SERVERS[server][0]]
    if command[0] == str(UWSGI):
        imported: tuple[str, ...] = ()
    else:
        imported = programs.ASGI if "uvicorn" in command else programs.WSGI
    with Server(command, sandbox, cwd=EXAMPLES, imported=imported, PORT="0") as running:
        yield running


@pytest.mark.parametrize("server", SERVERS)
def test_no_event_is_lost(server: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """
    Each checkout is one event, also of requests that are open when the server is told to end.

    What a known customer or nobody does besides is none.
    """
    order = {"product": "socks", "price": 13.99}
    _, ending, opens = SERVERS[server]
    with serving(server, sandbox, tmp_path) as running:
        assert running.ask("GET", "/products") == ["socks", "gloves"]
        assert running.ask("POST", "/checkout", order) == {"status": "paid"}
        running.ask("GET", "/products", customer="")
        opened = [running.request("POST", "/checkout", order) for _ in range(opens)]
        if "uwsgi" in server:
            time.sleep(NOTICE_SECONDS)  # it does not say when a request has begun
        else:
            opened = [request.reaches_the_application() for request in opened]
        if server in ENDS_AMID_REQUESTS:
            running.end(ending)
        answers = running.end_under_load(opened, ending)
        lines = running.lines

    served = 0 if server in ENDS_AMID_REQUESTS else opens
    assert answers == [{"status": "paid"}] * served, "\n".join(lines)
    assert lost(lines, sandbox) == set(), "\n".join(lines)
    # The bound path is no part of an event.
    arrived = [(event.customer, event.name, event.data) for event in sandbox.events]
    assert arrived == [("5", "purchase", order)] * (1 + served)
    # Not line by line: a server's own line may come between one of ours and its end.
    logged = re.findall(r'"event": "([^"]+)"', "\n".join(lines))
    assert logged == ["products listed", "purchase", "products listed", *["purchase"] * served]


def test_an_order_that_is_rolled_back_is_no_event(sandbox: Sandbox, tmp_path: Path) -> None:
    """Django's ``on_commit`` keeps the line for the commit, so none is logged without one."""
    with serving("django and gunicorn", sandbox, tmp_path) as running:
        for price in (0, 13.99):
            running.ask("POST", "/checkout", {"product": "socks", "price": price})
        running.end()

    assert [event.data["price"] for event in sandbox.events] == [13.99]


INVOKE = """
import os, signal, sys
sys.path.insert(1, sys.argv[1])
import lambda_app

lambda_app.handler({"customer": "5", "price": 13.99}, None)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_function_delivers_before_it_is_frozen(sandbox: Sandbox) -> None:
    """
    The event has arrived when the handler returns: nothing that comes later could deliver it.
    """
    with Child(INVOKE, [str(EXAMPLES)], env=environment(sandbox, **PATIENT)) as child:
        _, said = child.communicate(SECONDS)

    assert child.returncode == -signal.SIGKILL, said
    assert [(event.customer, event.data) for event in sandbox.events] == [("5", {"price": 13.99})]


def test_each_file_is_on_a_page() -> None:
    """What runs here is what the deployment pages show."""
    pages = " ".join(text for page, text in PAGES.items() if page.startswith("deployment/"))

    shown = set(re.findall(r"^```\{literalinclude\} ../../examples/(\S+)$", pages, re.MULTILINE))
    assert shown == DEPLOYED
