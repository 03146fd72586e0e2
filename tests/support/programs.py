"""
Commands of others, such as servers, that begin with their own imports done and none of ours.

What each kind imports is said here once, so that all tests fork theirs from the same processes.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.support.nursery import OTHERS, Child

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_DJANGO = (
    *("django.core.management.commands.migrate", "django.core.servers.basehttp"),
    *("django.db.backends.sqlite3.base", "django.http", "django.urls", "django.test"),
)


def _there(*modules: str) -> tuple[str, ...]:
    """Those whose package is installed."""
    return tuple(each for each in modules if find_spec(each.partition(".")[0]))


# Of these, no process has uvicorn or Celery imported that would not import it by itself: where one
# is, we do more.
WSGI = _there(
    *("structlog", "requests", "gunicorn.app.wsgiapp", "gunicorn.workers.sync"),
    *("gunicorn.workers.gthread", "flask.cli", "hypercorn.__main__", "hypercorn.asyncio.run"),
    *(*_DJANGO, "django.core.wsgi"),
)
ASGI = _there(
    *("structlog", "requests", "uvicorn.main", "uvicorn.lifespan.on", "uvicorn.loops.auto"),
    *("uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto", "fastapi"),
    *("gunicorn.app.wsgiapp", "uvicorn_worker", *_DJANGO, "django.core.asgi"),
)
QUEUES = _there(
    *("structlog", "requests", "celery.bin.celery", "celery.bin.worker", "celery.bin.beat"),
    *("celery.apps.worker", "celery.apps.beat", "celery.concurrency.prefork"),
    *("celery.concurrency.thread", "celery.worker.consumer", "kombu.transport.filesystem"),
    *("rq.cli",),
)
# What gevent and we import, but what gevent patches in a way that depends on who has it.
GEVENT = _there(
    *("gevent.monkey", "gevent.events", "gevent.subprocess", "importlib.metadata", "dataclasses"),
    *("decimal", "email.parser", "inspect", "orjson", "pprint", "uuid", "zipfile"),
    *("charset_normalizer", "idna"),
)
# What requests and we import, but requests and ours.
BENEATH = _there(
    *("blinker", "certifi", "charset_normalizer", "difflib", "email.parser", "http.client"),
    *("http.cookiejar", "idna", "importlib.metadata", "orjson", "queue", "ssl", "urllib.request"),
    *("urllib3", "zipfile"),
)

ALL = (WSGI, ASGI, QUEUES, BENEATH)

# Runs a command as Python's own command line does.
_RUN = """
import os, runpy, sys, warnings
if "PYTHONWARNINGS" not in os.environ:
    warnings.filters.pop(0)  # that they are errors
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(write_through=True)
sys.path[1:1] = os.environ["PYTHONPATH"].split(os.pathsep)
sys.argv = sys.argv[1:]
if "gunicorn.config" in sys.modules:  # which is where it was imported
    sys.modules["gunicorn.config"].Chdir.default = os.getcwd()
if sys.argv[0] == "-m":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def program(
    *command: str,
    env: Mapping[str, str],
    cwd: Path,
    imported: Sequence[str],
    joined: bool = True,
) -> Child:
    """
    Start what ``python`` with such a *command* does, with modules of others *imported*.

    Its errors are *joined* with what it prints. It gets no input, and a session of its own.
    """
    child = Child(
        ("import os; os.dup2(1, 2)\n" if joined else "") + _RUN,
        command,
        env=env,
        cwd=cwd,
        start_new_session=True,
        imported=(OTHERS, *imported),
    )
    child.stdin.close()
    return child
