"""Who is asking, bound for all lines of a request."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars

View = Callable[[HttpRequest], HttpResponse]


def bind_identity(get_response: View) -> View:
    """Bind who is logged in, and nobody else; it makes no line an event by itself."""

    def middleware(request: HttpRequest) -> HttpResponse:
        clear_contextvars()
        bind_contextvars(path=request.path)
        if request.user.is_authenticated:
            bind_contextvars(cio_identity=request.user.pk)
        return get_response(request)

    return middleware
