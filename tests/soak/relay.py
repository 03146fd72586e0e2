"""
The soak of the relay: rounds in each of which something goes wrong, under load.

``python -m tests.soak --relay --rounds 100``. Three relays, two publishers, one of which is
a pipeline with a spool, and a Redis with a replica: a leader is killed, frozen beyond its lease
and woken, or stopped; Redis is killed and started again, full, or breaks all connections; the
replica is promoted; a publisher is killed. With ``--partitions 3`` both publish to three, merges
too, before and behind which each event has its side.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cio_events._calls.messages import SendEmail
from cio_events._redis.keys import Keys
from cio_events._relay import number
from cio_events._relay.dead import DeadLetters
from cio_events._relay.link import Link
from cio_events._relay.status import Total, look_at_all, total
from cio_events.sandbox import Sandbox
from tests.soak import sides
from tests.support.redis_server import RedisServer
from tests.support.relays import RelayProcess

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LEASE = 1.5
_RELAYS = 3
_PAUSE_SECONDS = 1.0
_END_SECONDS = 120.0


@dataclass
class Soaked:
    """
    What was seen.

    Attributes:
        faults: How often each thing went wrong.

        events: What was confirmed, in no order: a replica of Redis had it.

        messages: To whom the messages go that were confirmed.

        arrived: The events that Customer.io has, in the order of their arrival, each once.

        requests: How many requests there were.

        sent_to: To whom messages went.

        ambiguous: To whom messages go of which nobody knows whether they arrived.

        merges: What was noted of each merge.

        wrong_side: Events that came on the wrong side of one.

        merged: How many merges came.

        lost_merges: Those that were confirmed and did not.

        end: How the partitions were in the end, added up.

        generations: How often somebody began to lead.
    """

    faults: Counter[str] = field(default_factory=Counter)
    events: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    arrived: list[str] = field(default_factory=list)
    requests: int = 0
    sent_to: Counter[str] = field(default_factory=Counter)
    ambiguous: set[str] = field(default_factory=set)
    merges: set[str] = field(default_factory=set)
    wrong_side: list[str] = field(default_factory=list)
    merged: int = 0
    lost_merges: set[str] = field(default_factory=set)
    end: Total | None = None
    generations: int = 0

    @property
    def lost(self) -> set[str]:
        """What was confirmed, and neither arrived nor is told to be ambiguous."""
        unsent = self.messages - set(self.sent_to) - self.ambiguous
        return (self.events - set(self.arrived)) | unsent | self.lost_merges

    @property
    def disordered(self) -> list[str]:
        """Events that arrived after a later one of the same customer."""
        latest: dict[str, int] = {}
        found = []
        for name in self.arrived:
            who, _, number = name.rpartition(".")
            if int(number) < latest.get(who, -1):
                found.append(name)
            latest[who] = max(int(number), latest.get(who, -1))
        return found

    @property
    def twice(self) -> int:
        """Events that Customer.io has twice, though it knows them by their ids."""
        return len(self.arrived) - len(set(self.arrived))

    @property
    def balanced(self) -> bool:
        """Whether both ledgers meet, with nothing left."""
        end = self.end
        return end is not None and end.balanced and not (end.pending or end.unread or end.entries)

    @property
    def sent_twice(self) -> list[str]:
        """To whom a message went more than once."""
        return [to for to, count in self.sent_to.items() if count > 1]

    def verdicts(self) -> dict[str, bool]:
        """What is asked of it, and whether it holds."""
        return {
            "nothing that was confirmed is lost": not self.lost,
            "nothing was taken twice, by its id": not self.twice,
            "each customer's events are in order": not self.disordered,
            "no event came on the wrong side of a merge": not self.wrong_side,
            "no message was sent twice": not self.sent_twice,
            "the ledgers meet, and nothing is left": self.balanced,
        }

    def problems(self) -> list[str]:
        """What speaks against it, a line each; where there is much of a kind, ten of it."""
        kinds = {
            "lost": sorted(self.lost),
            "out of order": self.disordered,
            "sent twice": self.sent_twice,
            "on the wrong side": self.wrong_side,
        }
        return [f"{kind}: {name}" for kind, names in kinds.items() for name in names[:10]]

    def against(self) -> str:
        """All that speaks against it, for who has nothing but this text."""
        failed = [verdict for verdict, holds in self.verdicts().items() if not holds]
        return "\n".join([*failed, *self.problems(), str(self.end)])


class Place:
    """
    Redis with a replica, at an address that stays the same when the replica is promoted.

    Attributes:
        url: The address.

        server: The one that is there now.
    """

    def __init__(self, directory: Path) -> None:
        self._link = directory / "redis"
        self.url = f"unix://{self._link}"
        self.server = self._made()
        self.replica = self._made()
        self._follow()

    @staticmethod
    def _made() -> RedisServer:
        # Long enough for a replica to be promoted that does not have all yet.
        return RedisServer(
            tcp=True, appendonly="yes", appendfsync="always", repl_diskless_sync_delay=1
        )

    def _follow(self) -> None:
        new = self._link.with_suffix(".new")
        new.symlink_to(self.server.path)
        new.rename(self._link)
        self.replica.do("REPLICAOF", "127.0.0.1", self.server.port)
        self._until(self._replica_is_up)

    def _replica_is_up(self) -> bool:
        return self.replica.client.info("replication").get("master_link_status") == "up"

    @staticmethod
    def _until(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _END_SECONDS
        while not condition() and time.monotonic() < end:
            time.sleep(0.02)

    def promote(self) -> None:
        """Kill the server and have its replica in its place, and a new one behind that."""
        self.server.__exit__()
        self.server, self.replica = self.replica, self.server
        self.server.do("REPLICAOF", "NO", "ONE")
        self.replica = self._made()
        self._follow()

    def close(self) -> None:
        """End both."""
        for each in (self.server, self.replica):
            each.__exit__()


class Fleet:
    """The relays and publishers of a soak, and what goes wrong with them."""

    def __init__(
        self, directory: Path, sandbox: Sandbox, rate: float, seed: int, partitions: int
    ) -> None:
        self._directory = directory
        self._sandbox = sandbox
        self._rate = rate
        self._dice = random.Random(seed)
        self._log = (directory / "relays.log").open("w")
        self.place = Place(directory)
        self.link = Link(self.place.url, Keys())
        self.keys = Keys.each(Keys().prefix, partitions)
        number.claim(self.link, partitions)
        self.relays = [self._relay() for _ in range(_RELAYS)]
        self._lives = 0
        self._kinds = (
            [self._publishes_itself, self._publishes_by_a_pipeline]
            if partitions == 1
            else [self._publishes_from_memory, self._publishes_from_a_spool]
        )
        self.publishers = [begin() for begin in self._kinds]
        self.faults: dict[str, Callable[[], None]] = {
            "leader killed": self._kill_leader,
            "leader frozen and woken": self._freeze_leader,
            "leader stopped": self._stop_leader,
            "redis killed and started": self._restart_redis,
            "redis full": self._fill_redis,
            "connections cut": self._cut,
            "replica promoted": self.place.promote,
            "publisher killed": self._kill_publisher,
        }

    def _relay(self) -> RelayProcess:
        settings = ("--lease", LEASE, "--replicas", 1)
        return RelayProcess(self.place.url, self._sandbox.url, *settings, log=self._log)

    def _publishes_itself(self) -> subprocess.Popen[bytes]:
        return self._publisher("publishing")

    def _publishes_by_a_pipeline(self) -> subprocess.Popen[bytes]:
        return self._publisher("spooling", str(self._directory / "spool"))

    def _publishes_from_memory(self) -> subprocess.Popen[bytes]:
        return self._publisher("parted", str(len(self.keys)))

    def _publishes_from_a_spool(self) -> subprocess.Popen[bytes]:
        return self._publisher("parted", str(len(self.keys)), str(self._directory / "spool"))

    def _publisher(self, module: str, *more: str) -> subprocess.Popen[bytes]:
        self._lives += 1
        notes = self._directory / f"{module}.notes"
        arguments = [self.place.url, str(notes), f"life{self._lives}", str(self._rate), *more]
        return subprocess.Popen([sys.executable, "-m", f"tests.soak.{module}", *arguments])

    def noted(self, kind: str) -> set[str]:
        """What was confirmed so far of that *kind*."""
        return {
            line.removeprefix(f"{kind} ")
            for path in self._directory.glob("*.notes")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith(f"{kind} ")
        }

    def _leader(self) -> RelayProcess | None:
        end = time.monotonic() + 5 * LEASE
        lease = self._dice.choice(self.keys).lease
        while time.monotonic() < end:
            token = self.place.server.do("GET", lease)
            pid = token.split(b":")[-2] if token else b""
            for one in self.relays:
                if str(one.process.pid).encode() == pid and not one.frozen:
                    return one
            time.sleep(0.05)
        return None

    def _kill_leader(self) -> None:
        leader = self._leader()
        if leader is not None:
            leader.kill()
            self.relays[self.relays.index(leader)] = self._relay()

    def _stop_leader(self) -> None:
        leader = self._leader()
        if leader is not None:
            leader.stop()
            self.relays[self.relays.index(leader)] = self._relay()

    def _freeze_leader(self) -> None:
        leader = self._leader()
        if leader is not None:
            leader.freeze()
            time.sleep(LEASE * self._dice.uniform(0.5, 2.5))
            leader.thaw()

    def _restart_redis(self) -> None:
        self.place.server.kill()
        time.sleep(self._dice.uniform(0.0, 2 * LEASE))
        self.place.server.start()

    def _fill_redis(self) -> None:
        self.place.server.do("CONFIG", "SET", "maxmemory", "1mb")
        time.sleep(self._dice.uniform(0.2, LEASE))
        self.place.server.do("CONFIG", "SET", "maxmemory", "0")

    def _cut(self) -> None:
        for kind in ("normal", "pubsub"):
            with suppress(Exception):
                self.place.server.do("CLIENT", "KILL", "TYPE", kind)

    def _kill_publisher(self) -> None:
        place = self._dice.randrange(len(self.publishers))
        self.publishers[place].kill()
        self.publishers[place].wait()
        self.publishers[place] = self._kinds[place]()

    def end(self) -> Total | None:
        """Have the publishers end, and wait until nothing is left; None if Redis says nothing."""
        for publisher in self.publishers:
            publisher.send_signal(signal.SIGTERM)
        for publisher in self.publishers:
            publisher.wait(_END_SECONDS)
        end = time.monotonic() + _END_SECONDS
        status = None
        while (status is None or status.entries or status.pending) and time.monotonic() < end:
            time.sleep(0.1)
            with suppress(Exception):
                status = total(look_at_all(self.link))
        return status

    def close(self) -> None:
        """End all of them."""
        for publisher in self.publishers:
            publisher.kill()
            publisher.wait()
        for one in self.relays:
            one.kill()
        self.link.close()
        self.place.close()
        self._log.close()


def soak(rounds: int, rate: float, seed: int, console: Console, partitions: int = 1) -> Soaked:
    """Do it; the order in which things go wrong, and when, is the *seed*'s."""
    result, dice = Soaked(), random.Random(seed)
    with (
        ExitStack() as stack,
        tempfile.TemporaryDirectory() as temporary,
        Sandbox(bounded=False) as sandbox,
    ):
        fleet = Fleet(Path(temporary), sandbox, rate, seed, partitions)
        stack.callback(fleet.close)
        order: list[str] = []
        for number in range(rounds):
            if not order:
                order = dice.sample(list(fleet.faults), len(fleet.faults))
            fault = order.pop()
            result.faults[fault] += 1
            console.print(f"{number + 1}/{rounds} {fault}")
            # Requests that take their time are under way when something happens.
            sandbox.delay(dice.uniform(0.0, 0.3), times=10)
            time.sleep(dice.uniform(0.0, _PAUSE_SECONDS))
            fleet.faults[fault]()
            time.sleep(_PAUSE_SECONDS)
        sandbox.heal()
        result.end = fleet.end()
        result.events, result.messages = fleet.noted("event"), fleet.noted("message")
        result.arrived = [event.name for event in sandbox.events]
        came = sides.arrivals(sandbox.requests)
        result.merges = fleet.noted("merge")
        result.wrong_side = sides.wrong(result.merges, came)
        result.lost_merges = fleet.noted("confirmed") - set(came)
        result.merged = sum(name.startswith("merge ") for name in came)
        result.requests = len(sandbox.requests)
        result.sent_to = Counter(message.fields["to"] for message in sandbox.messages)
        for letter in DeadLetters(fleet.link).select(reason="ambiguous"):
            if isinstance(letter.call, SendEmail):
                result.ambiguous.add(str(letter.call.to))
        for keys in fleet.keys:
            leader = fleet.place.server.do("HGET", keys.leader, "generation")
            result.generations += int(leader or 0)
    return result


def show(soaked: Soaked) -> RenderableType:
    """The report."""
    figures = Table(
        title=f"A soak of the relay, {soaked.faults.total()} rounds", show_header=False
    )
    figures.add_column()
    figures.add_column(justify="right")
    for label, value in (
        ("events confirmed", len(soaked.events)),
        ("events arrived", len(soaked.arrived)),
        ("messages confirmed", len(soaked.messages)),
        ("messages sent", soaked.sent_to.total()),
        ("messages ambiguous", len(soaked.ambiguous)),
        ("lost", len(soaked.lost)),
        ("taken twice", soaked.twice),
        ("out of order", len(soaked.disordered)),
        ("merges noted", len(soaked.merges)),
        ("merges arrived", soaked.merged),
        ("on the wrong side of one", len(soaked.wrong_side)),
        ("messages sent twice", len(soaked.sent_twice)),
        ("requests", soaked.requests),
        ("times somebody began to lead", soaked.generations),
        *sorted(soaked.faults.items()),
    ):
        figures.add_row(label, f"{value:,}")
    return Group(
        figures,
        *(
            Text(f"{'✔' if holds else '✘'} {verdict}", "green" if holds else "bold red")
            for verdict, holds in soaked.verdicts().items()
        ),
        *(Text(f"  {problem}", "red") for problem in soaked.problems()),
        Text(f"  {soaked.end}", "dim"),
    )
