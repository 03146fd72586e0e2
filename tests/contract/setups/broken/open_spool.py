"""A spool where everybody may write."""

# finds: E802
# env: CIO_SPOOL=open_spool

import pathlib

import structlog

import cio_events

pathlib.Path("open_spool").mkdir(exist_ok=True)
pathlib.Path("open_spool").chmod(0o777)  # mend: pathlib.Path("open_spool").chmod(0o700)
structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
