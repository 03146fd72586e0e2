"""
The destination of a pipeline with a relay: calls become entries of streams in Redis, in order.

Sent is what Redis has stored. What becomes of it then is for the relay to tell.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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
from cio_events._destinations.instead import instead
from cio_events._destinations.redis_address import RedisAddress
from cio_events._interrupts import bare, interrupt_behind
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import warn_once
from cio_events._redis import barriers, connection, entries, publishing, routing
from cio_events._redis.keeping import lacking
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

# Where each request waits for the disk or for replicas, it is larger; about 20 MB of usual calls.
_WAITING_ROOM = 40 * (v2.BATCH_ROOM - _SLACK)
_WAITING_ENOUGH = 65_536

# Headers are beside the bodies, in which a comma stands for each.
_SPARED = HEADER_BYTES - 1

# More partitions share the room of so many, as each request is built before it is sent.
_MOST_ROOMS = 8


@dataclass(slots=True)
class _Doubt:
    """
    A step that may have been executed.

    Attributes:
        partition: Where.

        envelopes: What it held.

        first: The first of its numbers.

        run: The server's.

        stored: By when it was, on the monotonic clock; None if it is not known to be.
    """

    partition: int
    envelopes: list[Envelope]
    first: int
    run: str
    stored: float | None = None


class _UnfitError(Exception):
    """Redis does not store a step, and has stored nothing of it; *verdict* says why."""

    def __init__(self, verdict: TryAgain | Hold) -> None:
        self.verdict = verdict


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
        self._waits = self._fsync or options.relay_replicas > 0
        self._count = options.relay_partitions
        rooms = min(self._count, _MOST_ROOMS)
        self.sharing = (
            Sharing(self.routes, _WAITING_ROOM, _SPARED, _WAITING_ENOUGH)
            if self._waits
            else Sharing(self.routes, rooms * _ROOM, _SPARED, rooms * _ENOUGH)
        )
        self._keys = Keys.each(options.relay_prefix, self._count)
        self._publisher = IdSource().new_id(time.time_ns() // 1_000_000)
        # Of all partitions together; whom they are about says little of how many there will be.
        self._bound = max(options.relay_bytes // self._count, 1)
        self._over = False
        self._known: redis.Redis | None = None  # which has the number of partitions
        self._numbers = [0] * self._count  # of the last entry in each partition
        # By partition and first call, of the batch that was delivered last.
        self._doubts: dict[tuple[int, Envelope], _Doubt] = {}
        # What this run of the server has for certain, of a batch that it does not have whole.
        self._had: tuple[str, set[Envelope]] = "", set()
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
        opened = self._open(timeout, handled)
        if isinstance(opened, (TryAgain, Hold)):
            return self._honest(opened, envelopes)
        client, server = opened
        if self._had[0] != server.run:
            self._had = server.run, set()
        had = self._had[1]
        left = [one for one in envelopes if one not in had] if had else envelopes
        steps = routing.steps(left, self._count)
        if self._is_in_doubt(steps, server):
            return self._end_in_doubt(envelopes)
        made: list[_Doubt] = []  # what may be stored of each step
        try:
            self._check_number(client)
            for step in steps:
                self._store_step(client, server, step, made)
            detail = None
            if self._waits:
                detail = lacking(
                    client,
                    server,
                    max(doubt.stored or 0.0 for doubt in made),
                    end,
                    disk=self._fsync,
                    replicas=self._options.relay_replicas,
                )
            if detail is None:
                self._doubts.clear()
                had.difference_update(envelopes)
                if self._doubted:
                    self._doubted.difference_update(envelopes)
                return Delivered(None)
            verdict: TryAgain | Hold = TryAgain("no_answer", None, detail=detail, doubt=True)
        except _UnfitError as error:
            verdict = error.verdict
            _forget_refused(made)
        except BaseException as error:
            self._address.close()
            if interrupt_behind(error, handled) is not None:
                self._note(made)
                raise
            if not isinstance(error, Exception):
                raise
            problem = connection.problem_of(error)
            if problem.kind == "unanswered":
                verdict = TryAgain("no_answer", None, detail=problem.detail, doubt=True)
            else:
                verdict = _not_taken(problem)
                _forget_refused(made)
        self._note(made)
        return self._honest(verdict, envelopes)

    def _open(
        self, timeout: float, handled: BaseException | None
    ) -> tuple[redis.Redis, connection.Server] | TryAgain | Hold:
        """A connection, or why there is none that will do."""
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
        return client, server

    def _is_in_doubt(self, steps: Sequence[routing.Step], server: connection.Server) -> bool:
        """
        Whether a message of these was perhaps stored, and delivered by now: nobody can tell.

        Only the same step in the same run of the server finds out.
        """
        for step in steps if self._doubted else ():
            earlier = self._earlier(step)
            same = earlier is not None and earlier.run == server.run
            if not same and not self._doubted.isdisjoint(step.envelopes):
                return True
        return False

    def _earlier(self, step: routing.Step) -> _Doubt | None:
        """What is known of the same step, if it was tried before."""
        doubt = self._doubts.get((step.partition, step.envelopes[0]))
        return doubt if doubt is not None and doubt.envelopes == step.envelopes else None

    def _store_step(
        self,
        client: redis.Redis,
        server: connection.Server,
        step: routing.Step,
        made: list[_Doubt],
    ) -> None:
        """
        Have Redis store one step, and add it to *made*.

        Raises:
            _UnfitError: Redis does not take it.

            Exception: Redis has not answered, or refuses.
        """
        earlier = self._earlier(step)
        first = earlier.first if earlier else self._numbers[step.partition] + 1
        same = earlier is not None and earlier.run == server.run
        doubt = _Doubt(step.partition, step.envelopes, first, server.run)
        if earlier is not None and same:
            doubt.stored = earlier.stored
        encoded = [
            entries.entry_of(part, self._publisher, number)
            for number, part in enumerate(entries.parts(step.envelopes), first)
        ]
        last = first + len(encoded) - 1
        self._numbers[step.partition] = max(last, self._numbers[step.partition])
        made.append(doubt)
        if step.barrier:
            self._bar(client, encoded[0], doubt)
        else:
            arguments = [part for entry in encoded for part in entries.encode(entry)]
            head = (2 * entries.FIELDS,)
            stored = self._run(client, publishing.PUBLISH, step.partition, (*head, *arguments))
            if stored or doubt.stored is None:
                doubt.stored = monotonic()
        if not self._waits and self._count > 1:
            self._had[1].update(step.envelopes)

    def _bar(self, client: redis.Redis, entry: entries.Entry, doubt: _Doubt) -> None:
        """Store a barrier in partition 0, and its marks in all others."""
        fields = barriers.encode_barrier(entry)
        id_ = self._run(client, publishing.BAR, 0, (entry.sequence, *fields))
        # From here on it is stored, whatever becomes of its marks: a relay makes up for those.
        doubt.stored = monotonic()
        mark = [id_, *barriers.encode_mark(id_)]
        for keys in self._keys[1:]:
            names = [keys.stream, keys.bytes, keys.counts, keys.barriers]
            publishing.run(client, publishing.PLACE, names, mark)

    def _run(
        self, client: redis.Redis, script: str, partition: int, arguments: Sequence[Any]
    ) -> Any:
        """
        Run a script that publishes in a *partition*.

        Raises:
            _UnfitError: It has stored nothing.
        """
        keys = self._keys[partition]
        names = [
            *(keys.stream, keys.bytes, keys.counts),
            *(keys.publisher(self._publisher), keys.partitions, keys.barrier(self._publisher)),
        ]
        head = (self._bound, publishing.REMEMBERED_SECONDS, self._count)
        result = publishing.run(client, script, names, (*head, *arguments))
        if result == publishing.FULL:
            raise _UnfitError(self._full(partition))
        if result == publishing.OTHER_NUMBER:
            self._known = None
            raise _UnfitError(self._other_number(client.get(self._keys[0].partitions)))
        return result

    def _check_number(self, client: redis.Redis) -> None:
        """
        See that there are as many partitions as this publisher has, once a connection.

        Of one alone the script itself sees to it.

        Raises:
            _UnfitError: There are not.
        """
        if self._count == 1 or self._known is client:
            return
        key = self._keys[0].partitions
        found = client.get(key)
        if found is None:
            client.set(key, self._count, nx=True)
            found = client.get(key)
        if found != b"%d" % self._count:
            raise _UnfitError(self._other_number(found))
        self._known = client

    def _other_number(self, found: object) -> TryAgain | Hold:
        text = found.decode("ascii", "replace") if isinstance(found, bytes) else "no"
        number, _, changing = text.partition(" ")
        if changing:
            # Soon over: nobody is to wait for as long as for somebody to change a setting.
            detail = (
                "the number of partitions in Redis is being changed; if nobody does that any "
                "more, run cio-events relay partitions once more"
            )
            return TryAgain("server_error", None, detail=detail)
        return Hold(
            None,
            "have all that publish there give the same relay_partitions, or change the number by "
            "cio-events relay partitions",
            f"the number of partitions in Redis is {number}, "
            f"and relay_partitions is {self._count}",
        )

    def _note(self, made: list[_Doubt]) -> None:
        for doubt in made:
            self._doubts[doubt.partition, doubt.envelopes[0]] = doubt
            self._doubted.update(one for one in doubt.envelopes if one[0] in Route.APP)

    def _honest(self, verdict: TryAgain | Hold, envelopes: Sequence[Envelope]) -> TryAgain | Hold:
        """*verdict*, so that nobody takes a message for unsent that may have been stored."""
        if self._doubted.isdisjoint(envelopes):
            return verdict
        if isinstance(verdict, TryAgain):
            return replace(verdict, doubt=True)
        detail = verdict.detail or verdict.advice
        return TryAgain("server_error", None, detail=detail, doubt=True)

    def _end_in_doubt(self, envelopes: Sequence[Envelope]) -> Verdict:
        if len(envelopes) > 1:
            return Split()
        self._doubted.difference_update(envelopes)
        return Refused(
            "ambiguous", None, "Redis was started anew, or is another, before it had answered"
        )

    def _full(self, partition: int) -> TryAgain:
        where = f" in partition {partition}" if self._count > 1 else ""
        detail = (
            f"{self._bound} bytes wait there for a relay{where}, as many as relay_bytes allows"
        )
        return TryAgain("server_error", None, detail=detail)

    def _deliver_instead(self, batch: Batch, timeout: float) -> Verdict:
        """Deliver to what stands in for all destinations, which takes calls by their kinds."""
        envelopes = batch.envelopes
        if len(list(entries.parts(envelopes))) > 1:
            return Split()
        track, app = self._stand_ins
        return (app if envelopes[0][0] in app.routes else track).deliver(batch, timeout)


def _forget_refused(made: list[_Doubt]) -> None:
    """The last was not stored this time; whatever is known of an earlier one holds."""
    if made and made[-1].stored is None:
        made.pop()


def _not_taken(
    problem: connection.Problem, reason: RetryReason = "server_error"
) -> TryAgain | Hold:
    """What a *problem* means after which nothing is stored."""
    if problem.kind == "settings":
        return Hold(None, _ADVICE, problem.detail)
    reason = "server_error" if problem.kind == "refused" else reason
    return TryAgain(reason, None, detail=problem.detail)


_ADVICE = "look at the option relay (URL, user, password, and what that user may do)"
