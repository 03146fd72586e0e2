"""How the harness and the sides talk to the sink; nothing that is measured goes through here."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks.lifeline import held_open

_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """
    What has come to the sink since it was reset.

    Attributes:
        events: How many, repeats included.

        requests: In how many requests.

        bytes: The bytes of their bodies, as they were sent.

        first_ns: When the first events had come, by the system's monotonic clock.

        last_ns: When the last had.
    """

    events: int
    requests: int
    bytes: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class SinkControl:
    """A running sink."""

    port: int

    @property
    def url(self) -> str:
        """Where the sides send to."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self, round_trip: float = 0.0) -> None:
        """
        Count from zero what comes from now on, answered *round_trip* seconds after it has come.
        """
        self._order(f"reset/{round_trip}")

    def hold(self) -> None:
        """Count no further request and answer none, until `release`."""
        self._order("hold")

    def release(self) -> None:
        """Go on where `hold` stopped."""
        self._order("release")

    def arrived(self) -> Arrived:
        """What has come so far."""
        return self._order("state")

    def _order(self, order: str) -> Arrived:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT)
        try:
            connection.request("POST", f"/-/{order}")
            return Arrived(**json.load(connection.getresponse()))
        finally:
            connection.close()


@contextmanager
def running_sink() -> Iterator[SinkControl]:
    """A sink in a process of its own, ended afterwards."""
    command = [sys.executable, "-m", "tests.benchmarks.sink"]
    with (
        held_open() as lifeline,
        subprocess.Popen(command, stdin=lifeline, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            yield SinkControl(int(process.stdout.readline()))
        finally:
            process.kill()
