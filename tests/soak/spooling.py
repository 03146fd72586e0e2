"""
The process that publishes by a pipeline with a spool in a soak of the relay.

``python -m tests.soak.spooling REDIS NOTES NAME RATE SPOOL``, until SIGTERM, or it is killed.
What the pipeline has accepted is noted in the file NOTES, with the server that stood in Redis'
place then. It is confirmed, and noted once more, when the pipeline says that nothing is pending
and a replica of that same server has all: from then on it must arrive. What one who was killed has
left in the spool the next one confirms.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from cio_events import Pipeline, SendEmail, Track
from cio_events._calls.call import Call
from cio_events._redis import connection
from tests.soak.publishing import CUSTOMERS, MESSAGE_EVERY

_ACCEPTED = "accepted"

# So many rounds of calls are confirmed together.
_TOGETHER = 10

_SECONDS = 2.0
_WAIT_MILLISECONDS = 1_000

# For what is pending in the end.
_CLOSE_SECONDS = 60.0


class Spooling:
    """One who hands calls to a pipeline, and notes what becomes of them."""

    def __init__(self, url: str, notes: Path, spool: str) -> None:
        self._url = url
        self._place = Path(url.removeprefix("unix://"))
        # By what is noted of a call, the server; a predecessor's first.
        self._unconfirmed = _unconfirmed(notes)
        self._noted = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.pipeline = Pipeline(
            relay=url,
            spool=spool,
            timeout=_SECONDS,
            flush_interval=0.05,
            retry_base=0.05,
            retry_cap=0.2,
            hold_interval=0.2,
        )

    def hand_over(self, call: Call, line: str) -> None:
        """Have the pipeline accept *call*."""
        server = self._server()
        if self.pipeline.send(call):
            self._unconfirmed[line] = server
            self._note([f"{_ACCEPTED} {server} {line}"])

    def confirm(self) -> bool:
        """Note what is certain to arrive by now, and forget the rest; returns whether it did."""
        if not (self.pipeline.flush(_SECONDS) and self._is_replicated()):
            return False
        # What was accepted under another may have been stored by that one alone.
        server = self._server()
        given_up = {f"message {to}" for to in _recipients_of_failures(self.pipeline)}
        certain = [line for line, where in self._unconfirmed.items() if where == server]
        self._note([line for line in certain if line not in given_up])
        self._unconfirmed.clear()
        return True

    def _server(self) -> str:
        return str(self._place.readlink())

    def _is_replicated(self) -> bool:
        """Whether a replica has all that was written before."""
        with suppress(Exception):
            client = connection.connect(self._url, _SECONDS)
            try:
                client.set("soak", self._noted)
                return bool(client.execute_command("WAIT", 1, _WAIT_MILLISECONDS) >= 1)
            finally:
                connection.close(client)
        return False

    def _note(self, lines: list[str]) -> None:
        os.write(self._noted, "".join(f"{line}\n" for line in lines).encode())


def _unconfirmed(notes: Path) -> dict[str, str]:
    """What one who was killed has noted as accepted, and not as confirmed."""
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    confirmed, found = set(lines), {}
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == _ACCEPTED:
            server, _, what = rest.partition(" ")
            found[what] = server
    return {what: server for what, server in found.items() if what not in confirmed}


def _recipients_of_failures(pipeline: Pipeline) -> set[str]:
    calls = [letter.call for letter in pipeline.failures()]
    return {call.to for call in calls if isinstance(call, SendEmail) and call.to}


def main(url: str, notes: str, name: str, rate: float, spool: str) -> None:
    """Publish until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # What the package has to say of each outage is of no use here.
    logging.getLogger("cio_events").addHandler(logging.NullHandler())
    logging.getLogger("cio_events").propagate = False
    spooling = Spooling(url, Path(notes), spool)
    numbers = [itertools.count() for _ in range(CUSTOMERS)]
    for sequence in itertools.count(1):
        if stop.wait(1 / rate):
            break
        if sequence % MESSAGE_EVERY == 0:
            to = f"{name}.{sequence}@example.com"
            message = SendEmail(to=to, identifiers=to, transactional_message_id=1)
            spooling.hand_over(message, f"message {to}")
        else:
            who = sequence % CUSTOMERS
            for _ in range(3):
                event = f"{name}.{who}.{next(numbers[who])}"
                spooling.hand_over(Track(f"{name}.{who}", event), f"event {event}")
        if sequence % _TOGETHER == 0:
            spooling.confirm()
    for _ in range(10):
        if spooling.confirm():
            break
    spooling.pipeline.close(_CLOSE_SECONDS)


if __name__ == "__main__":
    url, notes, name, rate, spool = sys.argv[1:]
    main(url, notes, name, float(rate), spool)
