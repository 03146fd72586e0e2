"""
The public face as type checkers see it: checked by mypy and pyright, and never run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from uuid import UUID, uuid4

import requests
import structlog
from structlog.typing import Processor
from typing_extensions import assert_type

import cio_events
from cio_events import Call, Identifier, Pipeline, Report, Retry, Stats, Track

# Pipelines

pipeline = assert_type(cio_events.configure(site_id="site", api_key="key"), Pipeline)
own = Pipeline(region="eu", spool="/var/spool/cio", before_send=lambda call: call, strict=True)

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

# The ways in

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

# Signals


def on_report(sender: Pipeline, report: Report) -> None:
    """Read what a report has."""
    assert_type(report.call, Call | None)
    assert_type(report.id, str)
    assert_type(report.attempts, int)
    assert_type(report.status, int | None)
    assert_type(report.detail, str | None)
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
except cio_events.CustomerIOError:
    pass
