"""
What an exchange without an answer means, and why there was none, in words that hold no secret.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl

import requests
import urllib3
from requests.exceptions import ProxyError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from cio_events._http.exchange import Exchange
from cio_events._wire.masking import masked
from cio_events.errors import AnswerTimeoutError, NoAnswerError

# Those of which the text or the kind tells something; all of requests' own are an OSError.
_TELLING = (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError)

# What Python adds to OpenSSL's words.
_SSL_DECORATION = re.compile(r"^\[[^\]]*\] |\s*\(_ssl\.c:\d+\)$")

_CAUSE_CHARACTERS = 200


def no_answer(
    base_url: str, error: BaseException, handled: BaseException | None, exchange: Exchange
) -> NoAnswerError:
    """
    What *error* means, judged by how far the *exchange* had come.

    Args:
        base_url: Where to.

        error: What has ended it.

        handled: What the caller was handling, which is no part of it.

        exchange: As far as it has come.
    """
    maybe_received = exchange.sending if exchange.observed else not _unconnected(error)
    cause = masked(_cause(error, handled), (), _CAUSE_CHARACTERS)
    if exchange.over or isinstance(error, requests.Timeout):
        return too_late(base_url, exchange, maybe_received=maybe_received)
    if maybe_received:
        text = f"the connection to {base_url} broke before the answer: {cause}"
    else:
        text = f"no connection to {base_url}: {cause}"
    return NoAnswerError(text, maybe_received=maybe_received, cause=cause, status=exchange.status)


def too_late(base_url: str, exchange: Exchange, *, maybe_received: bool = True) -> NoAnswerError:
    """What it means that the time is up."""
    if exchange.status is not None:
        cause = "timeout within the answer"
    elif maybe_received:
        cause = "timeout before the answer"
    else:
        cause = "timeout before a connection was made"
    return AnswerTimeoutError(
        f"{base_url} did not answer in time",
        maybe_received=maybe_received,
        cause=cause,
        status=exchange.status,
    )


def _cause(error: BaseException | None, handled: BaseException | None) -> str:
    """The operating system's or OpenSSL's word for it; those of requests quote the URL."""
    where, reason = "", "unknown" if error is None else type(error).__name__
    while error is not None and error is not handled:
        if isinstance(error, ProxyError):
            where = "at the proxy: "
        if isinstance(error, socket.gaierror):
            reason = f"the name cannot be looked up: {error.strerror}"
        elif isinstance(error, ssl.SSLError):
            reason = _SSL_DECORATION.sub("", str(error.strerror))
            if error.reason in _OF_A_CA_FILE:
                reason = f"the file of certificates cannot be read: {reason}"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        elif type(error) is OSError:  # of a proxy's refusal, or of a file that is not there
            reason = str(error)
        elif isinstance(error, _TELLING):  # not what urllib3 1.26 stumbles over by the way
            reason = type(error).__name__
        error = error.__cause__ or error.__context__
    return where + reason


_OF_A_CA_FILE = frozenset({"NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE", "BAD_BASE64_DECODE"})


def _unconnected(error: BaseException) -> bool:
    """Whether *error*, of an adapter that is not ours, says for certain that nothing was sent."""
    if not isinstance(error, requests.RequestException):
        # About a file or a descriptor, most often: requests wraps the errors of sockets.
        return isinstance(error, OSError) and not isinstance(error, ConnectionError)
    # The kinds that are a ValueError are about the URL or a header.
    if isinstance(error, (requests.ConnectTimeout, ProxyError, ValueError)):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))
