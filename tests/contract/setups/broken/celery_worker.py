"""A worker of Celery that will empty the root logger."""

# finds: W513

import logging

from celery import Celery

import cio_events
import cio_events.integrations.celery

logging.basicConfig(level=logging.INFO, handlers=[cio_events.CustomerIOHandler()])
app = Celery("shop")
INSTALLS = False  # mend: INSTALLS = True
if INSTALLS:
    cio_events.integrations.celery.install()
