"""The README's dictConfig."""

import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "console": {"class": "logging.StreamHandler"},
            "customerio": {"class": "cio_events.CustomerIOHandler", "region": "eu"},
        },
        "root": {"level": "INFO", "handlers": ["customerio", "console"]},
    }
)
