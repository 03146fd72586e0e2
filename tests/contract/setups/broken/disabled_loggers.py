"""A dictConfig that silences the loggers that there were."""

# finds: E507

import logging.config

log = logging.getLogger("shop.checkout")

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": True,  # mend: "disable_existing_loggers": False,
        "handlers": {"customerio": {"class": "cio_events.CustomerIOHandler"}},
        "root": {"level": "INFO", "handlers": ["customerio"]},
    }
)
