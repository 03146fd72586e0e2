"""Django's usual dictionary: root at WARNING, the application's loggers at INFO."""

import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "console": {"class": "logging.StreamHandler"},
            "customerio": {"class": "cio_events.CustomerIOHandler"},
        },
        "root": {"level": "WARNING", "handlers": ["customerio", "console"]},
        "loggers": {
            "shop": {"level": "INFO"},
            "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
            "urllib3": {"level": "ERROR"},
        },
    }
)
