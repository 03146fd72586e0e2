"""A relay: all partitions of one Redis, each led by this process or by another."""

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

    Attributes:
        partitions: All of them.

    Args:
        url: Where Redis is.

        prefix: How the keys begin.

        partitions: How many there are.

        options: How to deliver.

        destinations: Where to.

        lease: How long a lease lasts, in seconds.

        tell: Told of who leads.
    """

    def __init__(
        self,
        url: str,
        options: Options,
        destinations: Sequence[Destination],
        *,
        prefix: str,
        partitions: int = 1,
        lease: float = SECONDS,
        tell: Callable[[str], None],
    ) -> None:
        diagnostics = Diagnostics(often=options.debug)
        self._destinations = destinations
        self._links = [Link(url, Keys(prefix, number)) for number in range(partitions)]
        self.partitions = [
            Partition(link, options, destinations, lease, diagnostics, tell)
            for link in self._links
        ]

    def check(self) -> None:
        """
        Look at the server, before anything else.

        One that cannot be asked may come back, and a relay waits for it.

        Raises:
            ParamError: It is too old, or the URL is none.
        """
        try:
            with self._links[0].client() as client:
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
        for partition in self.partitions:
            partition.start()

    def status(self) -> list[Status]:
        """
        How the partitions are.

        Raises:
            redis.RedisError, OSError: Redis cannot be asked.
        """
        return [look(link) for link in self._links]

    def stop(self) -> None:
        """End after the requests under way, and let others lead."""
        for partition in self.partitions:
            partition.stop()
        for partition in self.partitions:
            partition.join()
        for link in self._links:
            link.close()
