"""The handler on one logger, and none of it anywhere else."""

import logging

import cio_events

logging.basicConfig(level=logging.WARNING)
log = logging.getLogger("shop.events")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(cio_events.CustomerIOHandler())
