"""The handler on a logger that has the level of root."""

# finds: E504 E602

import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"customerio": {"class": "cio_events.CustomerIOHandler"}},
        "loggers": {
            "shop": {
                "handlers": ["customerio"],  # mend: "level": "INFO", "handlers": ["customerio"],
            }
        },
    }
)
