"""An application that does not start."""

# finds: E004

import logging

import cio_events

handler = cio_events.CustomerIOHandlr()  # mend: handler = cio_events.CustomerIOHandler()
logging.basicConfig(level=logging.INFO, handlers=[handler])
