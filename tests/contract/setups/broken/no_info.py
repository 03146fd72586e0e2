"""A wrapper class of one's own, which has no info()."""

# finds: E416 E602

import structlog

import cio_events


class Events(structlog.BoundLoggerBase):
    """Logs events alone."""

    def event(self, name, **fields):
        """Log one."""
        return self._proxy_to_logger("info", name, **fields)


structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    wrapper_class=Events,  # mend: wrapper_class=structlog.BoundLogger,
)
