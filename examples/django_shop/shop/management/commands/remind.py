"""Remind customers of what they left in their baskets."""

from __future__ import annotations

from argparse import ArgumentParser

import structlog
from django.core.management.base import BaseCommand

log = structlog.get_logger()


class Command(BaseCommand):
    """`python manage.py remind 5 6`: events that are delivered before the command has ended."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the customers' ids."""
        parser.add_argument("customers", nargs="+")

    def handle(self, *args: object, **options: object) -> None:
        """Log an event for each."""
        for customer in options["customers"]:
            log.info("reminded", cio_customer=customer)
