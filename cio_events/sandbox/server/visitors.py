"""Which requests are meant for this sandbox, and not sent by a web page from elsewhere."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

# These change nothing, and what they answer no other page may read.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# A name or an address, and a port; nothing else may stand in it.
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[^\s:/?#@\[\]\\]+))(?::[0-9]*)?")


def is_loopback(host: str) -> bool:
    """Whether it is a name or an address of this machine that others cannot reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Visitors:
    """
    Who is let in by the names that the request goes to and comes from.

    A page in a browser can have its own name lead to this machine (DNS rebinding) and then read
    what the sandbox knows, but its requests carry that name as their `Host`. A page can also
    send requests here under its own name, and those carry it as their `Origin`.

    Args:
        allowed_hosts: Names that are let in beside those of loopback, without ports.
    """

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        self._allowed = frozenset(name.lower() for name in allowed_hosts)

    def refuse(self, method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """The status and the reason for keeping a request out; None lets it in."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 400, (
                "the Host of this request is not a name of this machine: "
                "ask for localhost, or let it in by --allowed-host"
            )
        origin = headers.get("origin")
        own = origin is None or origin.lower() == f"http://{host}".lower()
        if method not in SAFE_METHODS and not own:
            return 403, "another page's requests may change nothing here"
        return None

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        name = (found["v6"] or found["name"]).lower() if found else ""
        return is_loopback(name) or name in self._allowed
