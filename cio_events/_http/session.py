"""
A session of requests', and one attempt to send something by it.

With the rooms that it imports it is all of delivery that needs requests: they are imported when a
first request is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy
from urllib3.util import parse_url

from cio_events._http.adapter import clone_session, keep_deadlines, observes_all, timed
from cio_events._http.body import TooLateError, read_body
from cio_events._http.exchange import Answer, Exchange, current
from cio_events._http.failures import no_answer, too_late
from cio_events._http.loopback import is_loopback
from cio_events._interrupts import bare, interrupt_behind
from cio_events._process.clock import monotonic
from cio_events.errors import NoAnswerError

# As many requests as are ever sent to one destination at once; more would each close a
# connection after use, with a warning of urllib3's.
_POOL_SIZE = 32

# Seconds between looks at the environment's proxies. requests has one for each request, which
# takes as long as a full batch takes to be made.
_LOOK_INTERVAL = 1.0

_PROXY_WANTS_CREDENTIALS = 407


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
        self._adapter: HTTPAdapter | None
        if session is None:
            session = requests.Session()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._adapter = timed(HTTPAdapter(pool_maxsize=_POOL_SIZE))
            session.mount(f"{base_url}/", self._adapter)
        else:
            if inherited:
                session = clone_session(session)
            self._adapter = keep_deadlines(session, f"{base_url}/")
        self._session = session
        self._observes_all = observes_all(self._adapter)

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

        Raises:
            BaseException: What interrupts this thread raises: a time limit, say.
        """
        handled = sys.exc_info()[1]
        exchange.observed = self._observes_all
        token = current.set(exchange)
        try:
            return self._exchange(
                requests.Request(
                    method, self._base_url + path, headers=headers, data=body, auth=auth
                ),
                exchange,
                handled,
            )
        # Also what adapters and hooks of the application's raise. How far the exchange has come
        # says what it means, wherever it surfaces.
        except BaseException as error:  # noqa: BLE001
            interrupt = interrupt_behind(error, handled)
            if interrupt is None:
                return self._failed(error, handled, exchange)
        finally:
            current.reset(token)
        raise bare(interrupt)

    def _failed(
        self, error: BaseException, handled: BaseException | None, exchange: Exchange
    ) -> Answer | NoAnswerError:
        if exchange.tunnel_status == _PROXY_WANTS_CREDENTIALS:
            return Answer(_PROXY_WANTS_CREDENTIALS, {}, b"", "of the proxy")
        if exchange.status is not None and not exchange.over:
            answered = CaseInsensitiveDict((exchange.headers or {}).items())
            return Answer(exchange.status, answered, b"", "cut off")
        return no_answer(self._base_url, error, handled, exchange)

    def outside(self) -> str | None:
        """
        The host on the way, the target or its proxy, that is not loopback; None if there is none.
        """
        proxy = select_proxy(self._base_url, dict(self._settings()["proxies"]))
        for url in (self._base_url, proxy):
            host = _host(url)
            if host is not None and not is_loopback(host):
                return host
        return None

    def close(self) -> None:
        """Close the connections that were made here."""
        if self._adapter is not None:
            self._adapter.close()

    def _exchange(
        self, request: requests.Request, exchange: Exchange, handled: BaseException | None
    ) -> Answer | NoAnswerError:
        prepared = self._session.prepare_request(request)
        answered: list[requests.Response] = []
        location: list[str] = []

        def notice(response: requests.Response, **_: object) -> None:
            answered.append(response)

        def hide_location(response: requests.Response, **_: object) -> None:
            # Even when told not to follow, requests reads a redirect's body to the end and
            # stumbles over a target that is no URL.
            if "Location" in response.headers:
                location.append(response.headers.pop("Location"))

        # The application's own hooks are between these, and what they raise is no part of it.
        prepared.hooks["response"].insert(0, notice)
        prepared.hooks["response"].append(hide_location)
        try:
            response = self._session.send(
                prepared, timeout=exchange.left(), allow_redirects=False, **self._settings()
            )
        except BaseException as error:
            if not answered:
                raise
            response = answered[0]
            if interrupt_behind(error, handled) is not None:
                response.close()
                raise
        finally:
            # The answer knows its request, and with it these hooks: a circle would keep it, and
            # the connection, until the garbage collector comes.
            answered.clear()
        try:
            body, broken = read_body(response, lambda: exchange.over)
        except TooLateError:
            exchange.status = response.status_code
            return too_late(self._base_url, exchange)
        finally:
            response.close()
        for target in location:
            response.headers["Location"] = target
        return Answer(response.status_code, response.headers, body, broken)

    def _settings(self) -> Mapping[str, Any]:
        """Proxies and certificates, by the session and by the environment."""
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


def _host(url: str | None) -> str | None:
    """The host of *url*; a proxy's may come without its scheme."""
    if not url:
        return None
    try:
        # urllib3's, as it is what connects by it.
        host = parse_url(url if "://" in url else f"http://{url}").host
    except urllib3.exceptions.LocationParseError:
        return url
    return None if host is None else host.strip("[]")
