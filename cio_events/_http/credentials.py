"""
What requests to Customer.io are signed with.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cio_events._process.tracebacks import without_locals
from cio_events.errors import ParamError

if TYPE_CHECKING:
    import requests


class Credentials:
    """
    What a request is signed with: an ``auth`` of requests, which keeps a ``.netrc`` out.
    """

    __slots__ = ("_authorization",)

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """
        Sign *request*.
        """
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
    if ":" in _secret(site_id, "site_id"):
        raise ParamError("site_id", "must not have a colon")
    # Not requests' own Basic credentials, which are written in Latin-1.
    pair = f"{site_id}:{_secret(api_key, 'api_key')}".encode()
    return Credentials(f"Basic {base64.b64encode(pair).decode('ascii')}")


@without_locals
def bearer(app_api_key: str) -> Credentials:
    """
    The credentials of the App API.

    Raises:
        ParamError: The key is blank, no text, or has characters that none can have.
    """
    if not _secret(app_api_key, "app_api_key").isascii():
        raise ParamError("app_api_key", "must be ASCII")
    return Credentials(f"Bearer {app_api_key}")


def _secret(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise ParamError(param, "must be text")
    if not value or value.isspace():
        raise ParamError(param, "must not be blank")
    if not value.isprintable():  # a line break at its end, most often; also lone surrogates
        raise ParamError(param, "has characters that cannot be shown, such as a line break")
    return value
