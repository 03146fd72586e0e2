"""
Each ASGI server of the deployment page, ended by SIGTERM while requests are open: nothing is lost.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cio_events import ParamError, Pipeline, configure, get_pipeline
from cio_events._process import exits
from cio_events.integrations.asgi import DeliverAtShutdown
from tests.support import programs
from tests.support.load import Server, logged_ids, lost
from tests.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from cio_events.sandbox import Sandbox

# An application of the plain protocol, without a lifespan of its own.
APPLICATION = """
import json
import sys
sys.modules["rich"] = None  # structlog would import it, which takes a while
import structlog
import cio_events
from cio_events.integrations.asgi import DeliverAtShutdown

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    logger_factory=structlog.PrintLoggerFactory(),
)
log = structlog.get_logger()

async def shop(scope, receive, send):
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    log.info("purchase", cio_customer="5", **json.loads(body or "{}"))
    answer = b'{"status": "paid"}'
    headers = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

app = shop
with_the_line = DeliverAtShutdown(shop)
"""

UVICORN = ["-m", "uvicorn", "shop:app", "--port", "0"]
GUNICORN = ["-m", "gunicorn", "shop:app", "--bind", "127.0.0.1:0"]
HYPERCORN = ["-m", "hypercorn", "shop:app", "--bind", "127.0.0.1:0"]

SERVERS = {
    "uvicorn": UVICORN,
    "uvicorn without a lifespan": [*UVICORN, "--lifespan", "off"],
    "uvicorn with DeliverAtShutdown": ["-m", "uvicorn", "shop:with_the_line", "--port", "0"],
    "uvicorn with workers": [*UVICORN, "--workers", "2"],
    "uvicorn with reload": [*UVICORN, "--reload"],
    "gunicorn with uvicorn_worker": [
        *GUNICORN,
        *("--workers", "2", "--worker-class", "uvicorn_worker.UvicornWorker"),
    ],
    "gunicorn with its own worker": [*GUNICORN, "--worker-class", "asgi"],
    "hypercorn": HYPERCORN,
    "hypercorn with workers": [*HYPERCORN, "--workers", "2"],
    "granian": ["-m", "granian", "--interface", "asgi", "shop:app", "--port", "PORT"],
}

# As soon as its first worker has ended, hypercorn ends the others by SIGTERM, requests and all,
# and a moment later once more. What they have logged is safe in a spool alone.
BRUTAL = {"hypercorn with workers"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the application."""
    home = tmp_path_factory.mktemp("asgi")
    (home / "shop.py").write_text(APPLICATION)
    return home


def deliver_spool(spool: Path, sandbox: Sandbox) -> None:
    """Deliver what is left there, as the next process with the same settings does."""
    with Pipeline(
        site_id="site",
        api_key="key",
        app_api_key="app-key",
        track_url=sandbox.url,
        app_url=sandbox.url,
        spool=spool,
    ) as pipeline:
        assert pipeline.flush(30)


def serving(command: list[str], sandbox: Sandbox, shop: Path, **environ: str) -> Server:
    """Start the command of a server."""
    if "granian" in command:  # which starts what it forks from
        return Server([sys.executable, *command], sandbox, cwd=shop, **environ)
    imported = programs.WSGI if "hypercorn" in command else programs.ASGI
    return Server(command, sandbox, cwd=shop, imported=imported, **environ)


@pytest.mark.parametrize("server", SERVERS)
def test_no_event_is_lost(server: str, shop: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """Those of requests before the signal, and those of requests that it finds open."""
    # granian does not say which port it has been given.
    port = str(free_port())
    command = [port if word == "PORT" else word for word in SERVERS[server]]
    spool = {"CIO_SPOOL": str(tmp_path)} if server in BRUTAL else {}
    with serving(command, sandbox, shop, **spool) as running:
        for number in range(3):
            running.ask("POST", "/", {"number": number})
        opened = [
            running.request("POST", "/", {"open": number}).reaches_the_application()
            for number in range(4)
        ]
        answers = running.end_under_load(opened, signal.SIGTERM)
        lines = running.lines

    if server in BRUTAL:
        deliver_spool(tmp_path, sandbox)
    else:
        assert answers == [{"status": "paid"}] * 4, "\n".join(lines)
    assert len(logged_ids(lines)) == 3 + len(answers)
    assert lost(lines, sandbox) == set(), "\n".join(lines)


def test_a_first_call_amid_the_shutdown_arrives(shop: Path, sandbox: Sandbox) -> None:
    """A worker that had nothing to do so far has none before that."""
    with serving(UVICORN, sandbox, shop) as running:
        opened = [running.request("POST", "/", {"open": 1}).reaches_the_application()]
        running.end_under_load(opened, signal.SIGTERM)
        lines = running.lines

    assert len(logged_ids(lines)) == 1
    assert lost(lines, sandbox) == set(), "\n".join(lines)


class Lifespan:
    """A server's lifespan, as an application sees it; and what the application has said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._phases = ["lifespan.startup", "lifespan.shutdown"]

    async def receive(self) -> dict[str, Any]:
        """Tell the next phase."""
        return {"type": self._phases.pop(0)}

    async def send(self, message: Any) -> None:
        """Hear an answer."""
        self.said.append(message["type"])


async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Serve HTTP alone, as Django does."""
    raise ValueError("only HTTP")


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Return without a word."""


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Fail when it starts, as Starlette does."""
    await receive()
    await send({"type": "lifespan.startup.failed"})
    raise RuntimeError("no database")


async def ending(scope: Any, receive: Any, send: Any) -> None:
    """Log when it ends."""
    for phase in ("startup", "shutdown"):
        await receive()
        if phase == "shutdown":
            get_pipeline().track("5", "ended")
        await send({"type": f"lifespan.{phase}.complete"})


@pytest.mark.parametrize("app", [without_lifespan, silent])
def test_an_application_without_a_lifespan_gets_one(app: Any) -> None:
    """The server hears that all is well."""
    lifespan = Lifespan()

    asyncio.run(DeliverAtShutdown(app)({"type": "lifespan"}, lifespan.receive, lifespan.send))

    assert lifespan.said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_failure_is_the_applications() -> None:
    """The server hears of it."""
    lifespan = Lifespan()

    with pytest.raises(RuntimeError, match="no database"):
        asyncio.run(
            DeliverAtShutdown(failing)({"type": "lifespan"}, lifespan.receive, lifespan.send)
        )

    assert lifespan.said == ["lifespan.startup.failed"]


def test_what_the_application_logs_at_its_own_shutdown_arrives(sandbox: Sandbox) -> None:
    """Before the server hears that the shutdown is complete."""
    configure(site_id="s", api_key="k", track_url=sandbox.url, flush_interval=3600)
    lifespan = Lifespan()
    seen: list[int] = []

    async def send(message: Any) -> None:
        seen.append(len(sandbox.events))
        await lifespan.send(message)

    asyncio.run(
        DeliverAtShutdown(ending, timeout=30)({"type": "lifespan"}, lifespan.receive, send)
    )

    assert (seen, lifespan.said[-1]) == ([0, 1], "lifespan.shutdown.complete")


@pytest.mark.parametrize("timeout", [-1, "2", True, float("nan")])
def test_a_timeout_that_is_none(timeout: Any) -> None:
    """It names the argument."""
    with pytest.raises(ParamError, match=r"^timeout: "):
        DeliverAtShutdown(silent, timeout=timeout)


@pytest.fixture(autouse=True)
def _no_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """That this process was told to end concerns no other test."""
    monkeypatch.setattr(exits, "at_once", False)


def test_what_is_not_delivered_in_time_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Of a server that ends itself by a signal, nobody would hear of it later."""
    url = f"http://127.0.0.1:{free_port()}"
    configure(site_id="s", api_key="k", track_url=url, flush_interval=3600, exit_timeout=0)
    get_pipeline().track("5", "purchase")
    lifespan = Lifespan()

    asyncio.run(
        DeliverAtShutdown(silent, timeout=0)({"type": "lifespan"}, lifespan.receive, lifespan.send)
    )

    assert any("1 call could not be delivered before the end" in one for one in caplog.messages)
