"""Ask each relay's Redis how it is, side by side and within a time."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cio_events._destinations.redis_address import RedisAddress
from cio_events._http.loopback import bound
from cio_events._process.clock import monotonic
from cio_events._process.suppression import without_capture
from cio_events._redis import connection
from cio_events._redis.keys import Keys
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from cio_events._relay.status import Status
    from cio_events.doctor.set_up import SetUp

SECONDS = 3.0
"""What all of it may take."""

# Of more, nobody has heard; and each takes a connection.
_MOST = 8


@dataclass(slots=True)
class Reading:
    """
    What came of looking at one Redis.

    Attributes:
        set_up: The pipeline's.

        host: Where it is, as far as that may be shown.

        has_client: Whether redis-py is there.

        problem: What is wrong with the URL.

        cause: Why it could not be asked; ``""`` if it could.

        server: The server itself; None if it could not be asked.

        statuses: What waits there, by partition; empty if it could not be asked, or is too old.

        partitions: How many there are; None if it could not be asked, or nobody has said it.
    """

    set_up: SetUp
    host: str
    has_client: bool = True
    problem: str = ""
    cause: str = ""
    server: connection.Server | None = None
    statuses: Sequence[Status] = ()
    partitions: int | None = None


class Readings:
    """
    How each Redis among these pipelines' relays is.

    Args:
        set_ups: The pipelines.
    """

    def __init__(self, set_ups: Sequence[SetUp]) -> None:
        distinct: dict[tuple[str, str], SetUp] = {}
        for one in set_ups:
            if one.options.relay is not None:
                distinct.setdefault((one.options.relay, one.options.relay_prefix), one)
        self._set_ups = list(distinct.values())[:_MOST]
        self._readings: dict[int, Reading] = {}
        self._threads: list[threading.Thread] = []
        self._end = 0.0

    def __bool__(self) -> bool:
        return bool(self._set_ups)

    def begin(self) -> None:
        """Have them asked, each by a thread of its own; a look-up of a name cannot be stopped."""
        if self._threads:
            return
        self._end = monotonic() + SECONDS
        for number, one in enumerate(self._set_ups):
            if not _may_ask(one):
                continue
            thread = threading.Thread(
                target=without_capture,
                args=(self._ask, number, one),
                name="cio_events-doctor",
                daemon=True,
            )
            thread.start()
            self._threads.append(thread)

    def wait(self) -> list[Reading]:
        """Wait for the answers as long as there is time; of those that may not be asked none."""
        self.begin()
        for thread in self._threads:
            thread.join(max(0.0, self._end - monotonic()))
        return [
            self._readings.get(number) or Reading(one, _host(one), cause=_late())
            for number, one in enumerate(self._set_ups)
            if _may_ask(one)
        ]

    def _ask(self, number: int, one: SetUp) -> None:
        reading = Reading(one, _host(one))
        try:
            self._read(reading)
        except ParamError as error:
            reading.problem = error.message
        except ImportError:
            reading.has_client = False
        except Exception as error:  # noqa: BLE001 - redis-py's, the system's, OpenSSL's
            reading.cause = _cause(error)
        self._readings[number] = reading  # as a whole: it may be looked for meanwhile

    def _read(self, reading: Reading) -> None:
        with connection.imports():
            import redis  # noqa: F401 - optional, and link was imported when it was there

            from cio_events._relay import number, status
            from cio_events._relay.link import Link

        options = reading.set_up.options
        RedisAddress(options.relay or "")  # which takes less than redis-py does
        link = Link(options.relay or "", Keys(options.relay_prefix))
        try:
            with link.client() as client:
                reading.server = connection.look_at(client)
            if reading.server.version >= connection.OLDEST:
                reading.partitions = number.read(link)
                reading.statuses = status.look_at_all(link)
        finally:
            link.close()


def _may_ask(one: SetUp) -> bool:
    return not bound() or not _is_elsewhere(one)


def _host(one: SetUp) -> str:
    """Where Redis is; another host than this machine is not told."""
    return "the host of relay" if _is_elsewhere(one) else "this machine"


def _is_elsewhere(one: SetUp) -> bool:
    try:
        return RedisAddress(one.options.relay or "").outside() is not None
    except ParamError:
        return False  # it is nowhere


def _late() -> str:
    return f"no answer within {SECONDS:.0f} s"


def _cause(error: BaseException) -> str:
    """What an error means, in words of ours: its own name the host, or the user."""
    from redis import exceptions  # there is an error, so there may be one of its

    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthorizationError)):
        return "it wants another user or password"
    if isinstance(error, exceptions.NoPermissionError):
        return "its user may not ask it how it is (INFO, EVAL and what reads streams)"
    if isinstance(error, exceptions.ResponseError):
        return _of_answer(error)
    if isinstance(error, exceptions.BusyLoadingError):
        return "it is loading its data"
    if isinstance(error, (exceptions.InvalidResponse, UnicodeError)):
        return "what answers there is no Redis"
    return _of_system(error)


def _of_answer(error: Exception) -> str:
    """The kind of answer, without what the server has added to it."""
    words = str(error)
    if words.startswith("DB index"):
        return "it has no database of that number"
    kind = words.partition(" ")[0]
    return f"it answers {kind}" if kind.isascii() and kind.isupper() else "it answers an error"


def _of_system(error: BaseException) -> str:
    """What the system says, which is behind an error of redis-py's."""
    one: BaseException | None = error
    for _ in range(5):
        if one is None:
            break
        if isinstance(one, ssl.SSLError):
            return f"TLS fails ({one.reason or type(one).__name__})"
        if isinstance(one, socket.gaierror):
            return f"its name cannot be looked up ({one.strerror})"
        if isinstance(one, TimeoutError):
            return _late()
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
        one = one.__cause__ or one.__context__
    return f"it ends the connection ({type(error).__name__})"
