"""The client of the Track API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, cast

import orjson

from cio_events._calls import limits
from cio_events._calls.call import Call
from cio_events._calls.ulid import new_id
from cio_events._calls.validation import valid_list
from cio_events._calls.verbs import Verbs, with_own_verbs
from cio_events._clients.base import Client, say_unsaid
from cio_events._exported import exported
from cio_events._http import credentials
from cio_events._http import endpoint as http
from cio_events._http.exchange import Answer
from cio_events._process import diagnostics
from cio_events._process.tracebacks import without_locals
from cio_events._wire import answers, single
from cio_events._wire import batch as v2
from cio_events._wire.encode import check_size, encode
from cio_events._wire.envelope import Envelope, Route, route_of
from cio_events._wire.masking import named
from cio_events._wire.request import Request
from cio_events._wire.walk import Unsaid
from cio_events.errors import APIError, ParamError
from cio_events.options import TIMEOUT

if TYPE_CHECKING:
    import requests

_P = ParamSpec("_P")

# More than fit a batch: each call takes over 50 bytes.
_MOST_CALLS = limits.V2_BATCH_BYTES // 50

_REGION_PATH = "/api/v1/accounts/region"


@exported
@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A call of a batch that Customer.io did not take.

    Attributes:
        index: Its place in the batch, from 0.

        call: The call.

        reason: Why, in one of Customer.io's words.

        field: Which field is wrong; ``""`` if Customer.io did not say.

        message: What is wrong with it. It may quote the call.
    """

    index: int
    call: Call
    reason: str
    field: str
    message: str

    def __repr__(self) -> str:
        return f"<Refusal {self.index} reason={self.reason!r}>"


@exported
@with_own_verbs
class TrackClient(Client, Verbs[None, float]):
    """
    Sends calls to the Track API, one request each, and waits for the answer.

    Threads may share a client, and so may the processes that are forked from this one. As a
    context manager it closes its connections at the end.

    Every verb takes ``timeout``: the seconds that all of the request may last, answer included,
    instead of the client's own. Every verb raises `ParamError` for arguments that make no call or
    one over a limit of Customer.io's, `APIError` for an answer that is no success or not
    Customer.io's, and `NoAnswerError` for none (`AnswerTimeoutError`, if the time was up).
    Nothing is sent again later; what is sent again by the application does no harm, if an event
    has an ``id``.

    Args:
        site_id: The workspace's site id.

        api_key: The workspace's Track API key.

        region: Where the workspace lives, ``"us"`` or ``"eu"``.

        url: Another base URL than the region's.

        timeout: Seconds that a request may last.

        user_agent: Instead of this package's own.

        session: A `requests.Session` of the application's, for its proxies, TLS settings, headers
            and adapters. It is not closed here.

    Raises:
        ParamError: An argument is invalid; the error names it.
    """

    _urls = http.TRACK_URLS
    _api = "Track"

    @without_locals
    def __init__(
        self,
        site_id: str,
        api_key: str,
        *,
        region: Literal["us", "eu"] = "us",
        url: str | None = None,
        timeout: float = TIMEOUT,
        user_agent: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        super().__init__(
            http.Endpoint(
                http.track_url(region, url),
                credentials.basic(site_id, api_key),
                timeout=timeout,
                user_agent=user_agent,
                session=session,
            )
        )

    def _perform(
        self,
        timeout: float | None,
        call: Callable[_P, Call],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> None:
        self.send(call(*args, **kwargs), timeout=timeout)

    def send(self, call: Call, *, timeout: float | None = None) -> None:
        """Send *call*, whichever it is."""
        # The id makes it safe to send an event twice, as is done on a connection that the server
        # has just closed.
        id_ = new_id(_now())
        unsaid: list[Unsaid] = []
        request = single.request(call, id_, unsaid)
        say_unsaid(unsaid)
        if request.body is not None and len(request.body) > limits.V2_OPERATION_BYTES:
            check_size(call, len(request.body), lambda: call)
        what = named(call)
        if isinstance(getattr(call, "name", None), str):
            what = f"{what} {getattr(call, 'id', None) or id_}"
        self._ask(what, request, timeout)

    def batch(self, calls: Iterable[Call], *, timeout: float | None = None) -> list[Refusal]:
        """
        Send some calls in one request.

        Customer.io takes each of them on its own: those that it refuses do not keep it from
        taking the others. Anonymous events, metrics, segments and calls over 32 000 bytes cannot
        be part of a batch, and all together must not be over 500 000.

        Returns:
            The calls refused; ``[]`` if there were none.

        Raises:
            ParamError: A call cannot be part of a batch, or they are too large together; nothing
                was sent.
        """
        together = cast("list[Call]", valid_list(calls, "calls", _MOST_CALLS))
        if not together:
            return []
        unsaid: list[Unsaid] = []
        envelopes = [_for_batch(index, call, unsaid) for index, call in enumerate(together)]
        body = v2.batch(envelopes)
        if len(body) > limits.V2_BATCH_BYTES:
            limit = limits.V2_BATCH_BYTES
            raise ParamError("calls", f"are together over {limit} bytes", limit)
        say_unsaid(unsaid)
        request = Request("POST", v2.BATCH_PATH, body)
        what = f"a batch of {diagnostics.calls(len(together))}"
        answer = self._ask(what, request, timeout)
        if answer.status != 207:
            return []
        try:
            errors = answers.read(answer.body).value["errors"]
            return [_refusal(together, error) for error in errors]
        except (ValueError, LookupError, TypeError):
            # Some were refused, but it cannot be known which.
            raise self._error(what, request, answer) from None

    def region(self, *, timeout: float | None = None) -> Literal["us", "eu"]:
        """
        Ask in which region the workspace lives, which tests the credentials too.

        It can be asked in either region.
        """
        request = Request("GET", _REGION_PATH, None)
        answer = self._ask("region", request, timeout)
        try:
            region = orjson.loads(answer.body)["region"]
        except (ValueError, LookupError, TypeError):
            region = None
        if region == "us":
            return "us"
        if region == "eu":
            return "eu"
        raise self._error("region", request, answer)

    def _ask(self, what: str, request: Request, timeout: float | None) -> Answer:
        answer = self._exchange(what, request, timeout)
        if not 200 <= answer.status < 300 or (
            answer.body and answers.read(answer.body, whole=answer.broken is None).is_text
        ):
            raise self._error(what, request, answer)
        return answer

    def _error(self, what: str, request: Request, answer: Answer) -> APIError:
        url = self._endpoint.base_url + request.path
        return APIError(answer.status, url, answer.body, self._text(what, request, answer))


def _for_batch(index: int, call: Call, unsaid: list[Unsaid]) -> Envelope:
    now = _now()
    try:
        envelope = encode(call, new_id(now), now, "v2", unsaid)
    except ParamError as error:
        raise ParamError("calls", f"of number {index}, {error}", error.limit) from None
    if route_of(envelope) is not Route.BATCH:
        raise ParamError("calls", f"number {index} cannot be part of a batch")
    return envelope


def _refusal(together: list[Call], error: Mapping[str, Any]) -> Refusal:
    index = answers.place_of(error, len(together))
    if index is None:
        raise ValueError("which call it is about cannot be read")
    reason, field, message = (
        answers.text_of(error.get(word) or "") for word in ("reason", "field", "message")
    )
    return Refusal(index, together[index], reason, field, message)


def _now() -> int:
    return time.time_ns() // 1_000_000
