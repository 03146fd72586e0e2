"""
A shop in Django, in one file: the event is logged after the commit of the order.

    gunicorn --chdir examples django_app:application

Credentials come from CIO_SITE_ID and CIO_API_KEY. To try it without an account, run
`cio-events sandbox` in another terminal and export what it prints.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from structlog.contextvars import bind_contextvars, clear_contextvars

import cio_events

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=["django_app.bind_identity"],
    ROOT_URLCONF="django_app",
    SECRET_KEY="yours",
)

structlog.configure(
    processors=[
        cio_events.CustomerIOProcessor(),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.JSONRenderer(),
    ],
)
log = structlog.get_logger()

View = Callable[[HttpRequest], HttpResponse]


def bind_identity(get_response: View) -> View:
    """Bind who is asking, for all lines of a request; it makes no line an event by itself."""

    def middleware(request: HttpRequest) -> HttpResponse:
        clear_contextvars()
        # In the place of `request.user.pk`, behind your own authentication.
        customer = request.headers.get("X-Customer")
        if customer:
            bind_contextvars(cio_identity=customer)
        bind_contextvars(path=request.path)
        return get_response(request)

    return middleware


def products(request: HttpRequest) -> HttpResponse:
    """Log a line that is no event."""
    log.info("products listed")
    return JsonResponse(["socks", "gloves"], safe=False)


def checkout(request: HttpRequest) -> HttpResponse:
    """Log a line that is an event of the customer who was bound, if the order is kept."""
    order = json.loads(request.body)
    try:
        with transaction.atomic():
            # Save the order here.
            transaction.on_commit(
                lambda: log.info(
                    "purchase", cio="track", product=order["product"], price=order["price"]
                )
            )
            if order["price"] <= 0:
                raise ValueError("nothing to pay")
    except ValueError as error:
        return JsonResponse({"status": str(error)}, status=400)
    return JsonResponse({"status": "paid"})


urlpatterns = [path("products", products), path("checkout", checkout)]

application = get_wsgi_application()
