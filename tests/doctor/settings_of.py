"""What a check finds with certain settings, in this process and without a pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from cio_events.doctor import Finding, settings
from cio_events.doctor.subject import Subject

GOOD = {"CIO_SITE_ID": "f82ad78f695bd32f9d99", "CIO_API_KEY": "1a621ef65edfe6d3b6ae"}


def subject(environ: Mapping[str, str], *, network: bool = False) -> Subject:
    """What is examined with that environment alone."""
    return Subject(network=network, has_application=False, environ=environ)


def found(**environ: str) -> list[Finding]:
    """What the check of settings finds, with good credentials unless others are given."""
    return list(settings.look(subject(GOOD | environ)))


def ids(**environ: str) -> set[str]:
    """The ids of that."""
    return {finding.id for finding in found(**environ)}
