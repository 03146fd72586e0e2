"""
Some calls → HTTP → what is to become of each: the delivery policy.

Each answer is judged here; when to try again, and what the judgements do to ledger and signals,
is decided elsewhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import orjson

from cio_events._calls.messages import Receipt
from cio_events._http.endpoint import Answer, Endpoint
from cio_events._wire import app
from cio_events._wire import batch as v2
from cio_events._wire import single as v1
from cio_events._wire.envelope import Envelope, Route, body_of, route_of
from cio_events._wire.request import Request
from cio_events.errors import NoAnswerError
from cio_events.signals import FailedReason, RetryReason

# A server that asks for more than five minutes is asked again after five.
RETRY_AFTER_CAP = 300.0

_BAD_SETTINGS = frozenset({401, 403, 407})

# What Customer.io says of a call may be long; reports and dead letters keep this much of it.
_DETAIL_CHARACTERS = 1_000


@dataclass(slots=True)
class Batch:
    """
    Calls that travel in one request.

    Attributes:
        envelopes: The calls, in order.

        attempts: How many requests they were part of.

        again: Whether its last request has to be repeated.
    """

    envelopes: list[Envelope] = field(repr=False)
    attempts: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    Customer.io has taken the calls, but those *refused*.

    Attributes:
        status: The HTTP status.

        refused: What Customer.io said of each call refused, by its place in the batch.

        receipt: Of a transactional message.
    """

    status: int
    refused: Mapping[int, str] = field(default_factory=dict)
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The one call of a batch fails for good.
    """

    reason: FailedReason
    status: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """
    One of the calls is bad: each half has to be sent alone.
    """


@dataclass(frozen=True, slots=True)
class TryAgain:
    """
    Nothing was taken, as far as is known, and a later request may do better.

    Attributes:
        delay: What the server asked for, in seconds; None if it did not.
    """

    reason: RetryReason
    status: int | None
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """
    The settings are wrong, not the calls.
    """

    status: int


Verdict: TypeAlias = Delivered | Refused | Split | TryAgain | Hold


def deliver(batch: Batch, endpoint: Endpoint, timeout: float) -> Verdict:
    """
    Send *batch* to *endpoint*, in *timeout* seconds at the most, and judge the answer.
    """
    route = route_of(batch.envelopes[0])
    try:
        request = _request(batch, route)
    except (ValueError, TypeError, LookupError, AttributeError):
        return Refused("invalid", None, "it cannot be read any more")
    try:
        answer = endpoint.send(request, timeout=timeout, repeatable=route is not Route.APP)
        return _judge(batch, route, answer)
    except NoAnswerError as error:
        if route is Route.APP and error.maybe_received:
            return Refused("ambiguous", None, error.message)
        return TryAgain("no_answer" if error.maybe_received else "no_connection", None)
    except Exception as error:
        # A fault of ours, or of an adapter of the application's.
        if route is Route.APP:
            return Refused("ambiguous", None, type(error).__name__)
        raise


def _request(batch: Batch, route: Route) -> Request:
    if route is Route.BATCH:
        return Request("POST", v2.BATCH_PATH, v2.batch(batch.envelopes))
    (envelope,) = batch.envelopes
    if route is Route.APP:
        return app.request_of(body_of(envelope))
    return v1.request_of(body_of(envelope))


def _judge(batch: Batch, route: Route, answer: Answer) -> Verdict:
    status = answer.status
    if 200 <= status < 300:
        return _success(batch, route, answer)
    if 300 <= status < 400 or status in _BAD_SETTINGS or (route is Route.BATCH and status == 404):
        return Hold(status)
    if status == 429:
        return TryAgain("rate_limited", status, _retry_after(answer))
    if status == 503 or (route is not Route.APP and (status == 408 or status >= 500)):
        return TryAgain("server_error", status, _retry_after(answer))
    if route is Route.APP:
        doubt = status == 408 or status >= 500
        return Refused(
            "ambiguous" if doubt else "rejected", status, _cut(app.words_of(answer.body))
        )
    if len(batch.envelopes) > 1:
        return Split()
    return Refused("rejected", status, _cut(answer.body.decode("utf-8", "replace")))


def _success(batch: Batch, route: Route, answer: Answer) -> Verdict:
    if route is Route.APP:
        return Delivered(answer.status, receipt=app.receipt_of(answer.body))
    if answer.status != 207:
        return Delivered(answer.status)
    try:
        errors = orjson.loads(answer.body)["errors"]
        refused: dict[int, str] = {}
        for error in errors:
            index = error["batch_index"]
            if index not in range(len(batch.envelopes)):
                raise ValueError
            refused[index] = _cut("; ".join(filter(None, (refused.get(index), _words(error)))))
    except (ValueError, KeyError, TypeError, AttributeError):
        # Which of the calls were refused cannot be known, and to repeat them is safe.
        return TryAgain("server_error", answer.status)
    return Delivered(answer.status, refused)


def _words(error: Mapping[str, Any]) -> str:
    parts = (error.get("reason"), error.get("field"), error.get("message"))
    return " ".join(str(part) for part in parts if part)


def _cut(text: str) -> str:
    return text[:_DETAIL_CHARACTERS]


def _retry_after(answer: Answer) -> float | None:
    text = (answer.headers.get("Retry-After") or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP) if math.isfinite(seconds) else None
