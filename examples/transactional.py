"""
Transactional messages, against a sandbox: from a log line in the background, and by a client, now.

Against Customer.io it is the same with your `app_api_key`, and without the URL.
"""

from __future__ import annotations

import structlog

import cio_events
from cio_events import AppClient, Pipeline, Report, SendEmail
from cio_events.sandbox import Sandbox

TEMPLATE = 3


def main() -> None:
    """Send two e-mails, and show their receipts and what would have been sent."""
    with Sandbox() as sandbox:
        send_from_a_log_line(sandbox.url)
        send_by_a_client(sandbox.url)
        print_outbox(sandbox)


def send_from_a_log_line(url: str) -> None:
    """Log a line that is a message, and deliver it."""
    with Pipeline(app_api_key="any", app_url=url) as pipeline:
        structlog.configure(
            processors=[
                cio_events.CustomerIOProcessor(pipeline),
                structlog.processors.add_log_level,
                structlog.dev.ConsoleRenderer(colors=False, sort_keys=False),
            ],
        )
        log = structlog.get_logger()
        cio_events.signals.sent.connect(on_sent, sender=pipeline)

        # What reaches a person is asked for by a call object. The line shows what and to whom.
        message = SendEmail(
            to="lucy@example.com",
            identifiers="5",
            transactional_message_id=TEMPLATE,
            message_data={"total": 13.99},
        )
        log.info("receipt mailed", cio=message)


def send_by_a_client(url: str) -> None:
    """Send a message with an attachment, and wait for the receipt."""
    message = SendEmail(
        to="lucy@example.com",
        identifiers="5",
        transactional_message_id=TEMPLATE,
        message_data={"total": 13.99},
    )
    message.attach("invoice.txt", "Socks: 13.99 EUR\n")
    with AppClient("any", url=url) as client:
        receipt = client.send_email(message, timeout=5)
    print(f"sent by the client, delivery {receipt.delivery_id}")


def on_sent(pipeline: Pipeline, report: Report) -> None:
    """Keep the receipt, by which Customer.io knows the delivery."""
    assert report.receipt is not None
    print(f"sent from the log, delivery {report.receipt.delivery_id}")


def print_outbox(sandbox: Sandbox) -> None:
    """Print the messages that were taken."""
    for message in sandbox.messages:
        print(f"{message.kind} {message.delivery_id} to {message.fields['to']}")
        print(f"  data {message.fields['message_data']}")
        for name, content in message.attachments.items():
            print(f"  attachment {name}: {content.decode()!r}")


if __name__ == "__main__":
    main()
