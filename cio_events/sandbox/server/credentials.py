"""Check the credentials of a request, where the sandbox requires some."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field

# Of an App API key, which is a secret, this much names its workspace.
SHOWN_OF_APP_KEY = 4
# go-customerio encodes with the URL-safe alphabet of Base64.
URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller has to show; None: anything will do. Never shown itself."""

    site_id: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    app_api_key: str | None = field(default=None, repr=False)

    def allow(self, scheme: str | None, authorization: str) -> bool:
        """Whether the header opens a path that wants this scheme, `basic`, `bearer` or none."""
        if scheme is None:
            return True
        given, token = _parts(authorization)
        if given != scheme or not token:
            return False
        if scheme == "bearer":
            return _same(token, self.app_api_key)
        site_id, api_key = _pair(token)
        whole = bool(site_id and api_key)
        return whole and _same(site_id, self.site_id) and _same(api_key, self.api_key)

    def workspace(self, authorization: str) -> str | None:
        """
        Whose request it is: a site id, or the last characters of an App API key.

        Empty without credentials; None for those that open nothing.
        """
        if not authorization:
            return ""
        scheme, token = _parts(authorization)
        if scheme not in ("basic", "bearer") or not self.allow(scheme, authorization):
            return None
        return token[-SHOWN_OF_APP_KEY:] if scheme == "bearer" else _pair(token)[0]


def _parts(authorization: str) -> tuple[str, str]:
    scheme, _, token = authorization.partition(" ")
    return scheme.lower(), token.strip()


def _pair(token: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(token.translate(URL_SAFE), validate=True).decode()
    except ValueError:  # no Base64, or no UTF-8 in it
        return "", ""
    site_id, _, api_key = pair.partition(":")
    return site_id, api_key


def _same(given: str, wanted: str | None) -> bool:
    return wanted is None or hmac.compare_digest(given.encode(), wanted.encode())
