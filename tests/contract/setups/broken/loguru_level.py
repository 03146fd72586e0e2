"""The handler as a sink of loguru, with the level of the others."""

# finds: E515 E602

from loguru import logger

import cio_events

logger.remove()
logger.add(
    cio_events.CustomerIOHandler(),
    level="WARNING",  # mend: level="INFO",
)
