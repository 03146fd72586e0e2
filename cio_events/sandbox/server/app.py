"""
The paths of the sandbox as a Starlette application.

Credentials, faults and the journal around the vendor's paths, and the views. What a path does is
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

from cio_events.sandbox.api import app_api, track_v1, track_v2
from cio_events.sandbox.api.exchange import Arrival, Body, Reply, Resource
from cio_events.sandbox.model.invalid import InvalidError
from cio_events.sandbox.world import views

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from cio_events.sandbox.server.credentials import Credentials
    from cio_events.sandbox.server.faults import Faults
    from cio_events.sandbox.server.journal import Journal
    from cio_events.sandbox.world.world import World

ENVIRONMENT_ID = 1  # the sandbox is one workspace
UNAUTHORIZED = Reply(401, {"meta": {"error": "Unauthorized request"}})


def build(
    world: World,
    journal: Journal,
    faults: Faults,
    credentials: Credentials,
    region: Callable[[], dict[str, Any]],
) -> ASGIApp:
    """The application; `region` gives the answer of the region endpoint."""

    def account_region(_: World, __: Arrival) -> Reply:
        return Reply(200, {**region(), "environment_id": ENVIRONMENT_ID})

    resources = (
        Resource("GET", "/api/v1/accounts/region", account_region, track_v1.refuse, "basic"),
        *track_v1.RESOURCES,
        *track_v2.RESOURCES,
        *app_api.RESOURCES,
    )

    def serve(resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        def answer(request: Request, body: Body) -> Reply:
            if not credentials.allow(
                resource.credentials, request.headers.get("authorization", "")
            ):
                return UNAUTHORIZED
            try:
                params = {k: _decoded(v) for k, v in request.path_params.items()}
                arrival = Arrival(params, request.query_params, body)
                with world.lock:
                    return resource.handle(world, arrival)
            except InvalidError as invalid:
                return resource.refuse(invalid)

        return _exchange(journal, faults, answer)

    def nothing_here(status: int, message: str) -> Any:
        refusal = Reply(status, {"meta": {"error": message}})
        refuse = _exchange(journal, faults, lambda _, __: refusal)

        async def respond(request: Request, _: Exception) -> Response:
            return await refuse(request)

        return respond

    inner = Starlette(
        routes=[
            *(Route(e.path, serve(e), methods=[e.method]) for e in resources),
            *_views(world, journal),
        ],
        exception_handlers={
            404: nothing_here(404, "not found"),
            405: nothing_here(405, "method not allowed"),
        },
    )
    inner.router.redirect_slashes = False

    async def on_raw_path(scope: Scope, receive: Receive, send: Send) -> None:
        # Routed on the path as it came: an identifier may hold an encoded slash.
        await inner({**scope, "path": scope["raw_path"].decode()}, receive, send)

    return on_raw_path


def _exchange(
    journal: Journal, faults: Faults, handle: Callable[[Request, Body], Reply]
) -> Callable[[Request], Awaitable[Response]]:
    """Take a request in, let it be broken or delayed, note it and answer it."""

    async def respond(request: Request) -> Response:
        try:
            body = Body.of(await request.body())
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        path = request.scope["path"]
        shown = f"{path}?{request.url.query}" if request.url.query else path
        noted = journal.arrived(request.method, shown, request.headers.items(), body.parsed)
        fate = faults.take(path)
        breaking = fate.breaking
        await faults.wait(fate, before=True)
        if breaking is not None and breaking.kind == "drop":
            answer = None
        elif breaking is not None and breaking.answer is not None:
            answer = breaking.answer
        else:
            answer = handle(request, body)
            if breaking is not None:  # accepted, and forgotten
                answer = None
        if answer is None:
            journal.answered(noted, None, None)
        else:
            journal.answered(noted, answer.status, answer.content)
        await faults.wait(fate, before=False)
        if answer is None:
            return await _hang_up(request)
        return _response(answer)

    return respond


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
        raise InvalidError("invalid", "path", "the path is not UTF-8") from None


def _views(world: World, journal: Journal) -> list[Route]:
    shown: dict[str, Callable[[], Any]] = {
        "people": lambda: views.people(world),
        "events": lambda: views.events(world),
        "objects": lambda: views.objects(world),
        "metrics": lambda: views.metrics(world),
        "messages": lambda: [views.message_json(m) for m in views.messages(world)],
        "requests": journal.requests,
    }

    def view(read: Callable[[], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def respond(_: Request) -> Response:
            return Response(orjson.dumps(read()), media_type="application/json")

        return respond

    places = [f"/sandbox/{name}" for name in shown]
    return [
        Route("/sandbox", view(lambda: places), methods=["GET"]),
        *(Route(f"/sandbox/{name}", view(read), methods=["GET"]) for name, read in shown.items()),
    ]
