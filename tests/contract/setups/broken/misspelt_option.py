"""An option of the handler that is none."""

# finds: E004

import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "customerio": {
                "class": "cio_events.CustomerIOHandler",
                "api_token": "k",  # mend: "api_key": "1a621ef65edfe6d3b6ae",
                "site_id": "f82ad78f695bd32f9d99",
            }
        },
        "root": {"level": "INFO", "handlers": ["customerio"]},
    }
)
