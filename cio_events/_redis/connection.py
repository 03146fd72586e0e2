"""
A connection to Redis without retries of its own, and what its errors mean.

redis-py sends a command again whose answer was lost, and so stored calls twice. It is imported
when a connection is made and no sooner.
"""

from __future__ import annotations

import re
import sys
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from cio_events._interrupts import faults, suppress_faults
from cio_events._process import forks
from cio_events._process.diagnostics import warn_once
from cio_events._process.tracebacks import without_locals
from cio_events._wire.masking import shown
from cio_events.errors import ParamError

if TYPE_CHECKING:
    import redis

OLDEST = (7, 0)
"""The oldest Redis whose scripts can be told what to do when it is full."""

MISSING = "needs redis-py, which comes with the extra: pip install 'cio-events[relay]'"

# What a URL may set and is ours to say: when to try again, and in which form answers come.
_IGNORED = (
    *("retry_on_timeout", "retry_on_error", "max_connections", "timeout"),
    "legacy_responses",
)

# As much as is kept of what the server says.
_DETAIL_CHARACTERS = 200


# Not that of our own late imports, which a dictConfig needs that makes a handler: redis-py asks
# logging for loggers, and logging holds its lock over a dictConfig.
_importing = threading.RLock()


def imports() -> threading.RLock:
    """
    What is to be held while redis-py is imported, or what imports it.

    A child that was forked meanwhile would wait forever for the thread that imports it.
    """
    forks.hold_over_forks(_importing)
    return _importing


def is_installed() -> bool:
    """Whether redis-py is there."""
    try:
        return find_spec("redis") is not None
    except ValueError:
        return True  # a test's, which has put a bare module in its place


@without_locals
def connect(url: str, timeout: float, read_bytes: int = 65_536) -> redis.Redis:
    """
    A client with one connection, which is made now.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py reads it.

        timeout: Seconds for connecting, and for each wait for the socket.

        read_bytes: How much is read from the socket at once.

    Raises:
        ParamError: redis-py is not there, or cannot read *url*.

        redis.RedisError: There is no connection, or the server lets nobody in.
    """
    with imports():
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ParamError("relay", MISSING) from None
    try:
        options: dict[str, Any] = redis.connection.parse_url(url)
    except faults(ValueError):
        raise ParamError("relay", "must be a URL that redis-py can read") from None
    for name in _IGNORED:
        options.pop(name, None)
    if hasattr(redis, "DriverInfo") and not options.keys() & {"lib_name", "lib_version"}:
        # What redis-py says of itself, which it would look for on the disk at each connection.
        options.setdefault("driver_info", redis.DriverInfo(lib_version=redis.__version__))
    options |= {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_read_size": read_bytes,
        "health_check_interval": 0,
        "decode_responses": False,
        "protocol": 2,
    }
    if issubclass(options.get("connection_class", redis.Connection), redis.SSLConnection):
        # Before redis-py 6 any trusted certificate would do for any host.
        options.setdefault("ssl_check_hostname", options.get("ssl_cert_reqs") != "none")
    try:
        pool = redis.ConnectionPool(**options)
        pool.make_connection()  # which connects nowhere yet
    except (TypeError, ValueError, redis.RedisError):
        raise ParamError("relay", "has a setting that redis-py does not know") from None
    return redis.Redis(connection_pool=pool, single_connection_client=True)


def close(client: redis.Redis) -> None:
    """Close the connection of a client from `connect`; it does not raise."""
    with suppress_faults(Exception):
        client.close()
    # By itself the client only gives it back to the pool, which keeps it open.
    with suppress_faults(Exception):
        client.connection_pool.disconnect()


@dataclass(frozen=True, slots=True)
class Server:
    """
    The server that a connection leads to.

    Attributes:
        run: Its run id: another after each start, and on each replica.

        version: Of Redis, or of the Redis that a Valkey is compatible with.

        policy: Its ``maxmemory-policy``.

        durable: Whether it writes what it is told to its disk (``appendonly``).
    """

    run: str
    version: tuple[int, ...]
    policy: str
    durable: bool


def look_at(client: redis.Redis) -> Server:
    """
    Ask the server who it is.

    Raises:
        redis.RedisError: It does not answer, or must not be asked.
    """
    told = client.execute_command("INFO")
    version = str(told.get("redis_version", ""))
    return Server(
        str(told.get("run_id", "")),
        tuple(int(part) for part in version.split(".")[:2] if part.isdigit()),
        str(told.get("maxmemory_policy", "noeviction")),
        str(told.get("aof_enabled", "0")) == "1",
    )


def warn_of_eviction(server: Server) -> None:
    """Say so where Redis may throw calls away without an error."""
    if server.policy != "noeviction":
        warn_once(
            f"eviction {server.policy}",
            f"Redis may throw calls away: its maxmemory-policy is {shown(server.policy, 40)}, "
            "under which what waits for the relay vanishes without an error when memory is "
            "short; set it to noeviction",
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Why a command has not succeeded.

    Attributes:
        kind: ``"unreached"``, there is no connection; ``"unanswered"``, the command was sent and
            there is no answer, so that it may have been executed; ``"refused"``, the server does
            not do it now; ``"settings"``, it never will as things are.

        detail: What is known of the cause, without anything that is secret.
    """

    kind: Literal["unreached", "unanswered", "refused", "settings"]
    detail: str


def problem_of(error: Exception) -> Problem:
    """
    What an *error* of redis-py's means.

    Whether a connection broke before or after a command was sent cannot be known of it: it is
    taken for after. What `connect` raises is ``"unreached"`` to whoever calls it.
    """
    from redis import exceptions  # there must be an error of its

    words = shown(str(error), _DETAIL_CHARACTERS)
    tls = _tls_problem_of(error)
    if tls is not None:
        return Problem("settings", tls)
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthorizationError)):
        return Problem("settings", words)
    if isinstance(error, exceptions.BusyLoadingError):
        return Problem("refused", "Redis is loading its data")
    if isinstance(error, exceptions.OutOfMemoryError):
        return Problem("refused", "Redis has reached its maxmemory")
    if isinstance(error, exceptions.ReadOnlyError):
        return Problem("refused", "Redis is a read-only replica")
    if isinstance(error, exceptions.NoPermissionError):  # its own words name the user
        return Problem("settings", "the user may not run a command that is needed")
    if isinstance(error, exceptions.MovedError):
        return Problem("settings", words)
    if isinstance(error, exceptions.ResponseError):
        first = str(error).partition(" ")[0]
        wrong = first in _WRONG or isinstance(error, exceptions.ClusterCrossSlotError)
        return Problem("settings" if wrong else "refused", words)
    if isinstance(error, (exceptions.InvalidResponse, UnicodeError)):
        return Problem("settings", "what answers there is no Redis")
    return Problem("unanswered", words or type(error).__name__)


def _tls_problem_of(error: Exception) -> str | None:
    cause = error.__cause__ or error.__context__
    # Not imported: where it is not, nothing of it was raised.
    ssl = sys.modules.get("ssl")
    if ssl is not None and isinstance(cause, ssl.SSLCertVerificationError):
        why = shown(cause.verify_message, _DETAIL_CHARACTERS).rstrip(".")
        return f"its certificate is not trusted ({why}); ssl_ca_certs=FILE in the URL says by whom"
    to_a_host = _CONNECTING_TO_A_HOST.search(str(error))
    if isinstance(cause, FileNotFoundError) and to_a_host:
        return "a file that the URL names for TLS is not there"
    return None


# What redis-py says of a socket's path has a slash, or no port, there.
_CONNECTING_TO_A_HOST = re.compile(r" connecting to [^/\s]+:\d+")

# The first words of answers that stay the same until somebody mends something.
_WRONG = frozenset({"ERR", "WRONGTYPE", "DENIED", "NOPROTO", "unknown", "DB", "Error"})
