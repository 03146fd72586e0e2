"""
Customer.io's two APIs as destinations: what goes there, and what each answer means.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from cio_events._delivery.destination import (
    Batch,
    Delivered,
    Hold,
    Refused,
    Sharing,
    Split,
    TryAgain,
    Verdict,
)
from cio_events._http.endpoint import Answer, Endpoint
from cio_events._wire import app, encode
from cio_events._wire import batch as v2
from cio_events._wire import single as v1
from cio_events._wire.envelope import HEADER_BYTES, Envelope, Route, body_of, route_of
from cio_events._wire.request import Request
from cio_events.errors import NoAnswerError

_BAD_SETTINGS = frozenset({401, 403, 407})

# What Customer.io says of a call may be long; reports and dead letters keep this much of it.
_DETAIL_CHARACTERS = 1_000

# In a batch, a comma stands where an envelope has its header.
_HEADER_LESS_COMMA = HEADER_BYTES - 1


class _Api:
    """
    What both APIs have in common.

    Args:
        endpoint: Where requests go; None without credentials.

        region: What the option of that name says.
    """

    def __init__(self, endpoint: Endpoint | None, region: str) -> None:
        self._endpoint = endpoint
        self._advice = f"look at the credentials, the region ({region}) and the URL"

    @property
    def ready(self) -> bool:
        """
        Whether there are credentials.
        """
        return self._endpoint is not None

    def prepare(self) -> None:
        """
        Import what sending needs.
        """
        if self._endpoint is not None:
            self._endpoint.prepare()

    def concerns(self, envelope: Envelope) -> tuple[str, ...]:
        """
        Whom and what a call is about.
        """
        return encode.customers_of(envelope)

    def _ask(self, request: Request, timeout: float, *, repeatable: bool) -> Answer:
        assert self._endpoint is not None  # noqa: S101 - only asked when ready
        return self._endpoint.send(request, timeout=timeout, repeatable=repeatable)


class TrackAPI(_Api):
    """
    The Track API: batches by v2, and by v1 what v2 has no word for.
    """

    name = "Track"
    routes = Route.BATCH + Route.SINGLE
    sharing = Sharing(Route.BATCH[0], v2.BATCH_ROOM, _HEADER_LESS_COMMA)
    at_most_once = False

    def deliver(self, batch: Batch, timeout: float) -> Verdict:
        """
        Send *batch* and judge the answer.
        """
        shared = route_of(batch.envelopes[0]) is Route.BATCH
        try:
            if shared:
                request = Request("POST", v2.BATCH_PATH, v2.batch(batch.envelopes))
            else:
                (envelope,) = batch.envelopes
                request = v1.request_of(body_of(envelope))
        except (ValueError, TypeError, LookupError, AttributeError):
            return _UNREADABLE
        try:
            answer = self._ask(request, timeout, repeatable=True)
        except NoAnswerError as error:
            return TryAgain("no_answer" if error.maybe_received else "no_connection", None)
        return self._judge(answer, len(batch.envelopes), shared=shared)

    def _judge(self, answer: Answer, count: int, *, shared: bool) -> Verdict:
        status = answer.status
        if status == 207:
            return _by_item(answer, count)
        if 200 <= status < 300:
            return Delivered(status)
        if 300 <= status < 400 or status in _BAD_SETTINGS or (shared and status == 404):
            return Hold(status, self._advice)
        if status == 429:
            return TryAgain("rate_limited", status, _retry_after(answer))
        if status == 408 or status >= 500:
            return TryAgain("server_error", status, _retry_after(answer))
        if count > 1:
            return Split()
        return Refused("rejected", status, _cut(answer.body.decode("utf-8", "replace")))


class AppAPI(_Api):
    """
    The App API: transactional messages, one a request, none of them twice.
    """

    name = "App"
    routes: bytes = Route.APP
    sharing = None
    at_most_once = True

    def deliver(self, batch: Batch, timeout: float) -> Verdict:
        """
        Send *batch* and judge the answer.
        """
        (envelope,) = batch.envelopes
        try:
            request = app.request_of(body_of(envelope))
        except (ValueError, TypeError, LookupError, AttributeError):
            return _UNREADABLE
        try:
            answer = self._ask(request, timeout, repeatable=False)
        except NoAnswerError as error:
            if error.maybe_received:
                return Refused("ambiguous", None, error.message)
            return TryAgain("no_connection", None)
        except Exception as error:  # noqa: BLE001
            # A fault of ours, or of an adapter of the application's.
            return Refused("ambiguous", None, type(error).__name__)
        return self._judge(answer)

    def _judge(self, answer: Answer) -> Verdict:
        status = answer.status
        if 200 <= status < 300:
            return Delivered(status, receipt=app.receipt_of(answer.body))
        if 300 <= status < 400 or status in _BAD_SETTINGS:
            return Hold(status, self._advice)
        if status == 429:
            return TryAgain("rate_limited", status, _retry_after(answer))
        if status == 503:
            return TryAgain("server_error", status, _retry_after(answer))
        words = _cut(app.words_of(answer.body))
        return Refused(
            "ambiguous" if status == 408 or status >= 500 else "rejected", status, words
        )


_UNREADABLE = Refused("invalid", None, "it cannot be read any more")


def _by_item(answer: Answer, count: int) -> Verdict:
    try:
        errors = orjson.loads(answer.body)["errors"]
        refused: dict[int, str] = {}
        for error in errors:
            index = error["batch_index"]
            if index not in range(count):
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
    return max(seconds, 0.0) if math.isfinite(seconds) else None
