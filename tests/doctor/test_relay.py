"""A relay's Redis, real ones: what is wrong with it, who leads, and nothing that is secret."""

from __future__ import annotations

import dataclasses
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from cio_events import Pipeline, Track
from cio_events._process.clock import monotonic
from cio_events._redis import connection
from cio_events._redis.keys import Keys
from cio_events._relay.lease import Lease
from cio_events._relay.link import Link
from cio_events.doctor import Finding, readings, relay, settings
from cio_events.doctor.examination import CHECKS, run
from tests.doctor.settings_of import GOOD, subject
from tests.support.needs import needs_redis
from tests.support.redis_server import PROGRAM, RedisServer

CANARY = "kanarienvogel7"
LONG = 30.0

pytestmark = needs_redis


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    """One for all tests."""
    if PROGRAM is None:
        pytest.skip("there is no redis-server")
    with RedisServer(tcp=True, appendonly="yes", appendfsync="no") as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> Iterator[RedisServer]:
    """It, empty and as it is right."""
    running.do("FLUSHALL")
    yield running
    running.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    running.do("CONFIG", "SET", "appendonly", "yes")


@pytest.fixture
def lease(server: RedisServer) -> Lease:
    """Somebody leads."""
    taken = lead(server)
    assert taken.generation == 1
    return taken


def lead(server: RedisServer) -> Lease:
    """Have this process lead."""
    lease = Lease(Link(server.url, Keys()), LONG)
    assert lease.take()
    return lease


def look(url: str, **environ: str) -> list[Finding]:
    """What is found there."""
    found = list(relay.look(subject({"CIO_RELAY": url} | environ, network=True)))
    assert CANARY not in str(found)
    return found


def ids(url: str, **environ: str) -> list[str]:
    """The ids of that."""
    return [one.id for one in look(url, **environ)]


def leave_a_call(server: RedisServer) -> None:
    """Have a process publish one call."""
    pipeline = Pipeline(relay=server.url)
    pipeline.send(Track("5", "purchase"))
    assert pipeline.flush(LONG)
    pipeline.close()


def test_without_a_relay_there_is_nothing_to_look_at() -> None:
    """With its reason."""
    assert [one.id for one in relay.look(subject(GOOD, network=True))] == ["S910"]


def test_nobody_is_asked_where_the_network_is_left_out(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor another machine where this one alone may be reached."""
    assert [one.id for one in relay.look(subject({"CIO_RELAY": server.url}))] == ["S911"]

    monkeypatch.setattr(readings, "bound", lambda: True)
    assert ids(server.url) == ["W905"]
    assert ids("redis://queue.example:6379") == ["S912"]


@pytest.mark.usefixtures("lease")
def test_all_is_well(server: RedisServer) -> None:
    """Who leads is told, and looking changes nothing."""
    before = server.do("DBSIZE")

    (finding,) = look(server.url)

    assert finding.id == "I900", finding
    assert "process" in finding.title
    assert "of this machine leads this Redis, nothing waits" in finding.title
    assert socket.gethostname() not in finding.title
    assert finding.where == "CIO_RELAY"
    assert server.do("DBSIZE") == before


@pytest.mark.usefixtures("lease")
def test_a_redis_that_throws_away_or_forgets(server: RedisServer) -> None:
    """Each by its id, and no other."""
    server.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    (finding,) = look(server.url)
    assert (finding.id, finding.level) == ("E903", "error")
    assert "allkeys-lru" in finding.title

    server.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.do("CONFIG", "SET", "appendonly", "no")
    assert ids(server.url) == ["W904"]


def test_nobody_leads(server: RedisServer) -> None:
    """What waits is told; a stream that somebody leads is not found, one of another prefix is."""
    leave_a_call(server)
    (finding,) = look(server.url)
    assert finding.id == "W905"
    assert "1 call waits, the oldest since" in finding.title

    lead(server)
    assert ids(server.url) == ["I900"]
    assert ids(server.url, CIO_RELAY_PREFIX="other") == ["W905"]


@pytest.mark.usefixtures("lease")
def test_what_waits_for_long(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though somebody leads."""
    leave_a_call(server)
    assert ids(server.url) == ["I900"]
    monkeypatch.setattr(relay, "_TAKEN_WITHIN", -1.0)
    assert ids(server.url) == ["W906"]


@pytest.mark.usefixtures("lease")
def test_dead_letters_are_told(server: RedisServer) -> None:
    """With the command that shows them."""
    server.do("XADD", Keys().dead, "*", "call", "x")
    (finding,) = look(server.url)

    assert finding.id == "W909"
    assert "cio-events relay dead list" in finding.fix


def test_an_old_server(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits there is not asked for: it does not know the scripts."""
    real = connection.look_at
    monkeypatch.setattr(
        connection,
        "look_at",
        lambda client: dataclasses.replace(real(client), version=(6, 2)),
    )
    (finding,) = look(server.url)

    assert (finding.id, finding.title) == (
        "E902",
        "Redis is 6.2, and a relay needs 7.0 or later",
    )


def answering(words: bytes) -> Callable[[socket.socket], None]:
    """Says one thing to everybody."""

    def serve(listener: socket.socket) -> None:
        try:
            while True:
                sock, _ = listener.accept()
                with closing(sock):
                    sock.recv(1 << 16)
                    sock.sendall(words)
        except OSError:
            return

    return serve


@pytest.fixture
def stranger() -> Iterator[Callable[[bytes], str]]:
    """A server that is none of Redis', and its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def begin(words: bytes) -> str:
            threading.Thread(target=answering(words), args=(listener,), daemon=True).start()
            return f"redis://{CANARY}:{CANARY}@127.0.0.1:{listener.getsockname()[1]}/0"

        yield begin
        listener.shutdown(socket.SHUT_RDWR)


WORDS = {
    "another password": (b"-WRONGPASS kanarienvogel7 is no user\r\n", "user or password"),
    "no page": (b"HTTP/1.1 400 kanarienvogel7\r\n\r\n", "no Redis"),
    "another database": (b"-ERR DB index is out of range\r\n", "no database of that number"),
    "not yet": (b"-LOADING kanarienvogel7\r\n", "loading its data"),
    "nothing": (b"", "ends the connection"),
    "anything": (b"-KABOOM kanarienvogel7\r\n", "KABOOM"),
    "a right": (b"-NOPERM user kanarienvogel7 may not\r\n", "may not ask"),
}


@pytest.mark.parametrize("case", WORDS)
def test_who_lets_nobody_in(stranger: Callable[[bytes], str], case: str) -> None:
    """In words of ours, as theirs may hold a name."""
    words, told = WORDS[case]
    (finding,) = look(stranger(words))

    assert finding.id == "E901"
    assert told in finding.title


def test_nobody_there() -> None:
    """Neither host nor path is shown."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url, told in (
        (f"redis://{CANARY}@127.0.0.1:{port}/0", "Connection refused"),
        (f"unix:///tmp/{CANARY}", "No such file"),
    ):
        (finding,) = look(url)
        assert finding.id == "E901"
        assert told in finding.title


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not told."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (finding,) = look(f"redis://{CANARY}.example:6379")

    assert finding.id == "E901"
    assert finding.title.startswith("Redis on the host of relay cannot be asked: its name")


def test_one_that_never_answers_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Than it may, beside the other checks."""
    monkeypatch.setattr(readings, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = monotonic()
        (finding,) = look(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        assert monotonic() - began < LONG
    assert finding.id == "E901"
    assert "no answer within" in finding.title


@pytest.mark.parametrize("url", [CANARY, "http://kanarienvogel7", "redis://"])
def test_what_is_no_url(url: str) -> None:
    """By its setting's name."""
    (finding,) = look(url)
    assert finding.id == "E908"
    assert "CIO_RELAY" in finding.title


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    (finding,) = look("redis://127.0.0.1:6379")

    assert finding.id == "E907"
    assert "cio-events[relay]" in finding.fix


def test_with_a_relay_no_credentials_are_missing() -> None:
    """They are the relay's; what is wrong with those that are there is found."""
    with_relay = {"CIO_RELAY": "redis://queue.example:6379/0", "CIO_RELAY_PREFIX": "shop"}
    assert [one.id for one in settings.look(subject(with_relay))] == ["I100"]
    bad = with_relay | {"CIO_SITE_ID": " x"}
    assert [one.id for one in settings.look(subject(bad))] == ["E103"]


@pytest.mark.usefixtures("lease")
def test_redis_is_asked_beside_the_other_checks(server: RedisServer) -> None:
    """From the beginning."""
    asked = subject({"CIO_RELAY": server.url}, network=True)
    chosen = [check for check in CHECKS if check.name in ("versions", "relay")]
    results = run(chosen, asked)
    assert next(results).check == "versions"
    assert asked.readings._threads
    assert [one.id for one in next(results).findings] == ["I900"]
