"""A relay: what lies in one Redis, delivered by this process or by another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cio_events._process.diagnostics import Diagnostics, say
from cio_events._redis.connection import OLDEST, look_at, problem_of
from cio_events._redis.keys import Keys
from cio_events._relay.lease import SECONDS
from cio_events._relay.link import ERRORS, Link
from cio_events._relay.partition import Partition
from cio_events._relay.status import Status, look
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from cio_events._delivery.destination import Destination
    from cio_events.options import Options


class Relay:
    """
    Delivers what lies in Redis, as long as no other relay does.

    Args:
        url: Where Redis is.

        prefix: How the keys begin.

        options: How to deliver.

        destinations: Where to.

        lease: How long a lease lasts, in seconds.

        replicas: How many replicas of Redis must have a message's mark before it is sent.

        tell: Told of who leads.
    """

    def __init__(
        self,
        url: str,
        options: Options,
        destinations: Sequence[Destination],
        *,
        prefix: str,
        lease: float = SECONDS,
        replicas: int = 0,
        tell: Callable[[str], None],
    ) -> None:
        diagnostics = Diagnostics(often=options.debug)
        self._destinations = destinations
        self._link = Link(url, Keys(prefix), replicas)
        self._partition = Partition(self._link, options, destinations, lease, diagnostics, tell)

    def check(self) -> None:
        """
        Look at the server, before anything else.

        One that cannot be asked may come back, and a relay waits for it.

        Raises:
            ParamError: It is too old, or the URL is none.
        """
        try:
            with self._link.client() as client:
                server = look_at(client)
        except ERRORS as error:
            say(f"Redis cannot be asked yet: {problem_of(error).detail}")
            return
        if server.version < OLDEST:
            wanted, found = (".".join(map(str, each)) for each in (OLDEST, server.version))
            raise ParamError("relay", f"must be Redis {wanted} or later, and is {found}")

    def start(self) -> None:
        """Begin to lead, or to stand by."""
        # Now, and not when the first call waits for it.
        for destination in self._destinations:
            destination.prepare()
        self._partition.start()

    def status(self) -> list[Status]:
        """
        How the partitions are: the one that there is.

        Raises:
            redis.RedisError, OSError: Redis cannot be asked.
        """
        return [look(self._link)]

    @property
    def failure(self) -> BaseException | None:
        """By what one of its threads has died; it delivers nothing then, and is to be stopped."""
        return self._partition.failure

    def stop(self) -> None:
        """End after the requests under way, and let another lead."""
        self._partition.stop()
        self._partition.join()
        self._link.close()
