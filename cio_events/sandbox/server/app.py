"""
The paths of the sandbox as a Starlette application.

Credentials, faults and the journal around the vendor's paths. What a path does is
not decided here. This module imports Starlette, which comes with the extra `cio-events[sandbox]`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from cio_events.sandbox.api import app_api, broadcasts, items, track_v1, track_v2
from cio_events.sandbox.api.exchange import Arrival, Body, Reply, Resource
from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model import limits
from cio_events.sandbox.model.explanations import InvalidError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from cio_events.sandbox.model.records import Item, ReceivedRequest
    from cio_events.sandbox.server.credentials import Credentials
    from cio_events.sandbox.server.faults import Faults
    from cio_events.sandbox.server.journal import Journal
    from cio_events.sandbox.server.visitors import Visitors
    from cio_events.sandbox.world.world import World
    from cio_events.sandbox.world.worlds import Worlds

REGION_PATH = "/api/v1/accounts/region"
ENVIRONMENT_ID = 1  # whatever the workspace
UNAUTHORIZED = Reply(401, {"meta": {"error": "Unauthorized request"}})


class Application:
    """
    The application, for a server.

    Args:
        region: Gives the region's answer.

        more: Show what is known.
    """

    def __init__(
        self,
        worlds: Worlds,
        journal: Journal,
        faults: Faults,
        credentials: Credentials,
        visitors: Visitors,
        region: Callable[[], dict[str, Any]],
        more: Iterable[Route],
    ) -> None:
        self._worlds = worlds
        self._journal = journal
        self._faults = faults
        self._credentials = credentials
        self._visitors = visitors

        def account_region(_: World, __: Arrival) -> Reply:
            return Reply(200, {**region(), "environment_id": ENVIRONMENT_ID})

        resources = (
            Resource("GET", REGION_PATH, account_region, track_v1.refuse, "basic", "region"),
            *track_v1.RESOURCES,
            *track_v2.RESOURCES,
            *app_api.RESOURCES,
            *broadcasts.RESOURCES,
        )
        self._inner = Starlette(
            routes=[
                *(Route(e.path, self._serve(e), methods=[e.method]) for e in resources),
                *more,
            ],
            exception_handlers={
                404: self._nothing_here(404, "not found"),
                405: self._nothing_here(405, "method not allowed"),
            },
        )
        self._inner.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the path as it came: an identifier may hold an encoded slash."""
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        against = self._visitors.refuse(scope["method"], headers)
        if against is not None:
            status, message = against
            refusal = _response(Reply(status, {"meta": {"error": message}}))
            await refusal(scope, receive, send)
            return
        path = scope["raw_path"].decode("latin-1")
        await self._inner({**scope, "path": path}, receive, send)

    def _serve(self, resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            return await self._exchange(request, partial(self._answer, resource))

        return respond

    def _nothing_here(self, status: int, message: str) -> Any:
        refusal = Reply(status, {"meta": {"error": message}})

        async def respond(request: Request, _: Exception) -> Response:
            return await self._exchange(request, lambda *_: (refusal, []))

        return respond

    def _answer(
        self, resource: Resource, request: Request, body: Body, noted: ReceivedRequest
    ) -> tuple[Reply, list[Item]]:
        authorization = request.headers.get("authorization", "")
        if not self._credentials.allow(resource.credentials, authorization):
            return UNAUTHORIZED, []
        arrival = Arrival({}, request.query_params, body)
        try:
            params = {k: _decoded(v) for k, v in request.path_params.items()}
            arrival = Arrival(params, request.query_params, body)
            with self._worlds.lock:
                world = self._worlds.of(noted.workspace or "")
                self._worlds.archive.request = noted.index
                reply = resource.handle(world, arrival)
                findings = world.take_findings()
        except InvalidError as invalid:
            named = items.of_arrival(resource, arrival)
            return resource.refuse(invalid), [items.refused(named, invalid)]
        if not arrival.items and not resource.many:
            arrival.items.append(items.done(items.of_arrival(resource, arrival), findings))
        return reply, arrival.items

    async def _exchange(
        self,
        request: Request,
        handle: Callable[[Request, Body, ReceivedRequest], tuple[Reply, list[Item]]],
    ) -> Response:
        """Take a request in, let it be broken or delayed, note it and answer it."""
        try:
            raw = await read(request)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        body = Body(0, None) if raw is None else Body.of(raw)
        path = request.scope["path"]
        shown = f"{path}?{request.url.query}" if request.url.query else path
        workspace = self._credentials.workspace(request.headers.get("authorization", ""))
        noted = self._journal.arrived(
            request.method, shown, request.headers.items(), body, workspace
        )
        fate = self._faults.take(path, workspace, raw or b"")
        done: list[Item] = []
        breaking = fate.breaking
        await self._faults.wait(fate, before=True)
        if breaking is not None and breaking.kind == "drop":
            answer = None
        elif breaking is not None and breaking.answer is not None:
            answer = breaking.answer
        else:
            answer, done = _too_large() if raw is None else handle(request, body, noted)
            if breaking is not None:  # accepted, and forgotten
                answer = None
        if answer is None:
            self._journal.answered(noted, None, None, done)
        else:
            self._journal.answered(noted, answer.status, answer.content, done)
        await self._faults.wait(fate, before=False)
        if answer is None:
            return await _hang_up(request)
        return _response(answer)


def _too_large() -> tuple[Reply, list[Item]]:
    message = f"the body is larger than {limits.BODY_BYTES} bytes"
    limit = f"{limits.BODY_BYTES} bytes"
    invalid = InvalidError(rules.BODY_TOO_LARGE, "body", message, limit=limit)
    item = items.refused(items.UNREADABLE, invalid)
    return Reply(413, {"meta": {"error": message}}), [item]


async def read(request: Request) -> bytes | None:
    """The body; None if it is too large, and then it is not kept either."""
    kept, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limits.BODY_BYTES:
            kept += chunk
    return bytes(kept) if size <= limits.BODY_BYTES else None


async def _hang_up(request: Request) -> Response:
    """Break the connection; the response that is returned reaches nobody."""
    request.state.connection.transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


def _response(answer: Reply) -> Response:
    if answer.content is None:
        return Response(status_code=answer.status, headers=dict(answer.headers))
    if isinstance(answer.content, str):
        content, media_type = answer.content.encode(), "text/plain"
    else:
        content, media_type = orjson.dumps(answer.content), "application/json"
    return Response(content, answer.status, dict(answer.headers), media_type)


def _decoded(param: str) -> str:
    try:
        return unquote_to_bytes(param).decode()
    except UnicodeDecodeError:
        raise InvalidError(rules.NOT_UTF8, "path", "the path is not UTF-8", param) from None
