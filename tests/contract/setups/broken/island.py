"""A logger that keeps its records to itself."""

# finds: W508

import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "customerio": {"class": "cio_events.CustomerIOHandler"},
            "console": {"class": "logging.StreamHandler"},
        },
        "loggers": {
            "shop": {
                "handlers": ["console"],
                "propagate": False,  # mend
            },
            "uvicorn.access": {"handlers": ["console"], "propagate": False},
        },
        "root": {"level": "INFO", "handlers": ["customerio"]},
    }
)
