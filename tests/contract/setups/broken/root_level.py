"""The handler on root, which has the level that Python gives it."""

# finds: E504 E602

import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"customerio": {"class": "cio_events.CustomerIOHandler"}},
        "root": {
            "handlers": ["customerio"],  # mend: "level": "INFO", "handlers": ["customerio"],
        },
    }
)
