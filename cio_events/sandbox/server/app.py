"""
The paths of the sandbox as a Starlette application.

Credentials, faults and the journal around the vendor's paths. What a path does is
not decided here. This module imports Starlette, which comes with the extra `cio-events[sandbox]`.
"""

from __future__ import annotations

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
    from starlette.types import ASGIApp, Receive, Scope, Send

    from cio_events.sandbox.model.records import Item, ReceivedRequest
    from cio_events.sandbox.server.credentials import Credentials
    from cio_events.sandbox.server.faults import Faults
    from cio_events.sandbox.server.journal import Journal
    from cio_events.sandbox.server.visitors import Visitors
    from cio_events.sandbox.world.world import World
    from cio_events.sandbox.world.worlds import Worlds

ENVIRONMENT_ID = 1  # whatever the workspace
UNAUTHORIZED = Reply(401, {"meta": {"error": "Unauthorized request"}})


def build(
    worlds: Worlds,
    journal: Journal,
    faults: Faults,
    credentials: Credentials,
    visitors: Visitors,
    region: Callable[[], dict[str, Any]],
    more: Iterable[Route],
) -> ASGIApp:
    """The application; `region` gives the region's answer, `more` shows what is known."""

    def account_region(_: World, __: Arrival) -> Reply:
        return Reply(200, {**region(), "environment_id": ENVIRONMENT_ID})

    resources = (
        Resource(
            "GET", "/api/v1/accounts/region", account_region, track_v1.refuse, "basic", "region"
        ),
        *track_v1.RESOURCES,
        *track_v2.RESOURCES,
        *app_api.RESOURCES,
        *broadcasts.RESOURCES,
    )

    def serve(resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        def answer(
            request: Request, body: Body, noted: ReceivedRequest
        ) -> tuple[Reply, list[Item]]:
            if not credentials.allow(
                resource.credentials, request.headers.get("authorization", "")
            ):
                return UNAUTHORIZED, []
            arrival = Arrival({}, request.query_params, body)
            try:
                params = {k: _decoded(v) for k, v in request.path_params.items()}
                arrival = Arrival(params, request.query_params, body)
                with worlds.lock:
                    world = worlds.of(noted.workspace or "")
                    worlds.archive.request = noted.index
                    reply = resource.handle(world, arrival)
                    findings = world.take_findings()
            except InvalidError as invalid:
                named = items.of_arrival(resource, arrival)
                return resource.refuse(invalid), [items.refused(named, invalid)]
            if not arrival.items and not resource.many:
                arrival.items.append(items.done(items.of_arrival(resource, arrival), findings))
            return reply, arrival.items

        return _exchange(journal, faults, credentials, answer)

    def nothing_here(status: int, message: str) -> Any:
        refusal = Reply(status, {"meta": {"error": message}})
        refuse = _exchange(journal, faults, credentials, lambda _, __, ___: (refusal, []))

        async def respond(request: Request, _: Exception) -> Response:
            return await refuse(request)

        return respond

    inner = Starlette(
        routes=[
            *(Route(e.path, serve(e), methods=[e.method]) for e in resources),
            *more,
        ],
        exception_handlers={
            404: nothing_here(404, "not found"),
            405: nothing_here(405, "method not allowed"),
        },
    )
    inner.router.redirect_slashes = False

    async def on_raw_path(scope: Scope, receive: Receive, send: Send) -> None:
        # Routed on the path as it came: an identifier may hold an encoded slash.
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        against = visitors.refuse(scope["method"], headers)
        if against is not None:
            status, message = against
            refusal = _response(Reply(status, {"meta": {"error": message}}))
            await refusal(scope, receive, send)
            return
        path = scope["raw_path"].decode("latin-1")
        await inner({**scope, "path": path}, receive, send)

    return on_raw_path


def _exchange(
    journal: Journal,
    faults: Faults,
    credentials: Credentials,
    handle: Callable[[Request, Body, ReceivedRequest], tuple[Reply, list[Item]]],
) -> Callable[[Request], Awaitable[Response]]:
    """Take a request in, let it be broken or delayed, note it and answer it."""

    async def respond(request: Request) -> Response:
        try:
            raw = await read(request)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        body = Body(0, None) if raw is None else Body.of(raw)
        path = request.scope["path"]
        shown = f"{path}?{request.url.query}" if request.url.query else path
        workspace = credentials.workspace(request.headers.get("authorization", ""))
        noted = journal.arrived(request.method, shown, request.headers.items(), body, workspace)
        fate = faults.take(path, workspace, raw or b"")
        done: list[Item] = []
        breaking = fate.breaking
        await faults.wait(fate, before=True)
        if breaking is not None and breaking.kind == "drop":
            answer = None
        elif breaking is not None and breaking.answer is not None:
            answer = breaking.answer
        else:
            answer, done = _too_large() if raw is None else handle(request, body, noted)
            if breaking is not None:  # accepted, and forgotten
                answer = None
        if answer is None:
            journal.answered(noted, None, None, done)
        else:
            journal.answered(noted, answer.status, answer.content, done)
        await faults.wait(fate, before=False)
        if answer is None:
            return await _hang_up(request)
        return _response(answer)

    return respond


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
