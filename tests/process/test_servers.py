"""gunicorn and Celery, whose workers are forked from a configured process; and uvicorn."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.process.life import PRELUDE, ROOT, Running, ids_sent, names
from tests.support import programs
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cio_events.sandbox import Sandbox

# For a server to be up, or for an event to arrive.
PATIENCE = 30.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true before long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


APPLICATION = """
pipeline = make(flush_interval=3600)
say(f"loaded by {os.getpid()}")

def application(environ, start_response):
    say(f"request in {os.getpid()}")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def get(port: int) -> str:
    """What the server at *port* answers; nothing if it does not."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()


def running(command: list[str], imported: Sequence[str], sandbox: Sandbox, home: Path) -> Running:
    """Start a command of Python's, for what lies in *home*."""
    environ = {"PYTHONPATH": f"{ROOT}{os.pathsep}{home}"}
    return Running(command, sandbox.url, cwd=home, environ=environ, imported=imported)


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_gunicorn(sandbox: Sandbox, tmp_path: Path, kind: str, *, preload: bool) -> None:
    """Each worker delivers what it has logged before it ends, and nobody delivers another's."""
    pytest.importorskip("gunicorn")
    (tmp_path / "site_of_mine.py").write_text(PRELUDE + APPLICATION)
    port = free_port()
    command = [
        *("-m", "gunicorn", "site_of_mine:application"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "2", "--worker-class", kind),
        *("--threads", "3" if kind == "gthread" else "1", "--log-level", "error"),
        *(["--preload"] if preload else []),
    ]
    with running(command, programs.WSGI, sandbox, tmp_path) as server:
        assert eventually(lambda: get(port) != "")
        sandbox.clear()
        answers = Counter(pid for pid in (get(port) for _ in range(60)) if pid)
        server.send(signal.SIGTERM)
        life = server.end()
    arrived = Counter(names(sandbox))
    requests = {name: count for name, count in arrived.items() if name.startswith("request")}
    loaded = {name: count for name, count in arrived.items() if name.startswith("loaded")}

    assert (life.code, life.err) == (0, "")
    assert sum(answers.values()) == 60
    for pid, count in answers.items():
        # The first requests, to see whether the server is up, have been logged as well.
        assert requests[f"request in {pid}"] >= count
    assert set(loaded.values()) == {1}
    if preload:
        assert loaded == {f"loaded by {server.pid}": 1}
    else:
        assert len(loaded) == 2
    assert set(Counter(ids_sent(sandbox)).values()) == {1}


ASGI = """
pipeline = make(flush_interval=3600)
cio_events.install_signal_handlers()

async def application(scope, receive, send):
    if scope["type"] == "http":
        say("request")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_uvicorn(sandbox: Sandbox, tmp_path: Path, workers: int) -> None:
    """It ends itself by SIGTERM when its shutdown is over, which runs no exit hooks."""
    (tmp_path / "asgi_of_mine.py").write_text(PRELUDE + ASGI)
    port = free_port()
    command = [
        *("-m", "uvicorn", "asgi_of_mine:application"),
        *("--port", str(port), "--workers", str(workers), "--log-level", "error"),
    ]
    with running(command, programs.ASGI, sandbox, tmp_path) as server:
        assert eventually(lambda: get(port) != "")
        requests = 1 + sum(get(port) == "answer" for _ in range(20))
        server.send(signal.SIGTERM)
        life = server.end()

    assert life.err == ""
    assert life.code in (0, -signal.SIGTERM)
    assert names(sandbox) == ["request"] * requests


CELERY = """
import logging.config
import celery
from celery.signals import setup_logging

app = celery.Celery("tasks_of_mine", broker="filesystem://")
app.conf.broker_transport_options = {{
    "data_folder_in": {folder!r}, "data_folder_out": {folder!r}, "control_folder": {folder!r},
}}
app.conf.broker_connection_retry_on_startup = True
pipeline = make(flush_interval=3600)
say(f"loaded by {{os.getpid()}}")
root = logging.getLogger()
root.addHandler(cio_events.CustomerIOHandler())

CONFIG = {{
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {{"cio": {{"class": "cio_events.CustomerIOHandler"}}}},
    "root": {{"level": "INFO", "handlers": ["cio"]}},
}}

@setup_logging.connect
def configure_again(**_):
    logging.config.dictConfig(CONFIG)

@app.task
def work(number):
    say(f"task {{number}}")
    logging.getLogger("theirs").warning(f"root {{number}}", extra={{"cio_customer": "5"}})
"""


def test_celery(sandbox: Sandbox, tmp_path: Path) -> None:
    """
    The workers of a prefork pool leave by os._exit; they deliver before.

    Celery takes the handlers of the root logger away, unless logging is configured again when
    it asks for that.
    """
    pytest.importorskip("celery")
    folder = tmp_path / "queue"
    folder.mkdir()
    (tmp_path / "tasks_of_mine.py").write_text(PRELUDE + CELERY.format(folder=str(folder)))
    (tmp_path / "send.py").write_text(
        "import tasks_of_mine; [tasks_of_mine.work.delay(n) for n in range(20)]"
    )
    command = [
        *("-m", "celery", "--app", "tasks_of_mine", "worker"),
        *("--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    with running(["send.py"], programs.QUEUES, sandbox, tmp_path) as one:
        assert one.end().code == 0
    with running(command, programs.QUEUES, sandbox, tmp_path) as worker:
        assert eventually(lambda: not any(folder.glob("*.msg")))
        time.sleep(0.5)
        worker.send(signal.SIGTERM)
        worker.end()
    arrived = Counter(names(sandbox))

    assert {name: n for name, n in arrived.items() if name.startswith("task")} == {
        f"task {number}": 1 for number in range(20)
    }
    assert {name: n for name, n in arrived.items() if name.startswith("root")} == (
        {f"root {number}": 1 for number in range(20)}
    )
    assert arrived[f"loaded by {worker.pid}"] == 1
    assert set(Counter(ids_sent(sandbox)).values()) == {1}
