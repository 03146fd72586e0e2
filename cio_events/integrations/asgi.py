"""
Delivery before an ASGI server ends, by whichever server, for any ASGI application.

A server may end itself by the signal that asked for it, which runs no exit hooks. Of uvicorn this
is known, and seen to without this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, ClassVar, TypeAlias

from cio_events._calls.validation import valid_seconds
from cio_events._process import exits
from cio_events._process.servers import off_the_loop

Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
Application: TypeAlias = "Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]"

_ENDS = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")


class DeliverAtShutdown:
    """
    ASGI middleware that delivers what is pending before the server ends.

    A server tells an application of its shutdown once the last request is served (the ASGI
    lifespan). Then all pipelines deliver, after the application's own shutdown; what is logged
    still later leaves at once. The event loop is not blocked. An application without a lifespan,
    such as Django's, gets one::

        app.add_middleware(DeliverAtShutdown)  # Starlette, FastAPI
        application = DeliverAtShutdown(application)  # anything else

    Servers tell nobody where their lifespan is switched off, and a mounted application neither:
    it is for the outermost one.

    Args:
        app: The ASGI application.

        timeout: Seconds to wait at the most; None is each pipeline's ``exit_timeout``.

    Raises:
        ParamError: *timeout* is no number of seconds.
    """

    made: ClassVar[bool] = False
    """Whether this process has made one."""

    def __init__(self, app: Application, *, timeout: float | None = None) -> None:
        self._app = app
        self._timeout = None if timeout is None else valid_seconds(timeout, "timeout")
        DeliverAtShutdown.made = True

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Serve what the application serves."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        lifespan = _Lifespan(receive, send, self._deliver)
        try:
            await self._app(scope, lifespan.receive, lifespan.send)
        except Exception:
            if lifespan.answered:
                raise
        if not lifespan.answered:  # as the specification has it, it knows no lifespan
            await lifespan.serve()

    async def _deliver(self) -> None:
        await off_the_loop(lambda: exits.flush(self._timeout))


class _Lifespan:
    """The server's lifespan, with the delivery put before its end."""

    def __init__(
        self, receive: Receive, send: Send, deliver: Callable[[], Awaitable[None]]
    ) -> None:
        self._receive = receive
        self._send = send
        self._deliver = deliver
        self._received: list[str] = []
        self.answered = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._received.append(message["type"])
        return message

    async def send(self, message: Message) -> None:
        self.answered = True
        if message["type"] in _ENDS:
            await self._deliver()
        await self._send(message)

    async def serve(self) -> None:
        """Answer in the place of an application that does not."""
        for phase in ("lifespan.startup", "lifespan.shutdown"):
            if phase not in self._received:
                await self.receive()
            await self.send({"type": f"{phase}.complete"})
