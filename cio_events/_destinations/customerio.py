"""Customer.io's two APIs as destinations: what goes there, and what each answer means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from urllib.parse import urlsplit

from cio_events._delivery import bundle
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
from cio_events._destinations import answers
from cio_events._destinations.instead import instead
from cio_events._http.endpoint import APP_URLS, TRACK_URLS, Answer, Endpoint
from cio_events._interrupts import faults
from cio_events._wire import app, encode, single
from cio_events._wire import batch as v2
from cio_events._wire.answers import Reading
from cio_events._wire.envelope import HEADER_BYTES, Envelope, Route, body_of, route_of
from cio_events._wire.masking import shown
from cio_events._wire.request import Request
from cio_events.errors import AnswerTimeoutError, NoAnswerError, ParamError
from cio_events.options import Options

# Of these, and of all from 500 on, a later request may do better.
_LATER = frozenset({408, 421, 425})

# In a batch, a comma stands where an envelope has its header.
_HEADER_LESS_COMMA = HEADER_BYTES - 1


class _Api(ABC):
    """
    What both APIs have in common.

    Args:
        endpoint: Where requests go; None without credentials.

        options: The pipeline's, to say which of them is wrong.
    """

    _urls: dict[str, str]
    _url_option: str
    _keys: str

    def __init__(self, endpoint: Endpoint | None, options: Options) -> None:
        self._own = endpoint
        self._options = options
        self._given_up = False

    @abstractmethod
    def _stand_in(self) -> Endpoint | None:
        """Where requests go instead, while somebody stands in for the API."""

    @property
    def _endpoint(self) -> Endpoint | None:
        # In this order: what stands in when it is given up is not what does so later.
        endpoint = self._stand_in() or self._own
        return None if self._given_up else endpoint

    def give_up(self) -> None:
        """Begin no further request, as what stands in for the endpoint will be another's."""
        self._given_up = True

    @property
    def ready(self) -> bool:
        """Whether there are credentials."""
        return self._endpoint is not None

    def prepare(self) -> None:
        """Import what sending needs."""
        endpoint = self._endpoint
        if endpoint is not None:
            endpoint.prepare()

    def concerns(self, envelope: Envelope) -> tuple[str, ...]:
        """Whom and what a call is about."""
        return encode.customers_of(envelope)

    def _ask(
        self, request: Request, timeout: float, *, repeatable: bool
    ) -> Answer | NoAnswerError:
        """Return the answer, or why there is none."""
        endpoint = self._endpoint
        if endpoint is None:  # given up since it was ready
            return NoAnswerError("the request was not sent", maybe_received=False)
        try:
            return endpoint.send(request, timeout=timeout, repeatable=repeatable)
        except NoAnswerError as error:
            if error.status is None:
                return error
            # The status is known, and decides.
            return Answer(error.status, {}, b"", broken=error.cause or error.message)

    def _no_answer(self, error: NoAnswerError, timeout: float) -> TryAgain:
        detail = error.cause or error.message
        if not error.maybe_received:
            return TryAgain("no_connection", None, detail=detail)
        # Not where somebody has little time for it.
        slow = isinstance(error, AnswerTimeoutError) and timeout >= self._options.timeout
        return TryAgain("no_answer", None, detail=detail, suspect=True, slow=slow)

    def _hold(self, answer: Answer, words: str) -> Hold | None:
        """Say which setting is wrong, if *answer* means that one is."""
        status = answer.status
        if status == 407:
            advice = (
                "look at the proxy and its credentials; where there is none, at the region "
                f"({self._region}) and the URL ({self._url_option})"
            )
        elif status == 401:
            advice = f"look at the credentials ({self._keys}) and the region ({self._region})"
        elif 300 <= status < 400:
            advice = self._redirected(answer.headers.get("Location") or "")
        else:
            return None
        return Hold(status, advice, words)

    @property
    def _region(self) -> str:
        return self._options.region

    def _redirected(self, location: str) -> str:
        if getattr(self._options, self._url_option) is None:
            for region, url in self._urls.items():
                if region != self._region and location.startswith(url):
                    return f"the workspace lives in another region: set CIO_REGION={region}"
            return f"it is somewhere else; look at the region ({self._region})"
        try:
            host = urlsplit(location).netloc.rpartition("@")[2]
        except ValueError:
            host = ""
        to = f" to {shown(host, 100)}" if host else ""
        return (
            f"it sends us on{to}; look at the URL ({self._url_option}) and the region "
            f"({self._region})"
        )

    def _wrong_url(self, status: int, words: str) -> Hold:
        advice = f"nothing is there; look at the URL ({self._url_option})"
        return Hold(status, advice, words)

    def _forbidden(self, status: int, words: str, *, final: bool) -> Hold:
        advice = (
            f"look at the credentials ({self._keys}), what they may do, and the region "
            f"({self._region})"
        )
        return Hold(status, advice, words, suspect=True, final=final)

    def _not_theirs(self, status: int) -> TryAgain:
        endpoint = self._endpoint
        host = urlsplit(endpoint.base_url).netloc if endpoint else ""
        detail = f"{host} answers with a page that is not Customer.io's"
        return TryAgain("server_error", status, detail=detail, suspect=True)


class TrackAPI(_Api):
    """The Track API: batches by v2, and by v1 what v2 has no word for."""

    name = "the Track API"
    routes = Route.BATCH + Route.SINGLE
    sharing = Sharing(Route.BATCH, v2.BATCH_ROOM, _HEADER_LESS_COMMA)
    at_most_once = False

    _urls = TRACK_URLS
    _url_option = "track_url"
    _keys = "site_id and api_key"

    def _stand_in(self) -> Endpoint | None:
        return instead.track

    def deliver(self, batch: Batch, timeout: float) -> Verdict:
        """Send *batch* and judge the answer."""
        envelopes = batch.envelopes
        try:
            body = bundle.common_body(envelopes)
            if body is not None:
                request = Request("POST", v2.BATCH_PATH, body)
            elif route_of(envelopes[0]) is Route.BATCH:
                request = Request("POST", v2.BATCH_PATH, v2.batch(envelopes))
            else:
                (envelope,) = envelopes
                request = single.request_of(body_of(envelope))
        except ParamError as error:
            # A dead letter that was too large, and is sent again.
            return Refused("invalid" if error.limit is None else "too_large", None, str(error))
        except faults(ValueError, TypeError, LookupError, AttributeError):
            return _UNREADABLE
        answer = self._ask(request, timeout, repeatable=True)
        if isinstance(answer, NoAnswerError):
            return self._no_answer(answer, timeout)
        return self._judge(answer, len(envelopes))

    def _judge(self, answer: Answer, count: int) -> Verdict:
        status = answer.status
        if 200 <= status < 300 and status != 207 and not answer.body:
            return Delivered(status)
        reading = answers.read(answer)
        if 200 <= status < 300:
            if reading.is_text:
                return self._not_theirs(status)
            return _by_item(answer, reading, count) if status == 207 else Delivered(status)
        hold = self._hold(answer, reading.words)
        if hold is not None:
            return hold
        if status == 403:
            return self._forbidden(status, reading.words, final=False)
        if status in (404, 405) and not reading.is_customerios:
            return self._wrong_url(status, reading.words)
        if status == 429:
            return TryAgain(
                "rate_limited", status, answers.retry_after(answer), reading.words or None
            )
        if status in _LATER or status >= 500:
            return TryAgain(
                "server_error",
                status,
                answers.retry_after(answer),
                reading.words or None,
                suspect=True,
            )
        # An answer of another form than v2's is kept as it is.
        words = reading.words if reading.is_list else answers.cut(answer.body)
        return Split() if count > 1 else Refused("rejected", status, words)


class AppAPI(_Api):
    """The App API: transactional messages, one a request, none of them twice."""

    name = "the App API"
    routes: bytes = Route.APP
    sharing = None
    at_most_once = True

    _urls = APP_URLS
    _url_option = "app_url"
    _keys = "app_api_key"

    def __init__(self, endpoint: Endpoint | None, options: Options) -> None:
        super().__init__(endpoint, options)
        self._interrupted: set[Envelope] = set()  # messages that may have arrived

    def _stand_in(self) -> Endpoint | None:
        return instead.app

    def deliver(self, batch: Batch, timeout: float) -> Verdict:
        """Send *batch* and judge the answer."""
        (envelope,) = batch.envelopes
        if envelope in self._interrupted:
            self._interrupted.discard(envelope)
            return Refused("ambiguous", None, "its request was interrupted")
        try:
            request = app.request_of(body_of(envelope))
        except faults(ValueError, TypeError, LookupError, AttributeError):
            return _UNREADABLE
        try:
            answer = self._ask(request, timeout, repeatable=False)
            return self._judge(answer, timeout)
        except faults(Exception) as error:
            # A fault of ours, or of an adapter of the application's.
            return Refused("ambiguous", None, type(error).__name__)
        except BaseException:
            # It is given here again, and must not be sent twice.
            self._interrupted.add(envelope)
            raise

    def _judge(self, answer: Answer | NoAnswerError, timeout: float) -> Verdict:
        if isinstance(answer, NoAnswerError):
            if answer.maybe_received:
                return Refused("ambiguous", None, answer.message)
            return self._no_answer(answer, timeout)
        status, reading = answer.status, answers.read(answer)
        if 200 <= status < 300:
            receipt = app.receipt_of(answer.body)
            if receipt is None:
                return Refused("ambiguous", status, reading.words or "there is no receipt")
            return Delivered(status, receipt=receipt)
        hold = self._hold(answer, reading.words)
        if hold is not None:
            return hold
        if status == 403:
            return self._forbidden(status, reading.words, final=True)
        if status in (404, 405) and not reading.is_customerios:
            return self._wrong_url(status, reading.words)
        if status in (429, 503):
            return TryAgain(
                "rate_limited" if status == 429 else "server_error",
                status,
                answers.retry_after(answer),
                reading.words or None,
            )
        doubt = status in _LATER or status >= 500
        return Refused("ambiguous" if doubt else "rejected", status, reading.words)


_UNREADABLE = Refused("invalid", None, "it cannot be read any more")


def _by_item(answer: Answer, reading: Reading, count: int) -> Verdict:
    try:
        refused, lost = answers.items(reading, count)
    except ValueError:
        # Which were refused cannot be known, and to repeat all is safe.
        if count > 1:
            return Split()
        if reading.is_json or not answer.body:
            return Delivered(answer.status)  # nothing says that this one was
        return Refused("rejected", answer.status, reading.words)
    if not lost:
        return Delivered(answer.status, refused)
    if count > 1:
        return Split()
    return Refused("rejected", answer.status, reading.words)
