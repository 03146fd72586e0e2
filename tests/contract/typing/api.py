"""The public face as type checkers see it: checked by mypy and pyright, and never run."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

import requests
import structlog
from structlog.typing import Processor
from typing_extensions import assert_type

import cio_events
from cio_events import Call, Identifier, Options, Pipeline, Report, Retry, Stats, Track

# Pipelines

pipeline = assert_type(cio_events.configure(site_id="site", api_key="key"), Pipeline)
assert_type(cio_events.get_pipeline(), Pipeline)
own = Pipeline(region="eu", spool="/var/spool/cio", before_send=lambda call: call, strict=True)

cio_events.configure(regoin="eu")  # type: ignore[call-arg]
Pipeline(region="asia")  # type: ignore[arg-type]
cio_events.CustomerIOHandler(max_pending="many")  # type: ignore[arg-type]
assert_type(pipeline.options, Options)

with own as entered:
    assert_type(entered, Pipeline)

assert_type(pipeline.flush(), bool)
assert_type(pipeline.flush(timeout=2.5), bool)
assert_type(pipeline.close(5), bool)

stats = assert_type(pipeline.stats(), Stats)
assert_type(stats.received, int)
assert_type(stats.sent + stats.failed + stats.dropped + stats.pending, int)
assert_type(stats.retries, int)
assert_type(stats.failed_by_reason, Mapping[str, int])
assert_type(stats.dropped_by_reason, Mapping[str, int])

# The sources

processor: Processor = cio_events.CustomerIOProcessor()
structlog.configure(processors=[cio_events.CustomerIOProcessor(pipeline), processor])
structlog.configure(processors=[cio_events.CustomerIOProcessor(event_key="message")])

handler: logging.Handler = cio_events.CustomerIOHandler()
logging.getLogger().addHandler(cio_events.CustomerIOHandler(pipeline, logging.INFO))
logging.getLogger().addHandler(cio_events.CustomerIOHandler(level="INFO", region="eu"))

# Calls

uuid: UUID = uuid4()
now = datetime.now(timezone.utc)

calls: list[Call] = [
    cio_events.Identify("5", {"email": "lucy@example.com", "age": 42}, timestamp=now),
    Track(5, "purchase", {"price": 13.99, "items": ["socks"]}),
    Track(uuid, "/pricing", type="page", timestamp=1_700_000_000),
    cio_events.TrackAnonymous(None, "invited", {"recipient": "a@example.com"}),
    cio_events.TrackAnonymous("visitor", "home", type="screen", id="01M89XGJXCTFX12MMBRPQWJVCW"),
    cio_events.Delete(Identifier("lucy@example.com", "email")),
    cio_events.Merge("5", Identifier("f00d", type="cio_id")),
    cio_events.AddDevice("5", "t0k3n", "ios", {"last_used": now}),
    cio_events.DeleteDevice("5", "t0k3n"),
    cio_events.Suppress("5"),
    cio_events.Unsuppress("5"),
]

assert_type(Track("5", "purchase").customer, Identifier)
assert_type(Track("5", "purchase").name, str)
assert_type(Identifier("5").value, str)
assert_type(cio_events.AddToSegment(7, ["5"]).customers, tuple[Identifier, ...])

# Verbs, in the background

assert_type(pipeline.send(calls[0]), bool)
assert_type(pipeline.identify("5", {"plan": "free"}), bool)
assert_type(pipeline.track("5", "purchase", {"price": 13.99}, timestamp=now), bool)
assert_type(pipeline.track_anonymous("visitor", "home", type="page"), bool)
assert_type(pipeline.delete("5"), bool)
assert_type(pipeline.merge_customers("5", Identifier("6")), bool)
assert_type(pipeline.add_device("5", "t0k3n", "android"), bool)
assert_type(pipeline.delete_device("5", "t0k3n"), bool)
assert_type(pipeline.suppress("5"), bool)
assert_type(pipeline.unsuppress("5"), bool)

pipeline.track("5", "purchase", timeout=2.5)  # type: ignore[arg-type]  # nobody waits

acme = cio_events.ObjectIdentifier("1", "acme")
joined = cio_events.Relationship("5", {"role": "owner"})
assert_type(pipeline.identify_object(acme, {"name": "Acme"}, ["5", joined]), bool)
assert_type(pipeline.add_relationships("5", [acme]), bool)
assert_type(pipeline.delete_relationships(acme, [Identifier("5")]), bool)
assert_type(pipeline.delete_object(cio_events.ObjectIdentifier(cio_object_id="ob1")), bool)
assert_type(pipeline.add_to_segment(7, ["5", uuid]), bool)
assert_type(pipeline.remove_from_segment(7, {"lucy@example.com"}), bool)
assert_type(pipeline.report_metric("delivery", "opened", timestamp=now), bool)

# Messages

email = cio_events.SendEmail(
    to="lucy@example.com",
    identifiers=Identifier("lucy@example.com", "email"),
    transactional_message_id=3,
    from_="shop@example.com",
    message_data={"total": 13.99},
    send_at=now,
    tracked=False,
)
email.attach("invoice.txt", "Socks")
email.attach("invoice.pdf", b"%PDF")
email.attach("terms.pdf", Path("terms.pdf"))
with Path("logo.png").open("rb") as logo:
    email.attach("logo.png", logo)

push = cio_events.SendPush(
    identifiers="5",
    transactional_message_id="shipped",
    custom_device=cio_events.Device("t0k3n", "android", {"last_used": now}),
)
messages: list[cio_events.Message] = [
    email,
    push,
    cio_events.SendSMS(identifiers="5", transactional_message_id=1),
    cio_events.SendWhatsApp(identifiers="5", transactional_message_id=1),
    cio_events.SendInboxMessage(identifiers="5", transactional_message_id=1),
    cio_events.SendInApp(identifiers="5", transactional_message_id=1),
]
assert_type(pipeline.send(email), bool)

# Clients

with cio_events.TrackClient("site", "key", region="eu", session=requests.Session()) as track:
    assert_type(track, cio_events.TrackClient)
    track.track("5", "purchase", {"price": 13.99}, timeout=2.5)
    track.merge_customers("5", Identifier("6"))
    track.send(calls[0], timeout=1)
    refused = assert_type(track.batch(calls, timeout=30), list[cio_events.Refusal])
    assert_type(refused[0].call, Call)
    assert_type(track.region(), Literal["us", "eu"])

with cio_events.AppClient("key", url="http://127.0.0.1:8026", user_agent="shop/1") as app:
    receipt = assert_type(app.send_email(email, timeout=5), cio_events.Receipt)
    assert_type(app.send_push(push), cio_events.Receipt)
    assert_type(receipt.delivery_id, str)
    assert_type(receipt.queued_at, datetime | None)

with cio_events.deadline(2.0):
    pass

# Life


@cio_events.flushing()
def handler_of_events(event: dict[str, str], context: object) -> int:
    """Keep its type."""
    return len(event)


@cio_events.flushing(pipeline, timeout=1.5)
async def coroutine(name: str) -> bytes:
    """Keep its type as well."""
    return name.encode()


assert_type(handler_of_events({}, None), int)
assert_type(asyncio.run(coroutine("5")), bytes)

with cio_events.flushing():
    pass

cio_events.install_signal_handlers()
cio_events.install_signal_handlers([signal.SIGTERM], timeout=5)

# The spool

for letter in pipeline.failures():
    assert_type(letter, cio_events.DeadLetter)
    assert_type(letter.id, str)
    assert_type(letter.reason, str)
    assert_type(letter.status, int | None)
    assert_type(letter.call, Call | None)
assert_type(pipeline.resend(), int)
assert_type(pipeline.discard([receipt.delivery_id]), int)

# Signals


def on_report(sender: Pipeline, report: Report) -> None:
    """Read what a report has."""
    assert_type(report.call, Call | None)
    assert_type(report.id, str)
    assert_type(report.attempts, int)
    assert_type(report.status, int | None)
    assert_type(report.detail, str | None)
    assert_type(report.receipt, cio_events.Receipt | None)
    if isinstance(report.call, Track):
        assert_type(report.call.data, Mapping[str, object])


def on_retry(sender: Pipeline, retry: Retry) -> None:
    """Read what a retry has."""
    assert_type(retry.attempt + retry.calls, int)
    assert_type(retry.delay, float)
    assert_type(retry.status, int | None)


cio_events.signals.sent.connect(on_report)
cio_events.signals.failed.connect(on_report, sender=pipeline)
cio_events.signals.dropped.connect(on_report)
cio_events.signals.retrying.connect(on_retry)

# Errors

try:
    Track("", "purchase")
except cio_events.ParamError as error:
    assert_type(error.param, str)
    assert_type(error.limit, int | None)
except cio_events.NoAnswerError as error:
    assert_type(error.maybe_received, bool)
except cio_events.APIError as error:
    assert_type(error.status, int)
    assert_type(error.url, str)
    assert_type(error.body, bytes)
except cio_events.TransactionalError as error:
    assert_type(error.message, str)
except cio_events.AttachmentExistsError as error:
    assert_type(error.name, str)
except cio_events.CustomerIOError:
    pass
