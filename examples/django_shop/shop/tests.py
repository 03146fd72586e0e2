"""What the shop logs, seen by a sandbox: `python manage.py test`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import TestCase

import cio_events
from cio_events.sandbox import Sandbox


class ShopTests(TestCase):
    """Each event arrives, about the right customer."""

    @contextmanager
    def events(self) -> Iterator[list[tuple[str | None, str, object]]]:
        """Collect the events that are logged inside: who, what, and with which data."""
        arrived: list[tuple[str | None, str, object]] = []
        with Sandbox() as sandbox:
            # In the place of the pipeline that the settings of production make.
            pipeline = cio_events.configure(
                site_id="any", api_key="any", track_url=sandbox.url, strict=True
            )
            yield arrived
            self.assertTrue(pipeline.flush())
            arrived += [(event.customer, event.name, event.data) for event in sandbox.events]
            pipeline.close()
        structlog.contextvars.clear_contextvars()

    def buy(self) -> int:
        """Buy socks."""
        order = {"product": "socks", "price": 13.99}
        with self.captureOnCommitCallbacks(execute=True):
            return self.client.post("/checkout", order, "application/json").status_code

    def test_who_is_logged_in_buys(self) -> None:
        """The purchase is theirs, and the path is no part of it."""
        user = User.objects.create_user("lucy")
        self.client.force_login(user)
        with self.events() as events:
            self.assertEqual(200, self.buy())
        data = {"product": "socks", "price": 13.99}
        self.assertEqual([(str(user.pk), "purchase", data)], events)

    def test_nobody_buys_without_a_login(self) -> None:
        """They are sent to the login, and no event is made."""
        with self.events() as events:
            self.assertEqual(302, self.buy())
        self.assertEqual([], events)

    def test_a_visitor_joins_the_newsletter(self) -> None:
        """A text with an @ is an e-mail address."""
        joined = {"email": "lucy@example.com", "source": "footer"}
        with self.events() as events:
            self.client.post("/newsletter", joined, "application/json")
        self.assertEqual([("lucy@example.com", "newsletter joined", {"source": "footer"})], events)

    def test_the_command_reminds(self) -> None:
        """One event for each customer."""
        with self.events() as events:
            call_command("remind", "5", "6")
        self.assertEqual([("5", "reminded", {}), ("6", "reminded", {})], events)
