"""The handler as a sink of loguru."""

import sys

from loguru import logger

import cio_events

logger.remove()
logger.add(cio_events.CustomerIOHandler(), level="INFO")
logger.add(sys.stderr)
