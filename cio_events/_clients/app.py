"""The client of the App API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from cio_events._calls.messages import (
    Message,
    Receipt,
    SendEmail,
    SendInApp,
    SendInboxMessage,
    SendPush,
    SendSMS,
    SendWhatsApp,
)
from cio_events._calls.validation import Data
from cio_events._clients.base import Client, say_unsaid
from cio_events._exported import exported
from cio_events._http import credentials
from cio_events._http import endpoint as http
from cio_events._http.endpoint import Answer
from cio_events._process.tracebacks import without_locals
from cio_events._wire import answers, app, broadcasts
from cio_events._wire.masking import named
from cio_events._wire.request import Request
from cio_events._wire.walk import Unsaid
from cio_events.errors import NoAnswerError, TransactionalError
from cio_events.options import TIMEOUT

if TYPE_CHECKING:
    import requests


@exported
class AppClient(Client):
    """
    Sends transactional messages by the App API, one request each, and waits for the answer.

    Threads may share a client, and so may the processes that are forked from this one. As a
    context manager it closes its connections at the end.

    Every verb takes ``timeout``, as those of `TrackClient` do. Every verb raises
    `TransactionalError` for an answer that is no success, and `NoAnswerError` for none, or for
    one without a receipt (`AnswerTimeoutError`, if the time was up). Customer.io does not
    recognise a message that it has seen before: after an error with ``maybe_received``, sending
    it again may deliver it twice.

    Args:
        app_api_key: The workspace's App API key.

        region: As in `TrackClient`, and so are *url*, *timeout*, *user_agent* and *session*.

    Raises:
        ParamError: An argument is invalid; the error names it.
    """

    _urls = http.APP_URLS
    _api = "App"

    @without_locals
    def __init__(
        self,
        app_api_key: str,
        *,
        region: Literal["us", "eu"] = "us",
        url: str | None = None,
        timeout: float = TIMEOUT,
        user_agent: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        super().__init__(
            http.Endpoint(
                http.app_url(region, url),
                credentials.bearer(app_api_key),
                timeout=timeout,
                user_agent=user_agent,
                session=session,
            )
        )

    def send_email(self, message: SendEmail, *, timeout: float | None = None) -> Receipt:
        """Send an e-mail."""
        return self.send(message, timeout=timeout)

    def send_push(self, message: SendPush, *, timeout: float | None = None) -> Receipt:
        """Send a push notification."""
        return self.send(message, timeout=timeout)

    def send_sms(self, message: SendSMS, *, timeout: float | None = None) -> Receipt:
        """Send a text message."""
        return self.send(message, timeout=timeout)

    def send_whatsapp(self, message: SendWhatsApp, *, timeout: float | None = None) -> Receipt:
        """Send a WhatsApp message."""
        return self.send(message, timeout=timeout)

    def send_inbox_message(
        self, message: SendInboxMessage, *, timeout: float | None = None
    ) -> Receipt:
        """Send a message to the inbox in the application."""
        return self.send(message, timeout=timeout)

    def send_in_app(self, message: SendInApp, *, timeout: float | None = None) -> Receipt:
        """Send a message that the application shows."""
        return self.send(message, timeout=timeout)

    def trigger_broadcast(
        self,
        broadcast_id: int,
        data: Data | None = None,
        *,
        recipients: Mapping[str, object] | None = None,
        ids: Iterable[str | int] | None = None,
        emails: Iterable[str] | None = None,
        ignore_missing: bool | None = None,
        add_duplicates: bool | None = None,
        timeout: float | None = None,
    ) -> int:
        """
        Send an API-triggered broadcast, and return the number of this trigger.

        Customer.io takes one in ten seconds for each broadcast, answers 429 to others, and sends
        one that comes twice to everybody twice: after an error with ``maybe_received``, look
        there before you ask again.

        Args:
            broadcast_id: The broadcast, as its address in Customer.io has it.

            data: What its templates use as ``trigger``.

            recipients: Customer.io's conditions for whom it goes to, instead of the broadcast's.

            ids: Or the ids of those it goes to, at most 10 000.

            emails: Or their e-mail addresses, at most 10 000.

            ignore_missing: With ids or emails: leave out those whom Customer.io does not know,
                instead of failing.

            add_duplicates: With emails: send to everybody who has an address.

            timeout: Seconds for all of it, instead of the client's.

        Raises:
            ParamError: An argument is invalid.
            TransactionalError: Customer.io refused it.
            NoAnswerError: There was no answer, or one without a number.
        """
        request = broadcasts.request(
            broadcast_id,
            data,
            recipients=recipients,
            ids=ids,
            emails=emails,
            ignore_missing=ignore_missing,
            add_duplicates=add_duplicates,
        )
        what = f"trigger_broadcast {broadcast_id}"
        answer = self._answer(what, request, timeout)
        number = broadcasts.number_of(answer.body)
        if number is None:
            raise self._no_receipt(what, answer, "number", "the broadcast")
        return number

    def send(self, message: Message, *, timeout: float | None = None) -> Receipt:
        """Send *message*, whichever it is."""
        unsaid: list[Unsaid] = []
        request = app.request(message, unsaid)
        say_unsaid(unsaid)
        answer = self._answer(named(message), request, timeout)
        receipt = app.receipt_of(answer.body)
        if receipt is None:
            raise self._no_receipt(named(message), answer, "receipt", "the message")
        return receipt

    def _answer(self, what: str, request: Request, timeout: float | None) -> Answer:
        answer = self._exchange(what, request, timeout, repeatable=False)
        if not 200 <= answer.status < 300:
            text = self._text(what, request, answer)
            raise TransactionalError(answer.status, answers.read(answer.body).words, text)
        return answer

    def _no_receipt(self, what: str, answer: Answer, missing: str, asked: str) -> NoAnswerError:
        return NoAnswerError(
            f"{what}: {self._host()} answered with status {answer.status} and no {missing}; "
            f"{asked} may have been accepted",
            maybe_received=True,
            cause=f"there is no {missing}",
            status=answer.status,
        )
