"""`cio-events relay`: what it says, what its commands show, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import types
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cio_events._calls.people import Track
from cio_events._cli import relay_status
from cio_events._redis.keys import Keys
from cio_events._relay.lease import Lease
from cio_events._relay.reader import Reader
from cio_events._relay.recorder import Recorder
from tests.cli import commands
from tests.relay.conftest import Publisher, relay, running, until
from tests.support.needs import needs_redis
from tests.support.ports import free_port
from tests.support.redis_server import PROGRAM, RedisServer
from tests.support.relays import RelayChild
from tests.support.spools import ROOT

pytestmark = needs_redis


@pytest.fixture(scope="module")
def server():
    """A Redis for this module."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def publisher(server):
    """Somebody who publishes to an empty Redis."""
    server.do("FLUSHALL")
    return Publisher(server, Keys())


def run(server, *arguments):
    """Run a command about that Redis."""
    return commands.run("relay", *arguments, "--url", server.url)


def status(server, *arguments):
    """What the command tells, as JSON."""
    done = run(server, "status", "--json", *arguments)
    return done.exit_code, json.loads(done.stdout)


def test_status_counts_what_waits_and_tells_who_leads(server, publisher, sandbox):
    """It ends with 1 while nobody leads, or something waits for too long."""
    publisher.publish(Track("5", "one"), Track("5", "two"))
    code, told = status(server)
    (first,) = told["partitions"]
    assert code == 1
    assert told["well"] is False
    assert (first["leader"], first["published"], first["unread"]) == (None, 2, 2)
    assert first["lag"]["entries"] == 1
    assert first["lag"]["bytes"] == int(server.do("GET", publisher.keys.bytes))
    sandbox.fail_next(401, times=None)
    with running(relay(server, sandbox)):
        until(lambda: status(server)[0] == 0)
        until(lambda: status(server)[1]["partitions"][0]["pending"] == 2)
        assert status(server, "--max-lag", "0")[0] == 1
        assert status(server, "--max-lag", "1000")[0] == 0
        table = run(server, "status")
        assert table.exit_code == 0
        sandbox.heal()
        until(publisher.balanced)
        (first,) = status(server)[1]["partitions"]
    assert (first["sent"], first["failed"], first["pending"], first["unread"]) == (2, 0, 0, 0)
    assert first["balanced"] is True
    assert first["generation"] == 1
    assert "Nobody leads" in run(server, "status").stdout


def test_status_is_watched_also_while_redis_is_away(sandbox, monkeypatch):
    """`--watch` goes on over a restart, until Ctrl-C; its exit status is of how it was then."""
    with RedisServer() as server, running(relay(server, sandbox)):
        until(lambda: status(server)[0] == 0)
        steps = iter([server.kill, server.start, lambda: until(lambda: server.do("DBSIZE"))])

        def sleep(_seconds):
            step = next(steps, None)
            if step is None:
                raise KeyboardInterrupt
            step()

        monkeypatch.setattr(relay_status, "time", types.SimpleNamespace(sleep=sleep))
        done = run(server, "status", "--watch", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(each["partitions"]) for each in told] == [1, 0, 1, 1]
    assert [each["well"] for each in told[:2]] == [True, False]


def test_dead_letters_are_listed_shown_sent_again_and_discarded(server, publisher, sandbox):
    """What was refused is there by its id, goes again when asked to, and both ledgers meet."""
    refusal = '{"errors": [{"reason": "invalid", "message": "no such \\u001b thing"}]}'
    sandbox.fail_next(400, times=None, text='"name":"bad', body=refusal)
    ids = publisher.publish(Track("5", "bad one"), Track("6", "good"), Track("7", "bad two"))
    publisher.add_fields({b"no": b"entry", b"count": b"1"})
    with running(relay(server, sandbox)):
        until(publisher.balanced)
        listed = run(server, "dead", "list")
        lines = run(server, "dead", "list", "--json", "--reason", "rejected").stdout.splitlines()
        shown = run(server, "dead", "show", ids[0].lower())
        assert [json.loads(line)["id"] for line in lines] == [ids[0], ids[2]]
        assert len(re.findall("track", listed.stdout)) == 2
        assert "unknown" in listed.stdout
        assert "bad one" in shown.stdout
        assert "no such" in shown.stdout
        assert "\x1b" not in shown.stdout
        missing = run(server, "dead", "show", "nothing")
        assert (missing.exit_code, missing.stderr) == (1, "There is no dead letter nothing.\n")
        sandbox.heal()
        assert run(server, "dead", "resend", ids[0]).stdout == "1 call is published again.\n"
        until(lambda: [event.name for event in sandbox.events] == ["good", "bad one"])
        until(publisher.balanced)
        assert run(server, "dead", "resend", ids[0]).exit_code == 1
        assert run(server, "dead", "discard", "--all").stdout == "2 calls are discarded.\n"
    assert run(server, "dead", "list").stdout == "There are no dead letters.\n"
    assert run(server, "dead", "discard").exit_code == 2


def test_a_relay_answers_about_its_health_and_ends_at_a_signal(server, publisher, sandbox):
    """`/health` is 200 while somebody leads; a policy that evicts is said; SIGTERM ends with 0."""
    server.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with RelayChild(server.url, sandbox.url, "--health", "0", "--max-lag", "600") as one:
            url = one.wait_until_it("/health").split()[-1]
            one.wait_until_it("leads partition 0, generation 1")
            assert "allkeys-lru" in one.wait_until_it("maxmemory-policy")
            publisher.publish(Track("5", "one"))
            until(publisher.balanced)
            with urllib.request.urlopen(url) as answer:
                told = json.load(answer)
            assert told["well"] is True
            assert told["partitions"][0]["sent"] == 1
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(url.replace("health", "other"))
            one.process.send_signal(signal.SIGTERM)
            one.wait_until_it("this relay ends, as SIGTERM asks for it")
            assert one.stop() == 0
    finally:
        server.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert server.do("EXISTS", publisher.keys.lease) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["relay", "nothing://there"], 2, "must be a URL"),
        (["relay", "status"], 2, "Say where Redis is"),
        (["relay", "status", "redis://user:secret@127.0.0.1:1/0"], 1, "refused"),
        (["relay", "status", "--url", "redis://user:secret@127.0.0.1:1/0"], 1, "refused"),
        (["relay", "dead", "list", "--url", "nothing://there"], 2, "must be a URL"),
        (["relay"], 2, "Missing argument"),
        (["relay", "status", "--url", "redis://127.0.0.1:1/0", "--prefix", "{a"], 2, "braces"),
        (["relay", "status", "--url", "redis://127.0.0.1:1/0", "--prefix", "é"], 2, "ASCII"),
    ],
)
def test_what_is_wrong_is_said_without_secrets(monkeypatch, arguments, status, words):
    """A setting that is wrong ends with 2, a Redis that cannot be asked with 1."""
    monkeypatch.setenv("CIO_SITE_ID", "site")
    monkeypatch.setenv("CIO_API_KEY", "key")
    done = commands.run(*arguments)
    assert done.exit_code == status
    assert words in done.stderr
    assert "secret" not in done.output


@pytest.mark.parametrize(
    ("dying", "method"), [(Lease, "renew"), (Reader, "_read"), (Recorder, "_write")]
)
def test_when_a_thread_dies_the_command_ends(
    server, publisher, sandbox, monkeypatch, dying, method
):
    """With 1, why and where, nothing of what was in hand, and another relay may lead at once."""
    name = "ada@example.com"

    def die(*_):
        raise RuntimeError(name)

    settings = {"SITE_ID": "site", "API_KEY": "key", "APP_API_KEY": "app"}
    for option, value in {**settings, "TRACK_URL": sandbox.url, "APP_URL": sandbox.url}.items():
        monkeypatch.setenv(f"CIO_{option}", value)
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    monkeypatch.setattr(dying, method, die)
    publisher.publish(Track("5", "bought"))
    done = commands.run("relay", server.url, "--lease", "1.5")
    assert done.exit_code == 1
    assert 'a thread of it died: RuntimeError\n  File "' in done.stderr
    assert name not in done.output
    assert server.do("EXISTS", publisher.keys.lease) == 0
    assert publisher.left == (dying is not Lease)


def test_without_credentials_it_says_so(server):
    """A relay without keys can deliver nothing."""
    done = commands.run("relay", server.url)
    assert done.exit_code == 2
    assert "site_id" in done.stderr


def test_the_three_terminals_of_the_documentation(sandbox, tmp_path):
    """What the page says to type starts a Redis and a relay, and shows that it leads."""
    page = (ROOT / "docs" / "relay.md").read_text(encoding="utf-8")
    terminals = re.findall(r"\*\*\d\. .*?```sh\n(.*?)```", page, re.DOTALL)
    port = free_port()
    redis, relay_, look = (text.replace("6379", str(port)) for text in terminals)
    redis = redis.replace("redis-server", f"exec {PROGRAM} --port {port} --dir {tmp_path}")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CIO_TRACK_URL": sandbox.url,
        "CIO_APP_URL": sandbox.url,
    }

    def terminal(text):
        text = text.replace("\ncio-events", "\nexec cio-events")
        return subprocess.Popen(
            ["bash", "-c", text], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    running_ = []
    try:
        running_.append(terminal(redis))
        assert b"Ready to accept" in _line_with(running_[0], b"Ready to accept")
        running_.append(terminal(relay_))
        assert b"leads partition 0" in _line_with(running_[1], b"leads")
        running_.append(terminal(look))
        shown, _ = running_[2].communicate(timeout=60)
        assert running_[2].returncode == 0
        assert b"published" in shown
    finally:
        for process in reversed(running_):
            process.terminate()
            process.communicate(timeout=60)


def _line_with(process, words):
    seen = b""
    for line in process.stdout:
        seen += line
        if words in line:
            break
    return seen
