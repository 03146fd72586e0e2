"""Celery's workers of each kind: what tasks log arrives, and the console stays as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import celery
import pytest

from tests.support.load import PATIENT
from tests.support.scripts import ROOT, SECONDS, environment

if TYPE_CHECKING:
    from pathlib import Path

    from cio_events.sandbox import Sandbox

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


def work(sandbox: Sandbox, home: Path, module: str, task: str, pool: str) -> str:
    """What a worker prints that does some tasks and is then ended by SIGTERM."""
    folders = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
    here = {name: str(home / folder) for name, folder in folders.items()}
    for folder in folders.values():
        (home / folder).mkdir(exist_ok=True)
    (home / "shop_of_mine.py").write_text(
        APPLICATION.replace(
            "app, ship", "app, ship\napp.conf.broker_transport_options = " + repr(here)
        )
    )
    (home / "shop_of_django.py").write_text(DJANGO)
    (home / "django_settings.py").write_text(SETTINGS)
    with celery.Celery(broker="filesystem://", set_as_current=False) as sender:
        sender.conf.broker_transport_options = here
        for number in range(TASKS):
            arguments = (str(number), "socks") if task.endswith("ship") else (str(number),)
            sender.send_task(task, arguments)
    paths = f"{ROOT / 'examples'}:{ROOT}:{home}"
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "--app", module, "worker", "--pool", pool),
            *("--concurrency", "2", "--without-gossip", "--without-mingle"),
            *("--without-heartbeat", "--task-events"),
        ],
        env=environment(
            sandbox, **{**PATIENT, "PYTHONPATH": paths, "BROKER_URL": "filesystem://"}
        ),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert worker.stdout is not None
    try:
        while any((home / "queue").glob("*celery*.msg")):
            if worker.poll() is not None:
                break
            signal.sigtimedwait([], 0.05)
        worker.send_signal(signal.SIGTERM)
        return worker.communicate(timeout=SECONDS)[0]
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()


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
    """At Celery's default level, too, which is WARNING: its console shows none of those lines."""
    printed = work(sandbox, tmp_path, module, task, pool)

    arrived = sorted((event.customer, event.name) for event in sandbox.events)
    assert arrived == [(str(number), name) for number in range(TASKS)], printed
    assert name not in printed
    assert "taken from its logger" not in printed
