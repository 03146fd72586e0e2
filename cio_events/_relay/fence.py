"""A destination for whoever leads: nothing is sent that could arrive while another leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cio_events._delivery.destination import Batch, Destination, Sharing, TryAgain, Verdict
from cio_events._http.deadline import until
from cio_events._process.clock import monotonic

if TYPE_CHECKING:
    from cio_events._relay.lease import Lease
    from cio_events._wire.envelope import Envelope

_OVER = TryAgain("no_connection", None, detail="another relay may lead")


class Fence:
    """
    *destination*, as long as *lease* is ours.

    It is asked before each request, and the request ends before it does.
    """

    def __init__(self, destination: Destination, lease: Lease) -> None:
        self._destination = destination
        self._lease = lease

    @property
    def name(self) -> str:
        """What diagnostics call it."""
        return self._destination.name

    @property
    def routes(self) -> bytes:
        """The first bytes of the envelopes that go there."""
        return self._destination.routes

    @property
    def sharing(self) -> Sharing | None:
        """Which calls share a request."""
        return self._destination.sharing

    @property
    def at_most_once(self) -> bool:
        """Whether a call must not be sent again that may have arrived."""
        return self._destination.at_most_once

    @property
    def ready(self) -> bool:
        """Whether there are credentials, and the lease is ours."""
        return self._destination.ready and self._lease.left() > 0

    def prepare(self) -> None:
        """Import what sending needs."""
        self._destination.prepare()

    def concerns(self, envelope: Envelope) -> tuple[str, ...]:
        """Whom and what a call is about."""
        return self._destination.concerns(envelope)

    def deliver(self, batch: Batch, timeout: float) -> Verdict:
        """Send *batch* within the time that is left, and judge the answer."""
        # In that order: whoever is frozen between the two has less time afterwards, not more.
        now = monotonic()
        left = self._lease.left()
        if left <= 0:
            return _OVER
        with until(now + left):
            return self._destination.deliver(batch, min(timeout, left))
