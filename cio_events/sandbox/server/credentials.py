"""Check the credentials of a request, where the sandbox requires some."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field

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
        given, _, token = authorization.partition(" ")
        token = token.strip()
        if given.lower() != scheme or not token:
            return False
        if scheme == "bearer":
            return _same(token, self.app_api_key)
        try:
            pair = base64.b64decode(token.translate(URL_SAFE), validate=True).decode()
        except ValueError:  # no Base64, or no UTF-8 in it
            return False
        site_id, _, api_key = pair.partition(":")
        whole = bool(site_id and api_key)
        return whole and _same(site_id, self.site_id) and _same(api_key, self.api_key)


def _same(given: str, wanted: str | None) -> bool:
    return wanted is None or hmac.compare_digest(given.encode(), wanted.encode())
