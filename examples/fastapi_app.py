"""
A shop in FastAPI: who the customer is is bound once, and the checkout logs one event.

    uvicorn --app-dir examples fastapi_app:app

Credentials come from CIO_SITE_ID and CIO_API_KEY. To try it without an account, run
`cio-events sandbox` in another terminal and export what it prints.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from structlog.contextvars import bind_contextvars, clear_contextvars

import cio_events
from cio_events.integrations.asgi import DeliverAtShutdown

structlog.configure(
    processors=[
        cio_events.CustomerIOProcessor(),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.JSONRenderer(),
    ],
)
log = structlog.get_logger()


app = FastAPI()
# What is pending is delivered when the server has served its last request.
app.add_middleware(DeliverAtShutdown)


@app.middleware("http")
async def bind_identity(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Bind who is asking, for all lines of this request; it makes no line an event by itself."""
    clear_contextvars()
    # In the place of your own authentication.
    customer = request.headers.get("X-Customer")
    if customer:
        bind_contextvars(cio_identity=customer)
    bind_contextvars(path=request.url.path)
    return await call_next(request)


class Order(BaseModel):
    """What is bought."""

    product: str
    price: float


@app.get("/products")
async def products() -> list[str]:
    """Log a line that is no event."""
    log.info("products listed")
    return ["socks", "gloves"]


@app.post("/checkout")
async def checkout(order: Order) -> dict[str, str]:
    """Log a line that is an event of the customer who was bound."""
    log.info("purchase", cio="track", product=order.product, price=order.price)
    return {"status": "paid"}
