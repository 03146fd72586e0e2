"""A JSON formatter on a handler before ours, which stumbles over call objects."""

# finds: W512

import json
import logging

import cio_events


class AsJSON(logging.Formatter):
    """Write all that a record has."""

    def format(self, record):
        """All of it."""
        return json.dumps({"message": record.getMessage(), "cio": getattr(record, "cio", None)})


console = logging.StreamHandler()
console.setFormatter(AsJSON())
ours = cio_events.CustomerIOHandler()
HANDLERS = [console, ours]  # mend: HANDLERS = [ours, console]
logging.basicConfig(level=logging.INFO, handlers=HANDLERS)
