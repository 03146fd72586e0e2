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

import cio_events.integrations.celery

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"customerio": {"class": "cio_events.CustomerIOHandler"}},
    "root": {"level": "INFO", "handlers": ["customerio"]},
}
logging.config.dictConfig(LOGGING)

log = logging.getLogger("shop")

app = Celery("shop", broker=os.environ.get("BROKER_URL", "redis://localhost"))
# Or the worker would take the handler away.
cio_events.integrations.celery.install()


@app.task
def ship(customer: str, product: str) -> None:
    """Ship what was bought; the worker's child delivers the event, before it ends too."""
    log.info("shipped", extra={"cio_customer": customer, "product": product})
