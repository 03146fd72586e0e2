"""`cio-events relay` with several partitions: each is shown, and what is asked is asked of all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cio_events import Track
from cio_events._relay.link import Link
from cio_events._relay.status import look_at_all
from cio_events.errors import ParamError
from tests.cli import commands
from tests.relay.conftest import Publisher, relay, running, until
from tests.relay.parted import COUNT, KEYS, WHO, settled
from tests.support.needs import needs_redis
from tests.support.redis_server import PROGRAM, RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox import Sandbox

pytestmark = needs_redis


@pytest.fixture(scope="module")
def _running() -> Iterator[RedisServer]:
    if PROGRAM is None:
        pytest.skip("there is no redis-server")
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(_running: RedisServer) -> RedisServer:
    """A Redis that has several partitions, and nothing else."""
    _running.do("FLUSHALL")
    _running.do("SET", KEYS[0].partitions, COUNT)
    return _running


def run(server: RedisServer, *arguments: object) -> Any:
    """Run a command about it."""
    return commands.run("relay", *map(str, arguments), "--url", server.url)


def publish(server: RedisServer, name: str) -> None:
    """Leave an event in each."""
    for keys, who in zip(KEYS, WHO, strict=True):
        Publisher(server, keys).publish(Track(who, f"{name}.{who}"))


def test_status_shows_each_and_their_sum(server: RedisServer, sandbox: Sandbox):
    """It is well when all are led."""
    publish(server, "bought")
    done = run(server, "status")
    assert done.exit_code == 1
    assert "Nobody leads partition 2" in done.stdout
    with running(relay(server, sandbox)):
        until(lambda: settled(server))
        until(lambda: all(one.leader for one in look_at_all(Link(server.url, KEYS[0]))))
        shown = run(server, "status")
        told = json.loads(run(server, "status", "--json").stdout)
    assert shown.exit_code == 0
    assert [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("│")] == [
        *("0", "1", "2", "all")
    ]
    assert [one["sent"] for one in told["partitions"]] == [1, 1, 1]
    assert (told["well"], told["total"]["sent"], told["total"]["balanced"]) == (True, 3, True)


def test_dead_letters_of_all_are_looked_after(server: RedisServer, sandbox: Sandbox):
    """Oldest first, each resent where it came from."""
    sandbox.fail_next(400, times=None)
    with running(relay(server, sandbox)):
        publish(server, "bad")
        until(lambda: settled(server))
        lines = run(server, "dead", "list", "--json").stdout.splitlines()
        listed = [json.loads(line) for line in lines]
        assert len(listed) == COUNT
        shown = run(server, "dead", "show", listed[1]["id"])
        assert listed[1]["id"] in shown.stdout
        assert run(server, "dead", "discard", listed[0]["id"]).exit_code == 0
        sandbox.heal()
        assert "2" in run(server, "dead", "resend", "--all").stdout
        until(lambda: settled(server))
    assert len(sandbox.events) == 2
    assert not any(server.do("XLEN", keys.dead) for keys in KEYS)


def test_their_number_is_told_and_changed_while_nothing_waits(
    server: RedisServer, sandbox: Sandbox
):
    """What is refused changes nothing."""
    assert run(server, "partitions").stdout == "3\n"
    publish(server, "waits")
    refused = run(server, "partitions", 1, "--wait", 0)
    assert refused.exit_code == 1
    assert refused.stderr == "Error: entries wait in Redis (3): have a relay deliver them first\n"
    assert run(server, "partitions").stdout == "3\n"
    with running(relay(server, sandbox)):
        assert run(server, "partitions", 4, "--wait", 30).exit_code == 0
    assert len(sandbox.events) == 3
    server.do("FLUSHALL")
    assert run(server, "partitions").stdout == "1, as nobody has published yet\n"
    assert run(server, "partitions", 2).stdout == "The number of partitions is 2 now.\n"


def test_a_relay_that_is_to_have_another_number_ends(
    server: RedisServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """With 2, naming both, before it leads; and so does one that runs when it is changed."""
    settings = {"SITE_ID": "site", "API_KEY": "key", "TRACK_URL": sandbox.url}
    for option, value in settings.items():
        monkeypatch.setenv(f"CIO_{option}", value)
    done = commands.run("relay", server.url, "--partitions", "2")
    assert done.exit_code == 2
    assert "is 2 here, and Redis has 3" in done.stderr
    one = relay(server, sandbox, partitions=3)
    with running(one):
        until(lambda: all(each.leader for each in one.status()))
        assert run(server, "partitions", 4).exit_code == 0
        until(lambda: one.failure)
    assert isinstance(one.failure, ParamError)
