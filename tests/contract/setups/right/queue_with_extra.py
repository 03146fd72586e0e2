"""The handler behind a queue, for records with extra."""

import logging
import logging.handlers
import queue

import cio_events

records = queue.SimpleQueue()
logging.basicConfig(level=logging.INFO, handlers=[logging.handlers.QueueHandler(records)])
listener = logging.handlers.QueueListener(records, cio_events.CustomerIOHandler())
listener.start()
