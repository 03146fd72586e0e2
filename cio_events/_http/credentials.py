"""The credentials that each request to Customer.io carries."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cio_events._calls.validation import printable_text
from cio_events._process.tracebacks import without_locals
from cio_events.errors import ParamError

if TYPE_CHECKING:
    import requests


class Credentials:
    """What a request is signed with: an ``auth`` of requests, which keeps a ``.netrc`` out."""

    __slots__ = ("_authorization",)

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign *request*."""
        request.headers["Authorization"] = self._authorization
        return request

    def __repr__(self) -> str:
        return "<Credentials>"


@without_locals
def basic(site_id: str, api_key: str) -> Credentials:
    """
    The credentials of the Track API.

    Raises:
        ParamError: One of them is blank, no text, or has characters that none can have.
    """
    if ":" in printable_text(site_id, "site_id"):
        raise ParamError("site_id", "must not have a colon")
    # Not requests' own Basic credentials, which are written in Latin-1.
    pair = f"{site_id}:{printable_text(api_key, 'api_key')}".encode()
    return Credentials(f"Basic {base64.b64encode(pair).decode('ascii')}")


@without_locals
def bearer(app_api_key: str) -> Credentials:
    """
    The credentials of the App API.

    Raises:
        ParamError: The key is blank, no text, or has characters that none can have.
    """
    if not printable_text(app_api_key, "app_api_key").isascii():
        raise ParamError("app_api_key", "must be ASCII")
    return Credentials(f"Bearer {app_api_key}")
