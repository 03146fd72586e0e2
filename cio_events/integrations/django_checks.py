"""Django's checks: `manage.py check` shows what the doctor finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.core import checks

from cio_events.doctor.examination import CHECKS, run
from cio_events.doctor.subject import Subject

if TYPE_CHECKING:  # Django has no types
    AppConfig = object
else:
    from django.apps import AppConfig

_OVER_THE_NETWORK = frozenset({"credentials", "clock", "relay"})


class Doctor(AppConfig):
    """
    Has ``manage.py check`` show the findings of `cio_events.doctor`, such as ``cio_events.E101``.

    It is an application of Django's::

        INSTALLED_APPS = [..., "cio_events.integrations.django_checks.Doctor"]

    ``manage.py check --deploy`` asks Customer.io about the credentials, and a relay's Redis, too.
    """

    name: str = "cio_events.integrations.django_checks"
    label: str = "cio_events_checks"
    verbose_name: str = "Customer.io events: checks"

    def ready(self) -> None:
        """Register them, once the applications are loaded."""
        checks.register(_look, "cio_events")
        checks.register(_ask, "cio_events", deploy=True)


def _look(app_configs: Sequence[Any] | None, **_: object) -> list[Any]:
    return _messages(network=False) if app_configs is None else []


def _ask(app_configs: Sequence[Any] | None, **_: object) -> list[Any]:
    return _messages(network=True) if app_configs is None else []


def _messages(*, network: bool) -> list[Any]:
    """The findings that are bad, as Django has them."""
    kinds = {"warning": checks.Warning, "error": checks.Error}
    chosen = [check for check in CHECKS if (check.name in _OVER_THE_NETWORK) == network]
    subject = Subject(network=network, has_application=True)
    return [
        kinds[finding.level](
            f"{finding.title}. {finding.why}",
            hint=finding.fix,
            # A chain is no name of a thing.
            obj=result.check if "\n" in finding.where else finding.where or result.check,
            id=f"cio_events.{finding.id}",
        )
        for result in run(chosen, subject)
        for finding in result.findings
        if finding.level in kinds
    ]
