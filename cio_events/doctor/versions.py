"""The versions of Python, of this package and of what it needs, and which are known to be bad."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from cio_events.doctor.finding import Finding
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found
from cio_events.version import __version__

OURS = "cio-events"

_NEEDED = ("structlog", "requests", "urllib3", "blinker", "orjson")

# Of which a report tells too, where they are there.
_BESIDE = (
    *("certifi", "click", "rich", "loguru", "gevent", "uWSGI", "pyuwsgi", "gunicorn", "uvicorn"),
    *("Django", "django-structlog", "Flask", "fastapi", "celery", "rq", "redis", "sentry-sdk"),
    *("opentelemetry-api", "ddtrace"),
)


class _Bad(NamedTuple):
    package: str
    first: tuple[int, ...]
    below: tuple[int, ...]
    reason: str


_KNOWN_BAD = (
    _Bad("orjson", (3, 10, 0), (3, 10, 2), "It can crash the process while it writes a text"),
)


def look(subject: Subject) -> Iterator[Finding]:
    """Compare what is installed with what is needed."""
    has = dict(installed(_NEEDED))
    wrong = False
    for requirement in _requirements():
        parts = re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement)
        if parts is None or parts[1] not in has:
            continue
        package, floor = parts[1], parts[2]
        if _numbers(has[package]) < _numbers(floor):
            wrong = True
            yield found("E011", package=package, version=has[package], floor=floor)
    for bad in _KNOWN_BAD:
        version = has.get(bad.package)
        if version is not None and bad.first <= _numbers(version) < bad.below:
            wrong = True
            yield found(
                "E012",
                package=bad.package,
                version=version,
                reason=bad.reason,
                command=f"pip install -U {bad.package}",
            )
    if not wrong:
        named = ", ".join(f"{package} {version}" for package, version in has.items())
        yield found("I010", versions=f"cio-events {__version__}, Python {_python()}, {named}")


def all_versions() -> dict[str, str]:
    """Everything that a report tells of, by its name."""
    return {
        OURS: __version__,
        "Python": _python(),
        "platform": platform.platform(terse=True),
        **dict(installed(_NEEDED)),
        **dict(installed(_BESIDE)),
    }


def installed(packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Those of *packages* that are there, and their versions."""
    for package in packages:
        try:
            yield package, metadata.version(package)
        except metadata.PackageNotFoundError:
            continue


def _requirements() -> list[str]:
    try:
        return metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:  # it was copied into the application
        return []


def _python() -> str:
    numbers = ".".join(map(str, sys.version_info[:3]))
    return f"{numbers} ({platform.python_implementation()})"


def _numbers(version: str) -> tuple[int, ...]:
    # As far as they are numbers: of a release candidate, those before it.
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
