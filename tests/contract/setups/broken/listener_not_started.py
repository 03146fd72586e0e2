"""A queue from which nobody takes."""

# finds: E510 E602

import logging
import logging.handlers
import queue

import cio_events

records = queue.SimpleQueue()
logging.basicConfig(level=logging.INFO, handlers=[logging.handlers.QueueHandler(records)])
listener = logging.handlers.QueueListener(records, cio_events.CustomerIOHandler())
STARTS = False  # mend: STARTS = True
if STARTS:
    listener.start()
