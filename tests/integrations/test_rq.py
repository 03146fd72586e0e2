"""RQ's workers of each kind: what jobs log arrives, of those that fail too."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.load import PATIENT, free_port
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
import cio_events

log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(cio_events.CustomerIOHandler())

def ship(customer):
    log.info("shipped", extra={"cio_customer": customer})
    if customer == "1":
        raise RuntimeError("out of socks")
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
    """RQ's work horses leave by os._exit, which runs no hooks."""
    (tmp_path / "jobs_of_mine.py").write_text(JOBS)
    (tmp_path / "sitecustomize.py").write_text(SITE)
    with redis.Redis(port=port) as connection:
        for number in range(3):
            rq.Queue(kind, connection=connection).enqueue("jobs_of_mine.ship", str(number))
    env = environment(sandbox, **PATIENT)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "rq.cli", "worker", "--burst", kind),
            *("--worker-class", f"cio_events.integrations.rq.{kind}"),
            *("--url", f"redis://127.0.0.1:{port}"),
        ],
        env={**env, "PYTHONPATH": f"{env['PYTHONPATH']}:{tmp_path}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    arrived = sorted((event.customer, event.name) for event in sandbox.events)
    assert arrived == [(str(number), "shipped") for number in range(3)], done.stderr
