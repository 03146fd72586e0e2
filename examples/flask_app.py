"""
A shop in Flask: who the customer is is bound once, and the checkout logs one event.

    python examples/flask_app.py

Credentials come from CIO_SITE_ID and CIO_API_KEY. To try it without an account, run
`cio-events sandbox` in another terminal and export what it prints.
"""

from __future__ import annotations

import os

import structlog
from flask import Flask, request
from structlog.contextvars import bind_contextvars, clear_contextvars

import cio_events

structlog.configure(
    processors=[
        cio_events.CustomerIOProcessor(),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.JSONRenderer(),
    ],
)
log = structlog.get_logger()

app = Flask(__name__)


@app.before_request
def bind_identity() -> None:
    """Bind who is asking, for all lines of this request; it makes no line an event by itself."""
    clear_contextvars()
    # In the place of your own authentication.
    customer = request.headers.get("X-Customer")
    if customer:
        bind_contextvars(cio_identity=customer)
    bind_contextvars(path=request.path)


@app.get("/products")
def products() -> list[str]:
    """Log a line that is no event."""
    log.info("products listed")
    return ["socks", "gloves"]


@app.post("/checkout")
def checkout() -> dict[str, str]:
    """Log a line that is an event of the customer who was bound."""
    order = request.get_json()
    log.info("purchase", cio="track", product=order["product"], price=order["price"])
    return {"status": "paid"}


if __name__ == "__main__":
    # SIGTERM ends Flask's own server at once; what is pending is delivered before.
    cio_events.install_signal_handlers()
    app.run(port=int(os.environ.get("PORT", "5000")))
