"""
A function for AWS Lambda, which freezes the process as soon as the handler has returned.

Set CIO_SITE_ID and CIO_API_KEY in the function's environment, and `lambda_app.handler` as its
handler.
"""

from __future__ import annotations

from typing import Any

import structlog

import cio_events

structlog.configure(
    processors=[
        cio_events.CustomerIOProcessor(),
        structlog.processors.add_log_level,
        structlog.processors.JSONRenderer(),
    ],
)
log = structlog.get_logger()


@cio_events.flushing(timeout=2)  # less than the function's own timeout, which is 3 s at first
def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Log one event, and deliver it before the answer."""
    log.info("purchase", cio_customer=event["customer"], price=event["price"])
    return {"status": "paid"}
