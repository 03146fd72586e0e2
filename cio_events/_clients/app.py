"""The client of the App API."""

from __future__ import annotations

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
from cio_events._clients.base import Client, named
from cio_events._exported import exported
from cio_events._http import credentials
from cio_events._http import endpoint as http
from cio_events._process.tracebacks import without_locals
from cio_events._wire import answers, app
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
        """
        Send an e-mail.
        """
        return self.send(message, timeout=timeout)

    def send_push(self, message: SendPush, *, timeout: float | None = None) -> Receipt:
        """
        Send a push notification.
        """
        return self.send(message, timeout=timeout)

    def send_sms(self, message: SendSMS, *, timeout: float | None = None) -> Receipt:
        """
        Send a text message.
        """
        return self.send(message, timeout=timeout)

    def send_whatsapp(self, message: SendWhatsApp, *, timeout: float | None = None) -> Receipt:
        """
        Send a WhatsApp message.
        """
        return self.send(message, timeout=timeout)

    def send_inbox_message(
        self, message: SendInboxMessage, *, timeout: float | None = None
    ) -> Receipt:
        """
        Send a message to the inbox in the application.
        """
        return self.send(message, timeout=timeout)

    def send_in_app(self, message: SendInApp, *, timeout: float | None = None) -> Receipt:
        """
        Send a message that the application shows.
        """
        return self.send(message, timeout=timeout)

    def send(self, message: Message, *, timeout: float | None = None) -> Receipt:
        """
        Send *message*, whichever it is.
        """
        request = app.request(message)
        answer = self._exchange(named(message), request, timeout, repeatable=False)
        status = answer.status
        if not 200 <= status < 300:
            text = self._text(named(message), request, answer)
            raise TransactionalError(status, answers.read(answer.body).words, text)
        receipt = app.receipt_of(answer.body)
        if receipt is None:
            raise NoAnswerError(
                f"{named(message)}: {self._host()} answered with status {status} and no receipt; "
                "the message may have been accepted",
                maybe_received=True,
                cause="there is no receipt",
                status=status,
            )
        return receipt
