"""
The thread that serves the sandbox: uvicorn's HTTP protocol on an event loop of its own.

`uvicorn.Server` is not used, because it configures the process's logging and signals and takes
tenths of a second to stop, and its caller may be running uvicorn for an application of their own.
This module imports uvicorn, which comes with the extra `cio-events[sandbox]`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

# Longer than clients keep an idle connection, so that none is reset unless it is asked for.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 2048
# Starting and stopping take milliseconds; what takes this long has gone wrong.
PATIENCE_SECONDS = 10.0

# Ours, so that a fault of the sandbox itself is seen, and uvicorn's loggers stay as they are.
logger: logging.Logger = logging.getLogger("cio_events.sandbox")
logger.setLevel(logging.ERROR)  # what a client sends wrongly is in its answer


class _Connection(H11Protocol):
    """A connection that an endpoint can reach, as `request.state.connection`, to break it."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, "connection": self}, _loop)
        self.logger: logging.Logger = logger
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Have every answer leave at once."""
        # asyncio does this only where the listening socket names its protocol. Without it each
        # answer waits tens of milliseconds for the client's acknowledgement of its headers.
        connected: socket.socket = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)


class Serving:
    """
    A running server on a listening socket, which it takes over.

    `on_stop` is called on its thread while it stops, to wake what is waiting there.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, on_stop: Callable[[], None]) -> None:
        self._app = app
        self._listener = listener
        self._on_stop = on_stop
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="cio-events-sandbox", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Stop serving: break every connection, end the thread, free the port."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_SECONDS)
        if self._thread.is_alive():
            raise RuntimeError(f"the sandbox did not stop within {PATIENCE_SECONDS:g} seconds")

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as failure:  # noqa: BLE001 - raised again by whoever started us
            self._failure = failure
        finally:
            self._loop.close()
            self._listener.close()
            self._ready.set()

    async def _serve(self) -> None:
        config = Config(
            self._app,
            http=_Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        config.load()
        state = ServerState()
        server = await self._loop.create_server(
            lambda: _Connection(config, state, {}), sock=self._listener, backlog=BACKLOG
        )
        self._ready.set()
        await self._stopping.wait()
        # asyncio loses a connection that is still being accepted when its server is closed.
        # Each has a task, beside this one and those of requests.
        while len(asyncio.all_tasks() - state.tasks) > 1:
            await asyncio.sleep(0)
        server.close()
        while state.connections or state.tasks:
            self._on_stop()
            for connection in list(state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        await server.wait_closed()
