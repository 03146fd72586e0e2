"""One partition in Redis, as its relay reaches it: run scripts there, and tell errors apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis

from cio_events._process.diagnostics import warn
from cio_events._redis import connection, publishing
from cio_events._relay import scripts

if TYPE_CHECKING:
    from cio_events._redis.keys import Keys

GROUP = "relay"
"""The consumer group, and the one consumer in it: whoever leads goes on where another ended."""

ERRORS = (redis.RedisError, OSError)
"""What a request to Redis may raise."""

# An entry of a full batch.
_READ_BYTES = 1 << 19

# Longer than any script takes, and than a reader waits for something new.
_SECONDS = 5.0

# For replicas, well under that.
_WAIT_MILLISECONDS = 1_000


class FencedError(Exception):
    """Another relay leads the partition."""


class Link:
    """
    One partition in Redis. Several threads may use it at once.

    Attributes:
        keys: The partition's.

        era: Another object after each connection that was lost, as Redis may have come back from
            before that.

    Args:
        url: Where Redis is.

        replicas: How many must have what `run_surely` writes.
    """

    def __init__(self, url: str, keys: Keys, replicas: int = 0) -> None:
        self._url = url
        self.keys = keys
        self._replicas = replicas
        self._idle: deque[redis.Redis] = deque()
        self.era = object()

    def __repr__(self) -> str:
        return f"<Link {self.keys.partition}>"

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A connection that nobody else has meanwhile."""
        try:
            client = self._idle.pop()
        except IndexError:
            client = connection.connect(self._url, _SECONDS, _READ_BYTES)
        try:
            yield client
        except redis.exceptions.ReadOnlyError:
            # Another server leads by now, and its address may be the same.
            self.era = object()
            connection.close(client)
            self.close()
            raise
        except redis.ResponseError:
            self._idle.append(client)
            raise
        except BaseException:
            self.era = object()
            connection.close(client)
            raise
        self._idle.append(client)

    def do(self, *command: Any) -> Any:
        """
        Do one command.

        Raises:
            redis.RedisError, OSError: Redis cannot be asked, or refuses.
        """
        with self.client() as client:
            return client.execute_command(*command)

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """
        Run *script*.

        Raises:
            FencedError: Another relay leads.
            redis.RedisError, OSError: Redis cannot be asked, or refuses.
        """
        with _fenced(), self.client() as client:
            return publishing.run(client, script, keys, arguments)

    def run_surely(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> bool:
        """
        Run *script*; returns whether as many replicas have what it has written as must have it.

        Raises:
            FencedError: Another relay leads.
            redis.RedisError, OSError: Redis cannot be asked, or refuses.
        """
        with _fenced(), self.client() as client:
            publishing.run(client, script, keys, arguments)
            if not self._replicas:
                return True
            # Redis waits for the writes of this one connection.
            have = client.execute_command("WAIT", self._replicas, _WAIT_MILLISECONDS)
        if have < self._replicas:
            warn(
                "replicas",
                f"messages wait, as too few replicas of Redis have their marks: {have}, and "
                f"--replicas is {self._replicas}",
            )
        return bool(have >= self._replicas)

    def make_group(self, error: Exception, token: bytes) -> bool:
        """Make the group, if it is that which *error* misses; returns whether it was."""
        if not isinstance(error, redis.ResponseError) or "NOGROUP" not in str(error):
            return False
        try:
            self.run(scripts.GROUP, [self.keys.lease, self.keys.stream], [token, GROUP])
        except (FencedError, *ERRORS):
            return False
        return True

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            connection.close(self._idle.pop())


@contextmanager
def _fenced() -> Iterator[None]:
    """Tell apart what Redis refuses because another relay leads."""
    try:
        yield
    except redis.ResponseError as error:
        if str(error).startswith(scripts.FENCED):
            raise FencedError from None
        raise
