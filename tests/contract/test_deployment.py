"""
The files of the deployment pages, run by the server that each is for and ended by SIGTERM.

Nothing is sent before the end, so that what arrives was delivered while the process ended.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from cio_events.sandbox import Sandbox
from tests.contract.pages import PAGES
from tests.support.scripts import ROOT, SECONDS, environment, run_python

EXAMPLES = ROOT / "examples"

UWSGI = Path(sys.executable).with_name("uwsgi")

# In the place of a copy that has a free port in the place of 8000.
UWSGI_INI = "uwsgi.ini"

# What serves it, how, and by which signal it is told to end.
SERVERS = {
    "flask": (["-m", "flask", "--app", "flask_app", "run", "--port", "0"], signal.SIGINT),
    "fastapi and uvicorn": (
        ["-m", "uvicorn", "fastapi_app:app", "--port", "0"],
        signal.SIGTERM,
    ),
    "django and gunicorn": (
        ["-m", "gunicorn", "--bind", "127.0.0.1:0", "django_app:application"],
        signal.SIGTERM,
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
    ),
    "flask and uwsgi": (
        [str(UWSGI), "--ini", UWSGI_INI],
        signal.SIGTERM,
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
}

# How the servers say where they listen.
ADDRESS = re.compile(
    r"(?:running on http://|listening at: http://|address )(127\.0\.0\.1:\d+)",
    re.IGNORECASE,
)

# A customer's event waits for the end, which may take a while on a loaded machine.
PATIENT = {"CIO_FLUSH_INTERVAL": "3600", "CIO_EXIT_TIMEOUT": "20"}


@contextmanager
def serving(server: str, sandbox: Sandbox) -> Iterator[tuple[str, list[str]]]:
    """
    The address of an application's server, and the lines that it has logged once it has ended.
    """
    arguments, ending = SERVERS[server]
    with TemporaryDirectory() as directory:
        ini = Path(directory, UWSGI_INI)
        ini.write_text((EXAMPLES / UWSGI_INI).read_text().replace("127.0.0.1:8000", "127.0.0.1:0"))
        command = [str(ini) if word is UWSGI_INI else word for word in arguments]
        if command[0] == "-m":
            command = [sys.executable, *command]
        with running(command, ending, sandbox) as found:
            yield found


@contextmanager
def running(
    command: list[str], ending: signal.Signals, sandbox: Sandbox
) -> Iterator[tuple[str, list[str]]]:
    """
    What `serving` yields, of a server that is started by *command*.
    """
    lines: list[str] = []
    process = subprocess.Popen(
        command,
        env=environment(sandbox, PYTHONUNBUFFERED="1", **PATIENT),
        cwd=EXAMPLES,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    url = None
    try:
        for line in process.stdout:
            lines.append(line)
            found = ADDRESS.search(line)
            if found:
                url = f"http://{found[1]}"
                yield url, lines
                break
        process.send_signal(ending)
        lines += process.communicate(timeout=SECONDS)[0].splitlines()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert url is not None, lines


def ask(method: str, url: str, body: object = None, *, customer: str | None = None) -> object:
    """
    What a server answers, on a connection of its own: uWSGI closes each without a word.
    """
    with requests.Session() as browser:
        browser.trust_env = False
        if customer is not None:
            browser.headers["X-Customer"] = customer
        return browser.request(method, url, json=body, timeout=SECONDS).json()


@pytest.mark.parametrize(
    "server",
    [
        # Beside other tests it has now and then ended before it delivered.
        pytest.param(server, marks=pytest.mark.alone if "uwsgi" in server else ())
        for server in SERVERS
    ],
)
def test_a_web_application_binds_who_and_logs_the_checkout(server: str, sandbox: Sandbox) -> None:
    """
    Of two requests by a known customer and one by nobody, one line is one event: the checkout.
    """
    if "uwsgi" in server and not UWSGI.exists():
        pytest.skip("there is no uWSGI for this Python")
    order = {"product": "socks", "price": 13.99}
    with serving(server, sandbox) as (url, lines):
        assert ask("GET", f"{url}/products", customer="5") == ["socks", "gloves"]
        assert ask("POST", f"{url}/checkout", order, customer="5") == {"status": "paid"}
        ask("GET", f"{url}/products")
        if "uwsgi" in server:
            time.sleep(1)  # it answers before a request has ended, and ends amid requests

    # Ending the server has delivered the event; the bound path is no part of it.
    assert len(sandbox.events) == 1, "\n".join(lines)
    (event,) = sandbox.events
    assert (event.customer, event.name, event.data) == ("5", "purchase", order)
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    assert [(line["event"], line.get("cio_event_id")) for line in logged] == [
        ("products listed", None),
        ("purchase", event.id),
        ("products listed", None),
    ]


def test_an_order_that_is_rolled_back_is_no_event(sandbox: Sandbox) -> None:
    """
    Django's ``on_commit`` keeps the line for the commit, so none is logged without one.
    """
    with serving("django and gunicorn", sandbox) as (url, _):
        for price in (0, 13.99):
            ask("POST", f"{url}/checkout", {"product": "socks", "price": price}, customer="5")

    assert [event.data["price"] for event in sandbox.events] == [13.99]


def test_a_worker_of_celery_delivers_before_it_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    """
    The event of a task arrives, however the child of the worker ends.
    """
    # The file system in the place of a broker: what is sent lies where the worker looks for it.
    for folder in ("data_in", "control"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data_out").symlink_to("data_in")
    more = {**PATIENT, "BROKER_URL": "filesystem://", "PYTHONPATH": f"{EXAMPLES}:{ROOT}"}
    send = "import celery_app; celery_app.ship.delay('5', 'socks')"
    run_python("-c", send, env=environment(**more), cwd=tmp_path)
    assert len([*(tmp_path / "data_in").iterdir()]) == 1

    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "--app", "celery_app", "worker"),
            *("--concurrency", "1", "--without-gossip", "--without-mingle"),
        ],
        env=environment(sandbox, **more),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert worker.stdout is not None
    lines = []
    try:
        for line in worker.stdout:
            lines.append(line)
            if "shop: shipped" in line:
                break
        worker.send_signal(signal.SIGTERM)
        lines += worker.communicate(timeout=SECONDS)[0].splitlines()
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()

    assert [(event.customer, event.name, event.data) for event in sandbox.events] == [
        ("5", "shipped", {"product": "socks"})
    ], lines


INVOKE = """
import os, signal
import lambda_app

lambda_app.handler({"customer": "5", "price": 13.99}, None)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_function_delivers_before_it_is_frozen(sandbox: Sandbox) -> None:
    """
    The event has arrived when the handler returns: nothing that comes later could deliver it.
    """
    more = {**PATIENT, "PYTHONPATH": f"{EXAMPLES}:{ROOT}"}

    run_python("-c", INVOKE, env=environment(sandbox, **more), check=False)

    assert [(event.customer, event.data) for event in sandbox.events] == [("5", {"price": 13.99})]


def test_each_file_is_on_a_page() -> None:
    """
    What runs here is what the deployment pages show.
    """
    pages = " ".join(text for page, text in PAGES.items() if page.startswith("deployment/"))

    shown = set(re.findall(r"^```\{literalinclude\} ../../examples/(\S+)$", pages, re.MULTILINE))
    assert shown == DEPLOYED
