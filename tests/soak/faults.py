"""What goes wrong with the Customer.io of a soak, one thing each second."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

# How long nobody listens, in an outage.
_OUTAGE_SECONDS = 0.7


def _outage(sandbox: Sandbox) -> None:
    sandbox.stop()
    time.sleep(_OUTAGE_SECONDS)
    sandbox.start()


# None of them is a reason to give a call up, so that every call must arrive. (A refused batch may
# be one of a single call, which is then refused for good.)
FAULTS: dict[str, Callable[[Sandbox], None]] = {
    "500": lambda sandbox: sandbox.fail_next(500, times=2),
    "503, wait a second": lambda sandbox: sandbox.fail_next(503, retry_after=1),
    "429, wait a second": lambda sandbox: sandbox.fail_next(429, retry_after=1),
    "408": lambda sandbox: sandbox.fail_next(408),
    "401": lambda sandbox: sandbox.fail_next(401),
    "301": lambda sandbox: sandbox.fail_next(301, headers={"Location": sandbox.url}),
    "unreadable 207": lambda sandbox: sandbox.fail_next(207, body="<html>"),
    "connection dropped": lambda sandbox: sandbox.drop_next(times=2),
    "answer forgotten": lambda sandbox: sandbox.forget_next(times=2),
    "slow answer": lambda sandbox: sandbox.delay(0.5, times=2),
    "slow to accept": lambda sandbox: sandbox.delay(0.5, times=2, before=True),
    "nobody listens": _outage,
}


def any_fault(dice: random.Random) -> str:
    """The name of one of them."""
    return dice.choice(list(FAULTS))
