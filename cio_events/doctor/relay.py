"""A relay's Redis: whether it keeps what it is told, what waits there, and who leads."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cio_events._process.diagnostics import calls
from cio_events._redis.connection import OLDEST, Server
from cio_events._wire.masking import shown
from cio_events.doctor.finding import Finding
from cio_events.doctor.readings import Reading
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found
from cio_events.doctor.words import since, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cio_events._relay.status import Status

# A relay takes what comes within a second, and goes on for another within 20.
_TAKEN_WITHIN = 5 * 60.0

_POLICY_CHARACTERS = 40


def look(subject: Subject) -> Iterator[Finding]:
    """Ask each Redis, and tell what came of it."""
    if not subject.readings:
        yield found("S910")
        return
    if not subject.network:
        yield found("S911")
        return
    readings = subject.readings.wait()
    if not readings:
        yield found("S912")
    for one in readings:
        yield from _judged(one, one.set_up.setting("relay", subject.environ))


def _judged(one: Reading, setting: str) -> Iterator[Finding]:
    max_age = span(one.set_up.options.max_age)
    if not one.has_client:
        yield found("E907", setting)
        return
    if one.problem:
        yield found("E908", setting, setting=setting, problem=one.problem)
        return
    findings = []
    if one.cause:
        facts = {"host": one.host, "cause": one.cause, "setting": setting}
        findings.append(found("E901", setting, max_age=max_age, **facts))
    if one.server is not None:
        findings += _of_server(one.server, setting, max_age)
        findings += _of_number(one, setting)
        for status in one.statuses:
            findings += _of_status(status, setting, len(one.statuses))
        if dead := sum(status.dead for status in one.statuses):
            findings.append(found("W909", setting, count=calls(dead)))
    if not findings and one.server is not None:
        findings.append(found("I900", setting, summary=_summary(one.server, one.statuses)))
    yield from findings


def _of_server(server: Server, setting: str, max_age: str) -> Iterator[Finding]:
    if server.version < OLDEST:
        version, oldest = _dotted(server.version) or "unknown", _dotted(OLDEST)
        yield found("E902", setting, version=version, oldest=oldest, max_age=max_age)
    if server.policy != "noeviction":
        yield found("E903", setting, policy=shown(server.policy, _POLICY_CHARACTERS))
    if not server.durable:
        yield found("W904", setting)


def _of_number(one: Reading, setting: str) -> Iterator[Finding]:
    wanted = one.set_up.options.relay_partitions
    if one.partitions not in (None, wanted):
        yield found("E913", setting, there=str(one.partitions), here=str(wanted))


def _of_status(one: Status, setting: str, count: int) -> Iterator[Finding]:
    if one.leader is None:
        yield found("W905", setting, which=_which(one, count), waits=_waits(one))
    elif one.seconds > _TAKEN_WITHIN:
        yield found("W906", setting, which=_which(one, count), waits=_waits(one))


def _summary(server: Server, every: Sequence[Status]) -> str:
    told = [f"Redis {_dotted(server.version)} keeps what it is told"]
    told += [f"{_leader(one)} leads {_which(one, len(every))}, {_waits(one)}" for one in every]
    return "; ".join(told)


def _which(one: Status, count: int) -> str:
    return "this Redis" if count == 1 else f"partition {one.partition} of this Redis"


def _leader(one: Status) -> str:
    """Who leads; the name of another machine is not told."""
    host, _, process = (one.leader or "").rpartition(":")
    if host == socket.gethostname():
        return f"process {process} of this machine"
    return "another machine"


def _waits(one: Status) -> str:
    if not one.entries:
        return "nothing waits"
    count = calls(max(one.pending + one.unread, one.entries))
    waiting = "waits" if count.startswith("1 ") else "wait"
    return f"{count} {waiting}, the oldest {since(int((time.time() - one.seconds) * 1000))}"


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
