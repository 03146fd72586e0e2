"""What the shop logs, seen by a recorder: `python manage.py test`."""

from __future__ import annotations

import structlog
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import TestCase

from cio_events.testing import Recorder


class ShopTests(TestCase):
    """Each event is about the right customer."""

    def setUp(self) -> None:
        """Take all calls, and deliver none."""
        self.cio = Recorder().open()
        self.addCleanup(self.cio.close)
        self.addCleanup(structlog.contextvars.clear_contextvars)

    def buy(self) -> int:
        """Buy socks."""
        order = {"product": "socks", "price": 13.99}
        with self.captureOnCommitCallbacks(execute=True):
            return self.client.post("/checkout", order, "application/json").status_code

    def test_who_is_logged_in_buys(self) -> None:
        """The purchase is theirs, and the path is no part of it."""
        user = User.objects.create_user("lucy")
        self.client.force_login(user)
        self.assertEqual(200, self.buy())
        data = {"product": "socks", "price": 13.99}
        self.cio.tracked("purchase", customer=str(user.pk), exactly=data)

    def test_nobody_buys_without_a_login(self) -> None:
        """They are sent to the login, and no event is made."""
        self.assertEqual(302, self.buy())
        self.cio.nothing()

    def test_a_visitor_joins_the_newsletter(self) -> None:
        """A text with an @ is an e-mail address."""
        joined = {"email": "lucy@example.com", "source": "footer"}
        self.client.post("/newsletter", joined, "application/json")
        self.cio.tracked("newsletter joined", customer="lucy@example.com", source="footer")

    def test_the_command_reminds(self) -> None:
        """One event for each customer."""
        call_command("remind", "5", "6")
        self.cio.tracked("reminded", customer="5")
        self.cio.tracked("reminded", customer="6")
