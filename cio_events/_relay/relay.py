"""A relay: what lies in one Redis, delivered by this process or by others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cio_events._process.diagnostics import Diagnostics, say
from cio_events._redis.connection import OLDEST, look_at, problem_of
from cio_events._redis.keys import Keys
from cio_events._relay import number
from cio_events._relay.fleet import Fleet
from cio_events._relay.lease import SECONDS, own_name
from cio_events._relay.link import ERRORS, Link
from cio_events._relay.partition import Partition, Share
from cio_events._relay.status import Status, look_at_all
from cio_events._relay.threads import thread
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from cio_events._delivery.destination import Destination
    from cio_events.options import Options


class Relay:
    """
    Delivers what lies in Redis: of each partition, as long as no other relay does.

    Args:
        url: Where Redis is.

        prefix: How the keys begin.

        options: How to deliver.

        destinations: Where to.

        lease: How long a lease lasts, in seconds.

        replicas: How many replicas of Redis must have a message's mark before it is sent.

        partitions: How many there are to be; None is as many as Redis says.

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
        partitions: int | None = None,
        tell: Callable[[str], None],
    ) -> None:
        self._url = url
        self._options = options
        self._destinations = destinations
        self._lease = lease
        self._replicas = replicas
        self._wanted = partitions
        self._tell = tell
        self._diagnostics = Diagnostics(often=options.debug)
        self._link = Link(url, Keys(prefix), replicas)
        self._share = Share()
        self._partitions: list[Partition] = []
        self._links: list[Link] = []
        self._fleet = Fleet(self._link, own_name(), lease)
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = thread("cio_events-partitions", self._run, self._die)

    def check(self) -> None:
        """
        Look at the server, before anything else.

        One that cannot be asked may come back, and a relay waits for it.

        Raises:
            ParamError: It is too old, the URL is none, or there is another number of partitions.
        """
        try:
            with self._link.client() as client:
                server = look_at(client)
            if server.version >= OLDEST and self._wanted is not None:
                number.claim(self._link, self._wanted)
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
        self._thread.start()

    def status(self) -> list[Status]:
        """
        How the partitions are.

        Raises:
            redis.RedisError, OSError: Redis cannot be asked.
        """
        return look_at_all(self._link)

    @property
    def failure(self) -> BaseException | None:
        """By what one of its threads has died; it delivers nothing then, and is to be stopped."""
        failures = (one.failure for one in tuple(self._partitions))
        return self._failure or next(filter(None, failures), None)

    def stop(self) -> None:
        """End after the requests under way, and let others lead."""
        self._stopping.set()
        for one in tuple(self._partitions):
            one.stop()
        self._thread.join()
        with suppress(*ERRORS):
            self._fleet.leave()
        self._failure = self.failure
        self._keep(0)
        self._link.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            count = self._number()
            # Nobody has published yet, or Redis is away: the first there is in any case.
            count = count or max(len(self._partitions), 1)
            self._divide(count)
            self._keep(count)
            self._stopping.wait(self._fleet.interval)

    def _divide(self, count: int) -> None:
        """Lead no more than is this relay's part, while others are there for the rest."""
        try:
            self._share.most = -(-count // self._fleet.tell())
        except ERRORS:
            return
        spare = sum(one.leads for one in self._partitions) - self._share.most
        for one in self._partitions:
            if spare > 0 and one.hand_over():
                spare -= 1

    def _number(self) -> int | None:
        try:
            if self._wanted is not None:
                number.claim(self._link, self._wanted)
            return number.read(self._link)
        except ERRORS:
            return None  # each partition has its own to say of that

    def _keep(self, count: int) -> None:
        """Lead that many partitions, or stand by for them."""
        self._share.partitions = max(count, 1)
        for partition in range(len(self._partitions), count):
            keys = Keys(self._link.keys.prefix, partition)
            link = Link(self._url, keys, self._replicas)
            one = Partition(
                link,
                self._options,
                self._destinations,
                self._lease,
                self._diagnostics,
                self._share,
                self._tell,
            )
            self._links.append(link)
            self._partitions.append(one)
            one.start()
        ending = self._partitions[count:]
        for one in ending:
            one.stop()
        for one in ending:
            one.join()
        for link in self._links[count:]:
            link.close()
        del self._partitions[count:], self._links[count:]

    def _die(self, error: BaseException) -> None:
        self._failure = error
