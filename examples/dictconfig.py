"""
Customer.io calls from the standard library's logging alone, set up by a LOGGING dictionary.

The dictionary holds no secret: credentials come from CIO_SITE_ID and CIO_API_KEY. To try it
without an account, run `cio-events sandbox` in another terminal and export what it prints.
"""

from __future__ import annotations

import logging
import logging.config

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        # Every option of a pipeline can stand here; each is also read from CIO_<NAME>.
        "customerio": {"class": "cio_events.CustomerIOHandler", "flush_interval": 0.5},
    },
    "root": {"level": "INFO", "handlers": ["customerio", "console"]},
}

log = logging.getLogger("shop")


def main() -> None:
    """Log a signup and a purchase; what is pending is delivered when the process ends."""
    logging.config.dictConfig(LOGGING)
    log.info("server started")
    log.info(
        "signed up",
        extra={"cio": "identify", "cio_customer": "5", "email": "lucy@example.com"},
    )
    # The event's name is the message as it is written here, so there is one name for all amounts.
    log.info(
        "paid %s",
        "13.99 EUR",
        extra={"cio_customer": "5", "cio_data": {"amount": 13.99, "currency": "EUR"}},
    )


if __name__ == "__main__":
    main()
