"""A server that plays a script, and the Track API's client of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cio_events import TrackClient
from tests.support.servers import ScriptedServer, Step

GENEROUS = 20.0


@contextmanager
def talk(*script: Step, timeout: float = 10.0) -> Iterator[tuple[ScriptedServer, TrackClient]]:
    """A server that plays *script*, and its client."""
    with (
        ScriptedServer(script) as server,
        TrackClient("a", "b", url=server.url, timeout=timeout) as client,
    ):
        client._endpoint.prepare()  # what sending needs takes its time to be imported
        yield server, client
