"""The class where a handler belongs."""

# finds: E516

import logging

import cio_events

logging.getLogger().setLevel(logging.INFO)
logging.getLogger().addHandler(
    cio_events.CustomerIOHandler  # mend: cio_events.CustomerIOHandler()
)
