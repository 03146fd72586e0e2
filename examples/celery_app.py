"""
A task in Celery that logs an event.

    celery --app celery_app --workdir examples worker

Credentials come from CIO_SITE_ID and CIO_API_KEY, the broker from BROKER_URL. To try it without an
account, run `cio-events sandbox` in another terminal and export what it prints.
"""

from __future__ import annotations

import logging
import logging.config
import os

from celery import Celery
from celery.signals import setup_logging

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "customerio": {"class": "cio_events.CustomerIOHandler"},
    },
    "root": {"level": "INFO", "handlers": ["customerio", "console"]},
}

log = logging.getLogger("shop")

app = Celery("shop", broker=os.environ.get("BROKER_URL", "redis://localhost"))


@setup_logging.connect
def configure_logging(**_: object) -> None:
    """Configure logging ourselves: Celery would take the handlers of the root logger away."""
    logging.config.dictConfig(LOGGING)


@app.task
def ship(customer: str, product: str) -> None:
    """Ship what was bought; the worker's child delivers the event, before it ends too."""
    log.info("shipped", extra={"cio_customer": customer, "product": product})
