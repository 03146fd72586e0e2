"""
Which hosts are this machine itself.

Whoever wants to bind a process to such hosts looks here, in `cio_events._http.session`, at the
destination and at the proxy.
"""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """
    Whether *host*, a name or an address without brackets, is this machine by its very form.
    """
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback
