"""Django's own checks show what the doctor finds, by the same ids."""

from __future__ import annotations

import json

from tests.support.scripts import environment, run_code

PROJECT = """
import json, logging
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["cio_events.integrations.django_checks.Doctor"],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"customerio": {"class": "cio_events.CustomerIOHandler", "level": "ERROR"}},
        "root": {"level": "INFO", "handlers": ["customerio"]},
    },
)
django.setup()
from django.core import checks

def shown(**more):
    return {one.id: [type(one).__name__, one.hint, one.obj] for one in checks.run_checks(**more)}

print(json.dumps([shown(tags=["cio_events"]), shown(include_deployment_checks=True)]))
"""


def test_djangos_checks_show_the_findings() -> None:
    """By one line in INSTALLED_APPS; Customer.io is asked with --deploy alone."""
    # Nobody listens there.
    env = environment(CIO_SITE_ID="site", CIO_TRACK_URL="http://127.0.0.1:9", CIO_REGOIN="eu")
    printed, _ = run_code(PROJECT, env=env | {"CIO_API_KEY": "key"})
    usual, deployed = json.loads(printed)

    assert usual["cio_events.E503"][0] == "Error"
    assert usual["cio_events.W110"] == ["Warning", "Is it CIO_REGION?", "settings"]
    assert usual["cio_events.E602"][2] == "probe"  # and not the first station of the way
    assert "cio_events.E210" not in usual
    assert "cio_events.E210" in deployed
    assert {*usual} <= {*deployed}
