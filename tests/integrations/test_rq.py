"""RQ's workers of each kind: what jobs log arrives, of those that fail too."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.load import PATIENT
from tests.support.ports import free_port
from tests.support.programs import QUEUES, program
from tests.support.scripts import SECONDS, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cio_events.sandbox import Sandbox

fakeredis = pytest.importorskip("fakeredis")
redis = pytest.importorskip("redis")
rq = pytest.importorskip("rq")

JOBS = """
import logging
import pathlib
import time
import cio_events

log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(cio_events.CustomerIOHandler())

def ship(customer):
    log.info("shipped", extra={"cio_customer": customer})
    if customer == "1":
        raise RuntimeError("out of socks")

def take_long():
    log.info("begun", extra={"cio_customer": "long"})
    pathlib.Path("begun").touch()
    while not pathlib.Path("go on").exists():
        time.sleep(0.01)
    log.info("done", extra={"cio_customer": "long"})
"""

# What the fake Redis says of a client is not what a real one does, and RQ only shows it.
SITE = """
import redis

redis.Redis.client_info = lambda self: {"addr": "127.0.0.1:0"}
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a Redis is."""
    number = free_port()
    server = fakeredis.TcpFakeServer(("127.0.0.1", number), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield number
    server.shutdown()
    server.server_close()
    thread.join(SECONDS)


@pytest.mark.parametrize("kind", ["Worker", "SpawnWorker", "SimpleWorker"])
def test_the_events_of_each_job_arrive(
    kind: str, port: int, sandbox: Sandbox, tmp_path: Path
) -> None:
    """
    RQ's work horses leave by os._exit, which runs no hooks; SIGTERM comes amid the last job.
    """
    (tmp_path / "jobs_of_mine.py").write_text(JOBS)
    (tmp_path / "sitecustomize.py").write_text(SITE)  # for what a worker spawns
    (tmp_path / "rq_of_mine.py").write_text(SITE + "from rq.cli import main\nmain()\n")
    with redis.Redis(port=port) as connection:
        jobs = rq.Queue(kind, connection=connection)
        for number in range(3):
            jobs.enqueue("jobs_of_mine.ship", str(number))
        jobs.enqueue("jobs_of_mine.take_long")
    env = environment(sandbox, **PATIENT)
    worker = program(
        *("rq_of_mine.py", "worker", kind),
        *("--worker-class", f"cio_events.integrations.rq.{kind}"),
        *("--url", f"redis://127.0.0.1:{port}"),
        env={**env, "PYTHONPATH": f"{env['PYTHONPATH']}:{tmp_path}"},
        cwd=tmp_path,
        imported=QUEUES,
    )
    printed = []
    with worker:
        deadline = time.monotonic() + SECONDS
        while not (tmp_path / "begun").exists() and worker.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        worker.send_signal(signal.SIGTERM)
        for line in worker.stdout:
            printed.append(line)
            if "warm shut down requested" in line.lower():  # it waits for what is under way
                (tmp_path / "go on").touch()
        assert worker.wait(SECONDS) == 0, "".join(printed)

    arrived = sorted((event.customer or "", event.name) for event in sandbox.events)
    of_the_long = [("long", "begun"), ("long", "done")]
    expected = [*((str(number), "shipped") for number in range(3)), *of_the_long]
    assert arrived == expected, "".join(printed)
