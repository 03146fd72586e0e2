"""
Assert what an application sends to Customer.io, and let no test send it there.

::

    from cio_events.testing import Recorder

    with Recorder() as cio:
        log.info("purchase", cio_customer="5", price=13.99)

    cio.tracked("purchase", customer="5", price=13.99)

With pytest, the fixtures ``cio`` (an open `Recorder`) and ``cio_sandbox`` come by themselves, and
so does what `only_loopback` does for unittest and for scripts.
"""

from __future__ import annotations

from cio_events.testing.guard import only_loopback
from cio_events.testing.recorder import Recorder

__all__ = ["Recorder", "only_loopback"]
