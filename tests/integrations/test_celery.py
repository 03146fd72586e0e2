"""Celery's workers of each kind, and beat: what they log arrives, the console is as it was."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import celery
import pytest

from tests.support.load import PATIENT
from tests.support.nursery import Child
from tests.support.programs import QUEUES, program
from tests.support.scripts import ROOT, SECONDS, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cio_events.sandbox import Sandbox

# A task that is amid its work when the worker is told to end.
LONG = """
@app.task(name="long")
def take_long():
    import logging, pathlib, time
    log = logging.getLogger("shop.long")
    log.info("begun", extra={"cio_customer": "long"})
    pathlib.Path("begun").touch()
    while not pathlib.Path("go on").exists():
        time.sleep(0.01)
    log.info("done", extra={"cio_customer": "long"})
"""

# With the page's file beside it: its task, and one that uses Celery's own logger.
APPLICATION = """
import sys
sys.modules["rich"] = None  # structlog would import it, which takes a while
from celery.utils.log import get_task_logger
from celery_app import app, ship

@app.task
def pack(customer):
    get_task_logger("shop.tasks").info("packed", extra={"cio_customer": customer})
"""

DJANGO = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "django_settings"
import logging
from celery import Celery

app = Celery("shop", broker="filesystem://")
app.config_from_object("django.conf:settings", namespace="CELERY")

@app.task(name="celery_app.ship")
def ship(customer, product):
    logging.getLogger("shop").info("shipped", extra={"cio_customer": customer, "product": product})
"""

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["cio_events.integrations.django.CustomerIO"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"customerio": {"class": "cio_events.CustomerIOHandler"}},
    "root": {"level": "INFO", "handlers": ["customerio"]},
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
}
"""

TASKS = 5


def prepare(home: Path) -> dict[str, str]:
    """Write the applications; returns where their broker is."""
    folders = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
    here = {name: str(home / folder) for name, folder in folders.items()}
    for folder in folders.values():
        (home / folder).mkdir(exist_ok=True)
    application = APPLICATION.replace(
        "app, ship", "app, ship\napp.conf.broker_transport_options = " + repr(here)
    )
    (home / "shop_of_mine.py").write_text(application + LONG)
    (home / "shop_of_django.py").write_text(DJANGO + LONG)
    (home / "django_settings.py").write_text(SETTINGS)
    return here


@contextmanager
def running(sandbox: Sandbox, home: Path, module: str, *arguments: str) -> Iterator[Child]:
    """A command of Celery's, for that application."""
    paths = f"{ROOT / 'examples'}:{ROOT}:{home}"
    process = program(
        *("-m", "celery", "--app", module, *arguments),
        env=environment(
            sandbox, **{**PATIENT, "PYTHONPATH": paths, "BROKER_URL": "filesystem://"}
        ),
        cwd=home,
        imported=QUEUES,
    )
    with process:
        yield process


def wait_for(condition: Callable[[], bool], process: Child) -> None:
    """Wait until it comes true, or the *process* has ended."""
    deadline = time.monotonic() + SECONDS
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def work(sandbox: Sandbox, home: Path, module: str, task: str, pool: str) -> str:
    """
    What a worker prints that does some tasks, and is ended by SIGTERM amid the last of them.
    """
    here = prepare(home)
    with celery.Celery(broker="filesystem://", set_as_current=False) as sender:
        sender.conf.broker_transport_options = here
        for number in range(TASKS):
            arguments = (str(number), "socks") if task.endswith("ship") else (str(number),)
            sender.send_task(task, arguments)
        # This broker takes what was sent in one millisecond in any order.
        time.sleep(0.002)
        sender.send_task("long")
    with running(
        sandbox,
        home,
        module,
        *("worker", "--pool", pool, "--concurrency", "2", "--without-gossip", "--without-mingle"),
        *("--without-heartbeat", "--task-events"),
    ) as worker:
        wait_for((home / "begun").exists, worker)
        worker.send_signal(signal.SIGTERM)
        printed = []
        for line in worker.stdout:
            printed.append(line)
            if "Warm shutdown" in line:  # Celery has noticed, and waits for what is under way
                (home / "go on").touch()
        worker.wait(SECONDS)
        return "".join(printed)


@pytest.mark.parametrize(
    ("pool", "module", "task", "name"),
    [
        ("prefork", "shop_of_mine", "celery_app.ship", "shipped"),
        ("threads", "shop_of_mine", "shop_of_mine.pack", "packed"),
        ("solo", "shop_of_mine", "celery_app.ship", "shipped"),
        ("prefork", "shop_of_django", "celery_app.ship", "shipped"),
    ],
)
def test_each_event_of_each_task_arrives(
    sandbox: Sandbox, tmp_path: Path, pool: str, module: str, task: str, name: str
) -> None:
    """
    Of one amid its work at SIGTERM too, and at Celery's default level.

    That is WARNING: its console shows none of those lines.
    """
    printed = work(sandbox, tmp_path, module, task, pool)

    arrived = sorted((event.customer or "", event.name) for event in sandbox.events)
    of_the_long = [("long", "begun"), ("long", "done")]
    assert arrived == [*((str(number), name) for number in range(TASKS)), *of_the_long], printed
    assert name not in printed
    assert "taken from its logger" not in printed


ALONE = """
import logging.config
from celery import Celery

logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"customerio": {"class": "cio_events.CustomerIOHandler"}},
    "root": {"level": "INFO", "handlers": ["customerio"]},
})
app = Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = %r

@app.task
def ship(customer):
    logging.getLogger("shop").info("shipped", extra={"cio_customer": customer})
"""


def test_a_worker_without_the_line_says_so_when_it_starts(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Once, and not by each of its children: its events end silently, for days."""
    (tmp_path / "shop_alone.py").write_text(ALONE % prepare(tmp_path))
    arguments = ("worker", "--concurrency", "2", "--loglevel", "INFO")
    with running(sandbox, tmp_path, "shop_alone", *arguments) as worker:
        printed = []
        for line in worker.stdout:
            printed.append(line)
            if line.rstrip().endswith(" ready."):
                break
        before = "".join(printed)
        worker.send_signal(signal.SIGTERM)
        after = worker.stdout.read()

    assert before.count("a CustomerIOHandler is on no logger") == 1, before
    assert "cio_events.integrations.celery.install()" in before
    assert "CustomerIOHandler" not in after


BEAT = """
import logging
from celery.signals import beat_init
from shop_of_mine import app

app.conf.beat_schedule = {
    "ship": {"task": "celery_app.ship", "schedule": 0.05, "args": ("5", "socks")}
}

@beat_init.connect
def begin(**_):
    logging.getLogger("shop").info("beat begun", extra={"cio_customer": "beat"})
"""


def test_what_beat_logs_arrives(sandbox: Sandbox, tmp_path: Path) -> None:
    """It empties the root logger as a worker does; and it is ended by SIGTERM as one is."""
    prepare(tmp_path)
    (tmp_path / "shop_with_beat.py").write_text(BEAT)
    with running(sandbox, tmp_path, "shop_with_beat", "beat", "--schedule", "schedule") as beat:
        wait_for(lambda: any((tmp_path / "queue").glob("*celery*.msg")), beat)
        beat.send_signal(signal.SIGTERM)
        printed, _ = beat.communicate(timeout=SECONDS)

    assert [(event.customer, event.name) for event in sandbox.events] == [("beat", "beat begun")]
    assert "taken from its logger" not in printed
