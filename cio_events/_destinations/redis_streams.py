"""
The destination of a pipeline with a relay: calls become entries of a stream in Redis, in order.

Sent is what Redis has stored. What becomes of it then is for the relay to tell.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cio_events._calls.ulid import IdSource
from cio_events._delivery.destination import (
    Batch,
    Delivered,
    Hold,
    Refused,
    Sharing,
    Split,
    TryAgain,
    Verdict,
)
from cio_events._destinations.customerio import AppAPI, TrackAPI
from cio_events._destinations.endpoints import instead
from cio_events._destinations.redis_address import RedisAddress
from cio_events._interrupts import bare, interrupt_behind
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import warn_once
from cio_events._redis import connection, entries
from cio_events._redis.keys import Keys
from cio_events._wire import batch as v2
from cio_events._wire import encode
from cio_events._wire.envelope import HEADER_BYTES, Envelope, Route
from cio_events.errors import ParamError
from cio_events.options import Options
from cio_events.signals import RetryReason

if TYPE_CHECKING:
    import redis

# How much of a body stays free, as the next call would be too large for what is left.
_SLACK = 1_000

# Four bodies a request: what takes more than its way there is then worth it.
_ROOM = 4 * (v2.BATCH_ROOM - _SLACK)
_ENOUGH = 8_192

# Where each request waits for the disk, it is larger; about 20 MB of usual calls.
_FSYNC_ROOM = 40 * (v2.BATCH_ROOM - _SLACK)
_FSYNC_ENOUGH = 65_536

# Headers are beside the bodies, in which a comma stands for each.
_SPARED = HEADER_BYTES - 1

# By then a Redis has written to its disk what it has answered (``appendfsync everysec``).
_WRITTEN_SECONDS = 2.0

# From this version on it tells when it has.
_TELLS = (7, 2)

# How long Redis remembers the last number of a publisher, so that nothing is stored twice whose
# answer was lost. After a longer outage the relay, which remembers too, skips what is double.
_REMEMBERED_SECONDS = 3_600

PUBLISH = """#!lua
-- KEYS: the stream, its bytes, its counts, the publisher.
-- ARGV: the bound in bytes, seconds to remember the publisher, how many arguments an entry has,
-- and the entries: each a name and a value in turn, the fourth the number, the sixth the count.
local width, had = tonumber(ARGV[3]), tonumber(redis.call('GET', KEYS[4]) or '0')
local last = tonumber(ARGV[#ARGV - width + 8])
if last <= had then
  -- Written, so that WAITAOF waits for this and what was stored before it.
  redis.call('EXPIRE', KEYS[4], ARGV[2])
  return 0
end
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[1]) then
  return -1
end
local stored, calls, bytes = 0, 0, 0
for at = 4, #ARGV, width do
  if tonumber(ARGV[at + 7]) > had then
    redis.call('XADD', KEYS[1], '*', unpack(ARGV, at, at + width - 1))
    stored, calls = stored + 1, calls + tonumber(ARGV[at + 11])
    for place = at, at + width - 1 do
      bytes = bytes + #ARGV[place]
    end
  end
end
redis.call('INCRBY', KEYS[2], bytes)
redis.call('HINCRBY', KEYS[3], 'entries', stored)
redis.call('HINCRBY', KEYS[3], 'calls', calls)
redis.call('SET', KEYS[4], last, 'EX', ARGV[2])
return stored
"""
"""
Stores entries, all of them or none; what a lost answer has stored before is not stored again.

Without ``allow-oom``, so that a full Redis refuses it before it has written anything.
"""

_SHA = hashlib.sha1(PUBLISH.encode(), usedforsecurity=False).hexdigest()

_FULL = -1


@dataclass(slots=True)
class _Doubt:
    """
    A request that may have been executed.

    Attributes:
        envelopes: What it held.

        first: The first of its numbers.

        run: The server's.

        stored: By when it was, on the monotonic clock; None if it is not known to be.
    """

    envelopes: list[Envelope]
    first: int
    run: str
    stored: float | None


class RedisStreams:
    """
    A relay's Redis.

    One thread at a time delivers, unlike to other destinations: all calls share requests and none
    is ever suspected, so that the engine has no two under way. Nothing here is guarded.

    Args:
        address: Where it is.

        options: The pipeline's.
    """

    name = "the relay's Redis"
    routes: bytes = Route.BATCH + Route.SINGLE + Route.APP
    at_most_once = True

    def __init__(self, address: RedisAddress, options: Options) -> None:
        self._address = address
        self._options = options
        self._fsync = options.relay_ack == "fsync"
        self.sharing = (
            Sharing(self.routes, _FSYNC_ROOM, _SPARED, _FSYNC_ENOUGH)
            if self._fsync
            else Sharing(self.routes, _ROOM, _SPARED, _ENOUGH)
        )
        keys = Keys(options.relay_prefix)
        self._publisher = IdSource().new_id(time.time_ns() // 1_000_000)
        self._keys = keys.stream, keys.bytes, keys.counts, keys.publisher(self._publisher)
        self._over = False
        self._number = 0  # of the last entry
        self._doubt: _Doubt | None = None
        self._doubted: set[Envelope] = set()  # messages that may have been stored
        self._stand_ins = TrackAPI(None, options), AppAPI(None, options)

    @property
    def ready(self) -> bool:
        """Whether it may be asked, or what stands in for it."""
        return not self._over

    def give_up(self) -> None:
        """Send nothing more: calls of one test must not come to another's workspace."""
        self._over = True
        for stand_in in self._stand_ins:
            stand_in.give_up()

    def prepare(self) -> None:
        """Import what sending needs."""
        with connection.imports():
            import redis  # noqa: F401 - its first use may come too late to import it

    def concerns(self, envelope: Envelope) -> tuple[str, ...]:
        """Whom and what a call is about."""
        return encode.customers_of(envelope)

    def deliver(self, batch: Batch, timeout: float) -> Verdict:
        """Have Redis store *batch*, and judge the answer."""
        if instead.track is not None:
            return self._deliver_instead(batch, timeout)
        handled = sys.exc_info()[1]
        try:
            return self._store(batch.envelopes, timeout, handled)
        except BaseException as error:
            interrupt = interrupt_behind(error, handled)
            if interrupt is None:
                raise
        # Without the frames of redis-py, which hold the password.
        raise bare(interrupt)

    def _store(
        self, envelopes: Sequence[Envelope], timeout: float, handled: BaseException | None
    ) -> Verdict:
        end = monotonic() + timeout
        try:
            client, server = self._address.open(timeout)
        except ParamError as error:
            return Hold(None, f"look at the option relay, which {error.message}")
        except Exception as error:  # redis-py's, the system's, OpenSSL's
            if interrupt_behind(error, handled) is not None:
                raise
            return _not_taken(connection.problem_of(error), "no_connection")
        if server.version < connection.OLDEST:
            self._address.close()
            return Hold(None, "a relay needs Redis 7.0 or later, or Valkey")
        connection.warn_of_eviction(server)
        if self._fsync and not server.durable:
            warn_once(
                "appendonly",
                'Redis writes nothing to its disk (appendonly is "no"), so that relay_ack="fsync" '
                "keeps nothing from getting lost",
            )
        doubt = self._doubt
        again = doubt is not None and doubt.envelopes == envelopes
        same = again and doubt and doubt.run == server.run
        if not same and self._doubted and not self._doubted.isdisjoint(envelopes):
            # Whether it was stored, and delivered by now, is not to be found out any more.
            return self._end_in_doubt(envelopes)
        first = doubt.first if again and doubt else self._number + 1
        arguments: list[bytes] = []
        number = first - 1
        for part in entries.parts(envelopes):
            number += 1
            arguments += entries.encode(entries.entry_of(part, self._publisher, number))
        self._number = max(number, self._number)
        count: int | None = None
        stored = doubt.stored if same and doubt else None
        try:
            count = self._run(client, arguments)
            if count == _FULL:
                return self._full()
            if count or stored is None:
                stored = monotonic()
            if not self._fsync or _is_written(client, server, stored, end):
                self._doubt = None
                if self._doubted:
                    self._doubted.difference_update(envelopes)
                return Delivered(None)
            detail = "Redis has not written it to its disk yet"
        except BaseException as error:
            self._address.close()
            if interrupt_behind(error, handled) is not None:
                self._note_doubt(_Doubt(list(envelopes), first, server.run, stored))
                raise
            if not isinstance(error, Exception):
                raise
            problem = connection.problem_of(error)
            # Refused, it was not stored this time; whatever is known of an earlier one holds.
            if count is None and problem.kind != "unanswered":
                return _not_taken(problem)
            detail = problem.detail
        self._note_doubt(_Doubt(list(envelopes), first, server.run, stored))
        return TryAgain("no_answer", None, detail=detail, doubt=True)

    def _note_doubt(self, doubt: _Doubt) -> None:
        self._doubt = doubt
        self._doubted.update(one for one in doubt.envelopes if one[0] in Route.APP)

    def _run(self, client: object, arguments: list[bytes]) -> int:
        from redis.exceptions import NoScriptError  # it is there, as there is a connection

        head = (*self._keys, self._options.relay_bytes, _REMEMBERED_SECONDS, 2 * entries.FIELDS)
        execute = client.execute_command  # type: ignore[attr-defined]
        try:
            return int(execute("EVALSHA", _SHA, len(self._keys), *head, *arguments))
        except NoScriptError:
            return int(execute("EVAL", PUBLISH, len(self._keys), *head, *arguments))

    def _end_in_doubt(self, envelopes: Sequence[Envelope]) -> Verdict:
        if len(envelopes) > 1:
            return Split()
        self._doubted.difference_update(envelopes)
        return Refused(
            "ambiguous", None, "Redis was started anew, or is another, before it had answered"
        )

    def _full(self) -> TryAgain:
        limit = self._options.relay_bytes
        detail = f"{limit} bytes wait there for a relay, as many as relay_bytes allows"
        return TryAgain("server_error", None, detail=detail)

    def _deliver_instead(self, batch: Batch, timeout: float) -> Verdict:
        """Deliver to what stands in for all destinations, which takes calls by their kinds."""
        envelopes = batch.envelopes
        if len(list(entries.parts(envelopes))) > 1:
            return Split()
        track, app = self._stand_ins
        return (app if envelopes[0][0] in app.routes else track).deliver(batch, timeout)


def _is_written(client: redis.Redis, server: connection.Server, stored: float, end: float) -> bool:
    """
    Wait until what was *stored* by then lies on Redis' disk; returns False if it is not by *end*.

    Raises:
        Exception: Redis does not answer.
    """
    left = max(end - monotonic(), 0.001)
    if server.version >= _TELLS and server.durable:
        # Less than the socket waits.
        milliseconds = max(int(left * 900), 1)
        local, _ = client.execute_command("WAITAOF", 1, 0, milliseconds)  # type: ignore[no-untyped-call]
        return bool(local >= 1)
    needed = max(stored + _WRITTEN_SECONDS - monotonic(), 0.0)
    time.sleep(min(needed, left))
    # A connection does not outlive the run of a server that it leads to.
    client.execute_command("PING")  # type: ignore[no-untyped-call]
    return needed <= left


def _not_taken(
    problem: connection.Problem, reason: RetryReason = "server_error"
) -> TryAgain | Hold:
    """What a *problem* means after which nothing is stored."""
    if problem.kind == "settings":
        return Hold(None, _ADVICE, problem.detail)
    reason = "server_error" if problem.kind == "refused" else reason
    return TryAgain(reason, None, detail=problem.detail)


_ADVICE = "look at the option relay (URL, user, password, and what that user may do)"
