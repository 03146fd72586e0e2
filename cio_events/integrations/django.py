"""Django: what a project would have to set up by itself, done by an entry in INSTALLED_APPS."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from cio_events._pipeline.signal_handlers import install_signal_handlers
from cio_events._process import exits

if TYPE_CHECKING:  # Django has no types
    AppConfig = object
else:
    from django.apps import AppConfig

# They have signals of their own, and do not let Python's code handle any.
_SERVERS_WITH_SIGNALS = ("uwsgi", "mod_wsgi")


class CustomerIO(AppConfig):
    """
    Has events arrive however a process of Django ends.

    It is an application of Django's::

        INSTALLED_APPS = [..., "cio_events.integrations.django.CustomerIO"]

    - Where SIGTERM would end the process at once, as it does with commands and with ``runserver
      --noreload``, events are delivered before.
    - ``runserver`` ends its child by SIGKILL when it is itself ended by SIGTERM: there, events
      leave at once.
    - In Celery's workers, handlers stay where ``LOGGING`` has put them
      (`cio_events.integrations.celery`).
    """

    name: str = "cio_events.integrations.django"
    label: str = "cio_events"
    verbose_name: str = "Customer.io events"

    def ready(self) -> None:
        """Do so, once the applications are loaded."""
        if (
            threading.current_thread() is threading.main_thread()
            and not any(server in sys.modules for server in _SERVERS_WITH_SIGNALS)
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        ):
            install_signal_handlers([signal.SIGTERM])
        if os.environ.get("RUN_MAIN") == "true":  # as Django's autoreload tells its child
            exits.at_once = True
        if "celery" in sys.modules:
            # Not imported above: most processes, and many projects, have no Celery.
            from cio_events.integrations import celery

            celery.install()
