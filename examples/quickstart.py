"""
Log lines that are Customer.io calls, in one go.

Without credentials in the environment, a sandbox on this machine plays Customer.io. With
CIO_SITE_ID and CIO_API_KEY (and CIO_REGION=eu, if it is there), the calls go to your workspace.
"""

from __future__ import annotations

import logging
import os
import sys

import structlog

import cio_events
from cio_events.sandbox import Sandbox


def main() -> None:
    """Log some lines, and show what has become of them."""
    if "CIO_SITE_ID" in os.environ:
        run(cio_events.configure())
        return
    with Sandbox() as sandbox:
        run(cio_events.configure(site_id="any", api_key="any", track_url=sandbox.url))
        print_people(sandbox)


def run(pipeline: cio_events.Pipeline) -> None:
    """Log as an application does, deliver, and print the ledger."""
    # What the package itself has to say goes to the logger "cio_events".
    logging.basicConfig(format="%(levelname)s from %(name)s: %(message)s", stream=sys.stdout)
    structlog.configure(
        processors=[
            cio_events.CustomerIOProcessor(),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, sort_keys=False),
        ],
    )
    log = structlog.get_logger()

    print("--- The log\n")

    # No tag, no call: this is just a line.
    log.info("server started", port=8000)

    # A signup makes a person, and what is in the line are the person's attributes.
    log.info("signed up", cio="identify", cio_customer="5", email="lucy@example.com", plan="free")

    # A customer in the line makes it an event, and the rest is the event's data.
    log.info("purchase", cio_customer="5", product="socks", price=13.99)

    # A device to send push messages to.
    log.info(
        "app opened", cio="add_device", cio_customer="5", cio_device="t0k3n", cio_platform="ios"
    )

    # A bad call: nobody bought this. Logging goes on, and the ledger counts it as failed.
    log.info("purchase", cio_customer="", product="gloves", price=21.5)

    # A background thread delivers every second, and when the process ends. Here we want to see it.
    pipeline.flush(timeout=10)

    stats = pipeline.stats()
    print("\n--- The ledger\n")
    print(f"received {stats.received}")
    print(f"  sent    {stats.sent}")
    print(f"  failed  {stats.failed}, by reason {dict(stats.failed_by_reason)}")
    print(f"  dropped {stats.dropped}, by reason {dict(stats.dropped_by_reason)}")
    print(f"  pending {stats.pending}")


def print_people(sandbox: Sandbox) -> None:
    """Print what Customer.io knows now, as it would show it."""
    print("\n--- What Customer.io knows now\n")
    for person in sandbox.people:
        print(f"person {person.id} <{person.email}>")
        for name, value in person.attributes.items():
            print(f"  attribute {name} = {value!r}")
        for device in person.devices.values():
            print(f"  device    {device.token} ({device.platform})")
        for event in sandbox.events_of(person.cio_id):
            print(f"  event     {event.name} {event.data}, id {event.id}")


if __name__ == "__main__":
    main()
