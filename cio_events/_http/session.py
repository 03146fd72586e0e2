"""
A session of requests', and one attempt to send something by it.

Together with `cio_events._http.adapter` the only code that needs requests: both are imported when
a first request is sent.
"""

from __future__ import annotations

import errno
import http.client
import sys
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any

import requests
import urllib3
from requests.exceptions import ProxyError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from cio_events._http.adapter import DeadlineAdapter, clone_session, keep_deadlines
from cio_events._http.exchange import Answer, Exchange, current
from cio_events.errors import AnswerTimeoutError, NoAnswerError

# As many requests as are ever sent to one destination at once; more would each close a
# connection after use, with a warning of urllib3's.
_POOL_SIZE = 32

# A full batch of which every operation is refused gets about 1 MB.
_MAX_ANSWER_BYTES = 8 * 1024 * 1024

_CHUNK_BYTES = 64 * 1024

# Seconds between looks at the environment's proxies. requests has one for each request, which
# takes as long as a full batch takes to be made.
_LOOK_INTERVAL = 1.0

# What a session raises; all of requests' own exceptions are an OSError.
_FAILURES = (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError)


class Transport:
    """
    Sends to one base URL.

    Args:
        base_url: Without a slash at its end.

        session: A session of the application's, or None for one of our own.

        inherited: Whether the application's session is that of a process from which this one
            was forked, so that its connections are not to be touched.
    """

    def __init__(
        self, base_url: str, session: requests.Session | None, *, inherited: bool
    ) -> None:
        self._base_url = base_url
        self._session_is_ours = session is None
        self._last_settings: Mapping[str, Any] = {}
        self._look_again_at = 0.0
        if session is None:
            session = requests.Session()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            session.mount(f"{base_url}/", DeadlineAdapter(pool_maxsize=_POOL_SIZE))
        else:
            if inherited:
                session = clone_session(session)
            keep_deadlines(session, f"{base_url}/")
        self._session = session

    def attempt(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        auth: Any,
        exchange: Exchange,
    ) -> Answer | NoAnswerError:
        """
        Send this once.

        An error is returned, not raised, so that it has no context: requests' own exceptions
        quote the URL, and with it an identifier.
        """
        handled = sys.exc_info()[1]
        token = current.set(exchange)
        try:
            return self._exchange(
                requests.Request(
                    method, self._base_url + path, headers=headers, data=body, auth=auth
                ),
                exchange,
            )
        except _FAILURES as error:
            return self._failure(error, handled, exchange)
        finally:
            current.reset(token)

    def close(self) -> None:
        """
        Close the connections that were made here.
        """
        adapter = self._session.get_adapter(f"{self._base_url}/")
        if isinstance(adapter, DeadlineAdapter):
            adapter.close()

    def _exchange(self, request: requests.Request, exchange: Exchange) -> Answer:
        prepared = self._session.prepare_request(request)
        location: list[str] = []

        def hide_location(response: requests.Response, **_: object) -> None:
            # Even when told not to follow, requests reads a redirect's body to the end and
            # stumbles over a target that is no URL.
            if "Location" in response.headers:
                location.append(response.headers.pop("Location"))

        prepared.hooks["response"].append(hide_location)
        response = self._session.send(
            prepared, timeout=exchange.left(), allow_redirects=False, **self._settings()
        )
        try:
            body = bytearray()
            while chunk := response.raw.read(_CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > _MAX_ANSWER_BYTES:
                    raise OSError(errno.EMSGSIZE, "the answer is too long")
                exchange.left()  # for connections that are not observed
        finally:
            response.close()
        for target in location:
            response.headers["Location"] = target
        return Answer(response.status_code, response.headers, bytes(body))

    def _settings(self) -> Mapping[str, Any]:
        """
        Proxies and certificates, by the session and by the environment.
        """
        now = monotonic()
        if now < self._look_again_at:
            return self._last_settings
        # Given as the request's own, the session's settings go before the environment's; else
        # requests would have it the other way round.
        session = self._session
        verify = None if session.verify is True else session.verify
        settings = session.merge_environment_settings(
            self._base_url, {**session.proxies}, True, verify, None
        )
        if self._session_is_ours:
            self._last_settings = settings
            self._look_again_at = now + _LOOK_INTERVAL
        return settings

    def _failure(
        self, error: BaseException, handled: BaseException | None, exchange: Exchange
    ) -> NoAnswerError:
        """
        What *error* means; *handled* is what the caller was handling, and is not part of it.
        """
        maybe_received = exchange.sending if exchange.observed else not _unconnected(error)
        if exchange.over or isinstance(error, requests.Timeout):
            text = f"{self._base_url} did not answer in time"
            return AnswerTimeoutError(text, maybe_received=maybe_received)
        reason = _reason(error, handled)
        if maybe_received:
            text = f"the connection to {self._base_url} broke before the answer: {reason}"
        else:
            text = f"no connection to {self._base_url}: {reason}"
        return NoAnswerError(text, maybe_received=maybe_received)


def _reason(error: BaseException | None, handled: BaseException | None) -> str:
    """
    The operating system's or OpenSSL's word for it; those of requests quote the URL.
    """
    where, reason = "", "unknown"
    while error is not None and error is not handled:
        if isinstance(error, ProxyError):
            where = "at the proxy: "
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        elif type(error) is OSError:  # of a proxy's refusal, or of a file that is not there
            reason = str(error)
        elif isinstance(error, _FAILURES):  # not what urllib3 1.26 stumbles over by the way
            reason = type(error).__name__
        error = error.__cause__ or error.__context__
    return where + reason


def _unconnected(error: BaseException) -> bool:
    """
    Whether *error*, of an adapter that is not ours, says for certain that nothing was sent.
    """
    if not isinstance(error, requests.RequestException):
        # About a file that the settings name, most often: requests wraps the errors of sockets.
        return not isinstance(error, (ConnectionError, http.client.HTTPException))
    # The kinds that are a ValueError are about the URL or a header.
    if isinstance(error, (requests.ConnectTimeout, ProxyError, ValueError)):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))
