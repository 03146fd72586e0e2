"""
One destination at Customer.io: where it is, and a request to it.

`cio_events._wire` makes the requests; whoever sends one decides what an answer, or none, means.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cio_events._http.credentials import Credentials
from cio_events._http.deadline import next_end
from cio_events._http.exchange import Answer, Exchange
from cio_events._http.loopback import blocked, bound, is_loopback
from cio_events._interrupts import faults
from cio_events._process import forks
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import warn_once
from cio_events._process.tracebacks import without_locals
from cio_events._wire.request import Request
from cio_events.errors import AnswerTimeoutError, NoAnswerError, ParamError
from cio_events.version import __version__

if TYPE_CHECKING:
    import requests

    from cio_events._http.session import Transport

__all__ = ["APP_URLS", "TRACK_URLS", "USER_AGENT", "Answer", "Endpoint"]
__all__ += ["app_url", "seconds", "track_url"]

TRACK_URLS = {"us": "https://track.customer.io", "eu": "https://track-eu.customer.io"}
APP_URLS = {"us": "https://api.customer.io", "eu": "https://api-eu.customer.io"}

USER_AGENT = "cio-events/{} (Python {}.{})".format(__version__, *sys.version_info[:2])

# A request that must not be sent twice cannot be tried again when the server has just closed the
# connection. The shortest time after which servers do so is five seconds (Node's default).
_IDLE_SECONDS_UNREPEATABLE = 1.0

# Routers and load balancers forget an idle connection without telling, some after a minute. What
# is sent by it then is lost, and with it the time that it may take to find out.
_IDLE_SECONDS = 30.0


@without_locals
def track_url(region: str = "us", url: str | None = None) -> str:
    """
    The base URL of the Track API, without a slash at its end.

    Args:
        region: ``"us"`` or ``"eu"``.

        url: Another base URL instead, such as a proxy's or a sandbox's.

    Raises:
        ParamError: There is no such region, or *url* cannot be one.
    """
    return _base_url(TRACK_URLS, region, url)


@without_locals
def app_url(region: str = "us", url: str | None = None) -> str:
    """The base URL of the App API, as in `track_url`."""
    return _base_url(APP_URLS, region, url)


def _base_url(urls: Mapping[str, str], region: str, url: str | None) -> str:
    if not isinstance(region, str) or region not in urls:
        raise ParamError("region", 'must be "us" or "eu"')
    if url is None:
        return urls[region]
    if not isinstance(url, str):
        raise ParamError("url", "must be text")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ParamError("url", "must be a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ParamError("url", 'must be a URL that begins with "https://" or "http://"')
    if "@" in parts.netloc:
        raise ParamError("url", "must not hold credentials")
    if "?" in url or "#" in url:
        raise ParamError("url", "must not have a query or a fragment")
    if " " in url or not url.isprintable():
        raise ParamError("url", "must not have spaces or control characters")
    return url.rstrip("/")


def _header(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise ParamError(param, "must be text")
    if not value.strip() or not value.isascii() or not value.isprintable():
        raise ParamError(param, "must be printable ASCII, and not blank")
    return value.strip()


def seconds(value: object, param: str) -> float:
    """
    *value* as a length of time.

    Raises:
        ParamError: It is no positive number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ParamError(param, "must be a number of seconds over 0")
    try:
        return float(value)
    except OverflowError:  # of an integer that no float can hold
        return math.inf


class Endpoint:
    """
    One of Customer.io's APIs, for certain credentials.

    Several threads may send at once. A forked child may go on with what it inherited: it gets
    connections of its own and leaves the parent's as they are.

    Args:
        base_url: From `track_url` or `app_url`.

        credentials: From `cio_events._http.credentials`.

        timeout: Seconds that a whole request may last, answer included. Only the look-up of a
            name is beyond it: the system takes the time that it takes.

        user_agent: Instead of our own `USER_AGENT`.

        session: A session of the application's, for its proxies, TLS settings, headers and
            adapters; `close` leaves it open. Unless it has an adapter of its own for
            *base_url*, one is mounted there that keeps the time. With another adapter, or a
            SOCKS proxy, each wait for the network is bound by the time that is left, and not
            all of them together.

    Raises:
        ParamError: *timeout* or *user_agent* is invalid.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        timeout: float = 10.0,
        user_agent: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        self.base_url = base_url
        self._credentials = credentials
        self._timeout = seconds(timeout, "timeout")
        self._user_agent = USER_AGENT if user_agent is None else _header(user_agent, "user_agent")
        self._session = session
        self._made_by = os.getpid()
        self._live: tuple[int, Transport] | None = None
        # Of the processes that this one was forked from. Were they collected, they would close
        # connections that are not ours.
        self._inherited: list[Transport] = []
        forks.hold_over_forks(_lock)

    def send(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """
        Send *request*, and wait for the answer to it.

        Args:
            request: What to ask.

            timeout: Seconds that all of it may last, instead of the endpoint's own. A
                `cio_events._http.deadline` that ends earlier counts.

            headers: More headers.

            repeatable: Whether it does no harm to send it twice. Such a request is sent again,
                once and at once, when a kept connection turns out to be closed.

        Raises:
            AnswerTimeoutError: The time was up.
            NoAnswerError: There was no connection, or it broke; or this process may reach
                loopback alone, and the way leads elsewhere.
            ParamError: *timeout* is invalid.
        """
        if bound() and (host := self.outside()) is not None:
            cause = "only loopback may be reached"
            raise NoAnswerError(str(blocked(host, "a request")), maybe_received=False, cause=cause)
        own = self._timeout if timeout is None else seconds(timeout, "timeout")
        ends = min(monotonic() + own, next_end())
        exchange = Exchange(ends, _IDLE_SECONDS if repeatable else _IDLE_SECONDS_UNREPEATABLE)
        if exchange.over:
            text = "the time was up before the request was sent"
            raise AnswerTimeoutError(text, maybe_received=False, cause="timeout")
        outcome = self._attempt(request, headers, exchange)
        if isinstance(outcome, NoAnswerError) and repeatable and exchange.stale:
            # On a new connection, since the others that are kept may be closed as well.
            exchange = Exchange(ends, longest_idle=-1.0)
            if not exchange.over:
                outcome = self._attempt(request, headers, exchange)
                if isinstance(outcome, NoAnswerError):
                    outcome.maybe_received = True  # the first time
        if isinstance(outcome, NoAnswerError):
            raise outcome
        return outcome

    def outside(self) -> str | None:
        """
        The host on the way that is not loopback; None if there is none. Nothing is looked up.
        """
        host = urlsplit(self.base_url).hostname or ""
        return self._transport().outside() if is_loopback(host) else host

    def prepare(self) -> None:
        """Import what sending needs, without sending anything."""
        self._transport()

    def close(self) -> None:
        """Close the connections that are kept. A later request makes new ones."""
        with _lock:
            if self._live is not None and self._live[0] == os.getpid():
                self._live[1].close()

    def __repr__(self) -> str:
        return f"<Endpoint {self.base_url}>"

    def _attempt(
        self, request: Request, headers: Mapping[str, str] | None, exchange: Exchange
    ) -> Answer | NoAnswerError:
        # No other encoding: each is one more way to make much of little.
        all_headers = {
            **(headers or {}),
            "User-Agent": self._user_agent,
            "Accept-Encoding": "gzip",
        }
        if request.body is not None:
            all_headers["Content-Type"] = "application/json"
        try:
            transport = self._transport()
        except faults(OSError, ImportError) as error:
            # Without a descriptor nothing can be imported.
            cause = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            text = f"no connection to {self.base_url}: {cause}"
            return NoAnswerError(text, maybe_received=False, cause=cause)
        return transport.attempt(
            request.method, request.path, request.body, all_headers, self._credentials, exchange
        )

    def _transport(self) -> Transport:
        """The transport of the process that runs now."""
        live, pid = self._live, os.getpid()
        if live is not None and live[0] == pid:
            return live[1]
        with _lock:
            # Not before it is needed: requests takes longer to import than all of this package.
            from cio_events._http.session import Transport

            live = self._live
            if live is None or live[0] != pid:
                if live is not None:
                    self._inherited.append(live[1])
                inherited = pid != self._made_by
                live = pid, Transport(self.base_url, self._session, inherited=inherited)
                self._live = live
        self._say_if_plain()
        return live[1]

    def _say_if_plain(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            warn_once(
                f"plain {parts.netloc}",
                f"calls are sent to {self.base_url} without encryption: anybody on the way can "
                "read them, and the credentials",
            )


_lock = threading.RLock()
"""
Guards the import of requests and the making of transports. It is held over a fork: a child that
was forked while another thread imports would wait for that thread forever.
"""
