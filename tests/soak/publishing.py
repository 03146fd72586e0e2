"""
The process that publishes in a soak of the relay, until SIGTERM, or until it is killed.

``python -m tests.soak.publishing REDIS NOTES NAME RATE``. What a replica of Redis has is
confirmed, and noted in the file NOTES: from then on it must arrive. All else is published once
more with the same sequence, as a pipeline does.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time

from cio_events._calls.call import Call
from cio_events._calls.messages import SendEmail
from cio_events._calls.people import Track
from cio_events._calls.ulid import IdSource
from cio_events._redis import entries
from cio_events._redis.connection import connect
from cio_events._redis.keys import Keys
from cio_events._wire.encode import encode

CUSTOMERS = 5

# Each so many entries there is a message.
MESSAGE_EVERY = 7

_SECONDS = 2.0
_WAIT_MILLISECONDS = 1_000


class Publishing:
    """One who publishes, with one connection at a time."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._keys = Keys()
        self._ids = IdSource()
        self._client = None

    def publish(self, calls: list[Call], sequence: int) -> bool:
        """Publish *calls*; returns whether a replica has them: if not, it is to end."""
        now = time.time_ns() // 1_000_000
        envelopes = [encode(call, self._ids.new_id(now), now, "v2") for call in calls]
        flat = entries.encode(entries.entry_of(envelopes, self._name, sequence))
        while not stop.is_set():
            try:
                self._add(flat, len(calls))
            except Exception:
                self._client = None
                stop.wait(0.05)
            else:
                return True
        return False

    def _add(self, flat: list[bytes], count: int) -> None:
        if self._client is None:
            self._client = connect(self._url, _SECONDS)
        client, keys = self._client, self._keys
        with client.pipeline() as together:
            together.execute_command("XADD", keys.stream, "*", *flat)
            together.incrby(keys.bytes, sum(map(len, flat)))
            together.hincrby(keys.counts, "entries", 1)
            together.hincrby(keys.counts, "calls", count)
            together.execute()
        # Redis 7.0 has WAIT wait for what was written before the last transaction, not for it.
        client.ping()
        # Also while there is none: soon there may be one, without this, and in Redis' place.
        if client.execute_command("WAIT", 1, _WAIT_MILLISECONDS) < 1:
            raise TimeoutError("no replica has it")


stop = threading.Event()


def main(url: str, notes: str, name: str, rate: float) -> None:
    """Publish until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    noted = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    publishing = Publishing(url, name)
    numbers = [itertools.count() for _ in range(CUSTOMERS)]
    for sequence in itertools.count(1):
        if stop.wait(1 / rate):
            return
        lines: list[str] = []
        if sequence % MESSAGE_EVERY == 0:
            to = f"{name}.{sequence}@example.com"
            calls: list[Call] = [SendEmail(to=to, identifiers=to, transactional_message_id=1)]
        else:
            who = sequence % CUSTOMERS
            names = [f"{name}.{who}.{next(numbers[who])}" for _ in range(3)]
            calls = [Track(f"{name}.{who}", one) for one in names]
            lines = [f"event {one}" for one in names]
        if not publishing.publish(calls, sequence):
            return
        lines = lines or [f"message {to}"]
        os.write(noted, "".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    url, notes, name, rate = sys.argv[1:]
    main(url, notes, name, float(rate))
