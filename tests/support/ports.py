"""Ports of loopback that nobody else gets before they are used."""

from __future__ import annotations

import socket
import sys
from collections import deque

# More than any test has in use.
_MOST = 32

_held: deque[socket.socket] = deque()


def free_port() -> int:
    """
    A port of loopback at which nobody listens, and who wants to may, with ``SO_REUSEADDR``.

    Had it only been free a moment ago, another test's server or connection might be given it now:
    none of them is, as it is held. One that is held cannot be listened at on other systems.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port: int = holder.getsockname()[1]
    if sys.platform == "linux":
        _held.append(holder)
    else:
        holder.close()
    if len(_held) > _MOST:
        _held.popleft().close()
    return port
