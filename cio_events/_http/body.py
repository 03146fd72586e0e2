"""An answer's body: read as far as it goes, in bounded memory, whatever it says of itself."""

from __future__ import annotations

import http.client
import sys
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import urllib3

from cio_events._interrupts import faults, interrupt_behind

if TYPE_CHECKING:
    import requests

# A full batch of which every operation is refused gets about 1 MB.
MAX_BYTES = 8 * 1024 * 1024

_CHUNK_BYTES = 64 * 1024

# To zlib, that a gzip header has to come.
_GZIP = 16 + zlib.MAX_WBITS

# What reading from a connection raises; urllib3 passes some of it on as it is.
_FAILURES = (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError)


class TooLateError(Exception):
    """Raised when the time was up before the body was whole."""


def read_body(response: requests.Response, over: Callable[[], bool]) -> tuple[bytes, str | None]:
    """
    The body of *response*, and why it is not whole; None if it is.

    Args:
        response: An answer of which the headers were read.

        over: Whether the time for it is up.

    Raises:
        TooLateError: The time was up before it was whole.
    """
    taken = vars(response).get("_content")
    if isinstance(taken, bytes):  # by a hook of the application's, which has decoded it too
        return taken[:MAX_BYTES], None if len(taken) <= MAX_BYTES else "too long"
    body, broken = _read(response.raw, over)
    encoding = (response.headers.get("Content-Encoding") or "").strip().lower()
    if not body or encoding in ("", "identity"):
        return body, broken
    if encoding not in ("gzip", "x-gzip"):
        return b"", "of an encoding that was not asked for"
    return _gunzipped(body, broken)


def _read(raw: Any, over: Callable[[], bool]) -> tuple[bytes, str | None]:
    body = bytearray()
    handled = sys.exc_info()[1]
    try:
        while chunk := raw.read(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > MAX_BYTES:
                return bytes(body[:MAX_BYTES]), "too long"
            if over():  # for connections that are not observed
                raise TooLateError
    except _FAILURES as error:
        if interrupt_behind(error, handled) is not None:
            raise
        if over() or isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)):
            raise TooLateError from None
        return bytes(body), "cut off"
    return bytes(body), None


def _gunzipped(body: bytes, broken: str | None) -> tuple[bytes, str | None]:
    decoder = zlib.decompressobj(_GZIP)
    try:
        plain = decoder.decompress(body, MAX_BYTES + 1)
    except faults(zlib.error):
        return b"", "not to be decoded"
    if len(plain) > MAX_BYTES:
        return plain[:MAX_BYTES], "too long"
    if not decoder.eof:
        broken = broken or "cut off"
    return plain, broken
