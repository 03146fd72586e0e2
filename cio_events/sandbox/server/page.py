"""
What people and scripts look at: the page, its live stream, and what is known, as JSON.

This module imports Starlette, which comes with the extra `cio-events[sandbox]`.
"""

from __future__ import annotations

import asyncio
import difflib
import math
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from cio_events.sandbox.server.app import read
from cio_events.sandbox.world import views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from cio_events.sandbox.model.records import Event, ReceivedRequest
    from cio_events.sandbox.server.journal import Journal, News
    from cio_events.sandbox.world.worlds import Worlds

    Answering = Callable[[Request], Awaitable[Response]]

ASSETS = {
    "index.html": "text/html",
    "style.css": "text/css",
    "page.js": "text/javascript",
    "live.js": "text/javascript",
    "views.js": "text/javascript",
    "dom.js": "text/javascript",
}
# No script but ours, nothing from outside, in nobody's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# A message's own HTML: it may look as it does, and neither run nor load anything.
MESSAGE_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
# At most ten pushes a second, each of so many requests.
PUSH_SECONDS = 0.1
PUSH_REQUESTS = 500
# So that a connection that has died is noticed.
HEARTBEAT_SECONDS = 15.0
# How long a script may wait.
LONGEST_WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.02
NEAREST = 5


class Page:
    """
    The paths beside the vendor's.

    Args:
        instructions: The ways to misbehave, by their names.

        clear: Forgets a workspace, or all of them.
    """

    def __init__(
        self,
        worlds: Worlds,
        journal: Journal,
        instructions: Mapping[str, Callable[..., None]],
        clear: Callable[[str | None], None],
    ) -> None:
        self._worlds = worlds
        self._journal = journal
        self._instructions = instructions
        self._clear = clear

    def routes(self) -> list[Route]:
        """What each path shows or does."""
        worlds, journal = self._worlds, self._journal
        lists: dict[str, Callable[[str | None], Any]] = {
            "people": lambda of: views.people(worlds, of),
            "events": lambda of: views.events(worlds, of),
            "objects": lambda of: views.objects(worlds, of),
            "metrics": lambda of: views.metrics(worlds, of),
            "messages": lambda of: [views.message_json(m) for m in views.messages(worlds, of)],
            "requests": journal.requests,
            "left": lambda _: {**views.left(worlds), "requests": journal.left},
            "workspaces": lambda _: views.workspaces(worlds),
        }
        shown: dict[str, Answering] = {
            "/": _asset("index.html"),
            **{f"/page/{name}": _asset(name) for name in ASSETS},
            "/sandbox": _view(lambda _: [f"/sandbox/{name}" for name in lists]),
            **{f"/sandbox/{name}": _view(show) for name, show in lists.items()},
            "/sandbox/requests/{number}": self._request,
            "/sandbox/people/{name:path}": self._person,
            "/sandbox/events/{id}": self._event,
            "/sandbox/messages/{delivery_id}/body": self._body,
            "/sandbox/wait": self._wait,
            "/sandbox/journal": self._journal_since,
            "/sandbox/stream": self._stream,
        }
        return [
            *(Route(path, respond, methods=["GET"]) for path, respond in shown.items()),
            Route("/sandbox/misbehave", self._misbehave, methods=["POST"]),
            Route("/sandbox/reset", self._reset, methods=["POST"]),
        ]

    async def _request(self, asked: Request) -> Response:
        number = asked.path_params["number"]
        found = None
        if number == "latest":
            found = next(reversed(self._journal.requests(_workspace(asked))), None)
        elif number.isdecimal() and len(number) < 16:
            found = self._journal.get(int(number))
        return _missing("there is no request of that number") if found is None else _json(found)

    async def _person(self, asked: Request) -> Response:
        name = asked.path_params["name"]
        if name == "latest":
            found = next(reversed(views.people(self._worlds, _workspace(asked))), None)
        else:
            found = views.person(self._worlds, name, _workspace(asked))
        return _missing("there is nobody of that name") if found is None else _json(found)

    async def _event(self, asked: Request) -> Response:
        requests = self._journal.requests(_workspace(asked))
        return _what_became(requests, asked.path_params["id"])

    async def _body(self, asked: Request) -> Response:
        wanted = asked.path_params["delivery_id"]
        for message in reversed(views.messages(self._worlds, _workspace(asked))):
            if wanted in (message.delivery_id, "latest"):
                html = str(message.fields.get("body") or "")
                headers = {"Content-Security-Policy": MESSAGE_POLICY}
                return Response(html, headers=headers, media_type="text/html")
        return _missing("there is no message of that id")

    async def _wait(self, asked: Request) -> Response:
        return await _wait(self._worlds, asked.query_params, asked)

    async def _journal_since(self, asked: Request) -> Response:
        news = self._journal.since(asked.query_params.get("after"), PUSH_REQUESTS)
        return Response(_news(news, self._journal), media_type="application/json")

    async def _stream(self, asked: Request) -> Response:
        mark = asked.headers.get("last-event-id") or asked.query_params.get("after")
        return _Stream(_pushes(self._journal, mark, asked))

    async def _misbehave(self, asked: Request) -> Response:
        try:
            given = orjson.loads(await read(asked) or b"")
            kind = given.pop("kind")
            self._instructions[kind](**{"workspace": _workspace(asked), **given})
        except (AttributeError, KeyError, TypeError, ValueError) as wrong:
            return _json({"error": f"no such instruction: {wrong}"}, 400)
        return _json({})

    async def _reset(self, asked: Request) -> Response:
        self._clear(_workspace(asked))
        return _json({})


def _view(show: Callable[[str | None], Any]) -> Answering:
    async def respond(asked: Request) -> Response:
        return _json(show(_workspace(asked)))

    return respond


def _workspace(asked: Request) -> str | None:
    """The workspace that is asked about; None: all."""
    return asked.query_params.get("workspace")


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _missing(message: str) -> Response:
    return _json({"error": message}, 404)


def _asset(name: str) -> Answering:
    async def respond(_: Request) -> Response:
        content = files("cio_events.sandbox.server").joinpath("assets", name).read_bytes()
        headers = {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }
        return Response(content, headers=headers, media_type=ASSETS[name])

    return respond


# Live


class _Stream(Response):
    """
    Server-sent events, sent by the task of the request.

    Starlette's own has tasks beside it, which stopping would take for connections that are
    still being accepted.
    """

    def __init__(self, pushes: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"Cache-Control": "no-store"}, media_type="text/event-stream")
        del self.headers["content-length"]
        self._pushes = pushes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is pushed until the connection is broken."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for push in self._pushes:
            await send({"type": "http.response.body", "body": push, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _pushes(journal: Journal, mark: str | None, asked: Request) -> AsyncIterator[bytes]:
    """The journal from that mark on, as server-sent events; each one's id is the next mark."""
    spoken = time.monotonic()
    yield b"retry: 500\n\n"
    while not _is_gone(asked):
        news = journal.since(mark, PUSH_REQUESTS)
        if news.mark != mark:
            mark, spoken = news.mark, time.monotonic()
            yield b"id: %s\ndata: %s\n\n" % (mark.encode(), _news(news, journal))
        elif time.monotonic() - spoken > HEARTBEAT_SECONDS:
            spoken = time.monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(PUSH_SECONDS)


def _is_gone(asked: Request) -> bool:
    """Whether the connection is broken, by the reader or because the sandbox stops."""
    return bool(asked.state.connection.transport.is_closing())


def _news(news: News, journal: Journal) -> bytes:
    return orjson.dumps(
        {
            "after": news.after,
            "mark": news.mark,
            "more": news.more,
            "left": journal.left,
            "requests": [_summary(request) for request in news.requests],
        }
    )


def _summary(request: ReceivedRequest) -> dict[str, Any]:
    """A request without its headers, its body and its answer."""
    names = ("index", "workspace", "time", "method", "path", "status", "size", "seconds", "items")
    return {name: getattr(request, name) for name in names}


# For tests and scripts


def _what_became(requests: list[ReceivedRequest], event_id: str) -> Response:
    """The verdict on the event of that id; a repeat does not hide the first one."""
    found: dict[str, Any] | None = None
    for request in reversed(requests):
        for item in reversed(request.items):
            if item.id is not None and event_id in (item.id, "latest"):
                found = {"request": request.index, "item": item}
                if event_id == "latest" or item.verdict != "repeated":
                    return _json(found)
    return _missing("no event of that id has come") if found is None else _json(found)


async def _wait(worlds: Worlds, query: Mapping[str, str], asked: Request) -> Response:
    """The event that is asked for once it is there, else 408 with those most like it."""
    try:
        timeout = float(query.get("timeout", "5"))
    except ValueError:
        timeout = math.nan
    name = query.get("event")
    if name is None or not 0 <= timeout <= LONGEST_WAIT_SECONDS:
        usage = f"say event= and, if need be, customer= and timeout= (0 to {LONGEST_WAIT_SECONDS})"
        return _json({"error": usage}, 400)
    customer = query.get("customer")
    workspace = _workspace(asked)
    until = time.monotonic() + timeout
    while True:
        if customer is None:
            events = views.events(worlds, workspace)
        else:
            events = views.events_of(worlds, customer, workspace)
        for event in events:
            if event.name == name:
                return _json(event)
        if time.monotonic() >= until or _is_gone(asked):
            break
        await asyncio.sleep(LOOK_SECONDS)
    return _json(
        {"error": "it has not come", "nearest": _nearest(views.events(worlds, workspace), name)},
        408,
    )


def _nearest(events: list[Event], name: str) -> list[Event]:
    """The latest events of that name, whoever's they are, or of names much like it."""
    latest = {(event.name, event.customer): event for event in events}
    names = {event_name for event_name, _ in latest}
    alike = [name, *difflib.get_close_matches(name, names, NEAREST, 0.5)]
    found = [event for each in alike for (n, _), event in latest.items() if n == each]
    return list({id(event): event for event in found}.values())[:NEAREST]
