"""Run the checks, each with a guard: one that raises is a finding, and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from cio_events._process.clock import monotonic
from cio_events.doctor import (
    clock,
    credentials,
    delivery,
    logging,
    probe,
    relay,
    settings,
    spool,
    structlog,
    versions,
)
from cio_events.doctor.finding import Finding
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found

Look: TypeAlias = Callable[[Subject], Iterator[Finding]]
"""Looks at one area, and tells what it has found."""


class Check(NamedTuple):
    """
    A check.

    Attributes:
        name: By which it is chosen.

        about: What it looks at, in a few words.

        look: Does so.

        of_application: What it looks at is the application's, and not there without one.
    """

    name: str
    about: str
    look: Look
    of_application: bool = False


CHECKS: tuple[Check, ...] = (
    Check("versions", "Python, this package, and what it needs", versions.look),
    Check("settings", "options, and the environment's CIO_ variables", settings.look),
    Check("credentials", "whether Customer.io knows them, and the way there", credentials.look),
    Check("clock", "this machine's clock against Customer.io's", clock.look),
    Check("structlog", "its chain of processors", structlog.look, of_application=True),
    Check("logging", "its loggers, handlers and queues", logging.look, of_application=True),
    Check("probe", "a tagged record through each way in", probe.look, of_application=True),
    Check("delivery", "what became of this process's calls", delivery.look),
    Check("spool", "its directory, what waits there, and dead letters", spool.look),
    Check("relay", "its Redis: settings, what waits there, and who leads", relay.look),
)
"""All checks, in the order in which they run."""


class Result(NamedTuple):
    """
    What a check has found.

    Attributes:
        check: Its name.

        findings: One at least.

        seconds: How long it took.
    """

    check: str
    findings: list[Finding]
    seconds: float


def examine(*, network: bool = True) -> list[Finding]:
    """
    Look at the set-up of this process, as it is now.

    It is for a health page or a test: nothing is written, no event is sent, and what pipelines
    count stays as it is. A tagged record with a reserved name goes through the application's
    processors and filters, and no further. It takes at most 5 seconds, without the network far
    less.

    Args:
        network: Whether Customer.io is asked whether it knows the credentials, and a relay's
            Redis how it is.

    Returns:
        One finding at least for each check, also where all is well.
    """
    results = run(CHECKS, Subject(network=network, has_application=True))
    return [finding for result in results for finding in result.findings]


def run(checks: Sequence[Check], subject: Subject) -> Iterator[Result]:
    """Run these *checks* in order."""
    with suppress(Exception):  # whoever needs the answers will say it
        subject.ask([check.name for check in checks])  # goes on beside the other checks
    for check in checks:
        started = monotonic()
        findings = list(_looked(check, subject))
        yield Result(check.name, findings, monotonic() - started)


def _looked(check: Check, subject: Subject) -> Iterator[Finding]:
    if check.of_application and not subject.has_application:
        yield found("S002")
        return
    try:
        yield from check.look(subject)
    except Exception as error:  # noqa: BLE001 - what an application has set up may raise anything
        yield found("E001", check=check.name, error=type(error).__name__)
