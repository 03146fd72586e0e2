"""What both direct clients have in common: an endpoint, its connections, and what errors say."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cio_events._http.endpoint import Answer, Endpoint
from cio_events._process import debugging
from cio_events._process.diagnostics import say, warn_once
from cio_events._wire import answers
from cio_events._wire.answers import Reading
from cio_events._wire.masking import masked, values_of
from cio_events._wire.request import Request
from cio_events._wire.walk import Unsaid
from cio_events.errors import NoAnswerError

if TYPE_CHECKING:
    from typing_extensions import Self


# Of how many values in one request.
_UNSAID_TOLD = 10


class Client:
    """
    Sends to one endpoint.

    As a context manager it closes its connections at the end.
    """

    _urls: Mapping[str, str]
    """The base URL of each region."""

    _api: str
    """The name of the API."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        debugging.look()

    def close(self) -> None:
        """Close the connections that are kept. A later call makes new ones."""
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._endpoint.base_url}>"

    def _exchange(
        self, what: str, request: Request, timeout: float | None, *, repeatable: bool = True
    ) -> Answer:
        """
        Send *request*, and wait for the answer, whatever its status.

        Raises:
            NoAnswerError: There was none. It names *what* was asked.
        """
        began = time.perf_counter()
        came = "not sent"
        try:
            answer = self._endpoint.send(request, timeout=timeout, repeatable=repeatable)
            came = f"status {answer.status}"
        except NoAnswerError as error:
            came = f"no answer ({error.cause})" if error.cause else "no answer"
            error.message = f"{what}: {error.message}"
            error.args = (error.message,)
            raise
        finally:
            if debugging.on and not debugging.listened:
                milliseconds = (time.perf_counter() - began) * 1000
                say(
                    f"debug: request to the {self._api} API with {what}: {came}, "
                    f"{milliseconds:.0f} ms"
                )
        return answer

    def _host(self) -> str:
        return urlsplit(self._endpoint.base_url).netloc

    def _text(self, what: str, request: Request, answer: Answer) -> str:
        """
        What an error says of an *answer* that is no success.

        Args:
            what: What was asked.

            request: How it was asked. What it holds is masked in Customer.io's words.

            answer: What came back.
        """
        status = answer.status
        reading = answers.read(answer.body, whole=answer.broken is None)
        who = "Customer.io"
        if 200 <= status < 300 and reading.is_text:
            who = self._host()
        text = f"{what}: {who} answered with status {status}"
        advice = self._advice(answer, reading)
        if advice:
            text = f"{text}, {advice}"
        words = "" if _is_page(answer.body) else masked(reading.words, values_of(request))
        return f"{text}: {words}" if words else text

    def _advice(self, answer: Answer, reading: Reading) -> str:
        status = answer.status
        if 200 <= status < 300:
            if reading.is_text:
                return "but this is not Customer.io's answer; a proxy or a portal gave it"
            return "but its answer cannot be read"
        if 300 <= status < 400:
            return self._redirected(answer.headers.get("Location") or "")
        if status == 401:
            return "the credentials are wrong, or the region is"
        if status == 407:
            return "the proxy wants credentials"
        if status in (404, 405) and not reading.is_customerios:
            return "but not as Customer.io does: the url is probably wrong"
        return ""

    def _redirected(self, location: str) -> str:
        if self._endpoint.base_url not in self._urls.values():
            return "to ask elsewhere: the url is probably wrong, or the region"
        for region, url in self._urls.items():
            if location.startswith(url) and url != self._endpoint.base_url:
                return f'to ask elsewhere: the region is "{region}"'
        return "to ask elsewhere: the region is probably wrong"


def say_unsaid(unsaid: Sequence[Unsaid]) -> None:
    """Say of which values a call that is sent says nothing."""
    for one in unsaid[:_UNSAID_TOLD]:
        # Bounded by the type: which names a call has is the application's own.
        warn_once(f"unsaid {one.kind} {one.left_out}", f"{one.key!a}: {one.problem}")


def _is_page(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"
