"""A handler that has the level of the others in the list."""

# finds: E503 E602

import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "customerio": {
                "class": "cio_events.CustomerIOHandler",
                "level": "ERROR",  # mend
            }
        },
        "root": {"level": "INFO", "handlers": ["customerio"]},
    }
)
