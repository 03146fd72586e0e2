"""`cio-events spool` shows whose calls there are, chooses by it, and writes nothing to look."""

from __future__ import annotations

import json
import signal
import sqlite3

import pytest

from cio_events import Pipeline
from cio_events._buffers.failures import Failure
from cio_events._buffers.spool.dead_letter_file import NAME
from cio_events._buffers.workspace import Workspace, fingerprint
from tests.cli import commands
from tests.support.spools import (
    CHILD_SECONDS,
    Noting,
    SpoolWithPut,
    child,
    drain,
    envelope,
    left_in,
    opened,
)

PRODUCTION = Workspace(fingerprint("http://127.0.0.1:9", "production"))
STAGING = Workspace(
    fingerprint("https://track.customer.io", "staging"), fingerprint("https://app", "key")
)


def run(*arguments):
    """Run a command to its end."""
    return commands.run("spool", *arguments)


def leave(directory, workspace, number):
    """A call that waits and one that failed, of this workspace; returns the id of the latter."""
    spool = SpoolWithPut(directory, report=Noting(), workspace=workspace)
    spool.put(envelope(number))
    spool.dead_letter(spool.take(1), [Failure("rejected", 400, "no")])
    (letter,) = spool.failures()
    spool.put(envelope(number + 1))
    spool.close()
    return letter.id


@pytest.fixture
def directory(tmp_path):
    """A spool with calls of two workspaces."""
    return tmp_path / "spool"


@pytest.fixture
def ids(directory):
    """The ids of a dead letter of each."""
    return {
        whose: leave(directory, whose, 10 * n) for n, whose in enumerate((PRODUCTION, STAGING))
    }


def test_each_command_shows_whose_they_are(directory, ids):
    """Tables have the beginning of the fingerprint; `show` and JSON have all of it."""
    for whose, id_ in ids.items():
        line = next(line for line in run("list", directory).stdout.splitlines() if id_ in line)
        assert str(whose)[:8] in line
        assert f"workspace {whose}\n" in run("show", directory, id_).stdout
        assert run("stats", directory).stdout.count(str(whose)[:8]) == 2
    told = json.loads(run("stats", directory, "--json").stdout)
    for kind in ("files", "dead_letters"):
        assert [each["workspace"] for each in told[kind]] in (
            [str(PRODUCTION), str(STAGING)],
            [str(STAGING), str(PRODUCTION)],
        )
    rows = [json.loads(line) for line in run("list", directory, "--json").stdout.splitlines()]
    assert {row["id"]: row["workspace"] for row in rows} == {
        id_: str(whose) for whose, id_ in ids.items()
    }


@pytest.mark.parametrize("word", ["beginning", "mine"])
def test_a_workspace_can_be_chosen(directory, ids, word, monkeypatch):
    """By the beginning of its fingerprint, or by the environment's settings."""
    monkeypatch.setenv("CIO_SITE_ID", "production")
    monkeypatch.setenv("CIO_API_KEY", "secret")
    monkeypatch.setenv("CIO_TRACK_URL", "http://127.0.0.1:9")
    option = ("--workspace", "mine" if word == "mine" else str(PRODUCTION)[:6].upper())
    told = json.loads(run("stats", directory, "--json", *option).stdout)

    assert [each["workspace"] for each in told["files"]] == [str(PRODUCTION)]
    assert [each["workspace"] for each in told["dead_letters"]] == [str(PRODUCTION)]
    (row,) = run("list", directory, "--json", *option).stdout.splitlines()
    assert json.loads(row)["id"] == ids[PRODUCTION]
    other = run("resend", directory, ids[STAGING], *option)
    assert (other.exit_code, other.stderr) == (1, f"There is no dead letter {ids[STAGING]}.\n")
    assert "1 call is pending again." in run("resend", directory, *option).stdout
    assert "0 calls are discarded." in run("discard", directory, *option).stdout
    assert "1 call is discarded." in run("discard", directory, "--all").stdout


def test_mine_needs_settings(directory, ids, monkeypatch):
    """Without credentials in the environment, nobody's workspace is meant."""
    for name in ("SITE_ID", "API_KEY", "APP_API_KEY"):
        monkeypatch.delenv(f"CIO_{name}", raising=False)
    done = run("list", directory, "--workspace", "mine")

    assert done.exit_code == 2
    assert "CIO_SITE_ID" in done.stderr
    assert run("list", directory, "--workspace", "ffffffffffff").stdout == (
        "There are no dead letters.\n"
    )


def test_mine_is_that_of_the_relay_where_there_is_one(directory, monkeypatch):
    """To which all calls of the environment's pipeline go, whatever its credentials."""
    monkeypatch.setenv("CIO_SITE_ID", "production")
    monkeypatch.setenv("CIO_API_KEY", "secret")
    monkeypatch.setenv("CIO_RELAY", "redis://user:secret@127.0.0.1:1")
    pipeline = Pipeline(spool=str(directory))
    pipeline.track("5", "purchase")
    pipeline.close(0)
    told = json.loads(run("stats", directory, "--json", "--workspace", "mine").stdout)
    assert [each["calls"] for each in told["files"]] == [1]


def test_dead_letters_follow_the_workspace_like_calls(directory):
    """Who gets an App key later still sees, and sends, what failed before."""
    track_alone = Workspace(STAGING.track)
    leave(directory, track_alone, 0)
    later = SpoolWithPut(directory, report=Noting(), workspace=STAGING)

    assert later.resend() == 1
    assert len(drain(later)) == 2
    assert list(later.failures()) == []
    assert SpoolWithPut(directory, report=Noting(), workspace=PRODUCTION).resend() == 0
    later.close()


HOT = """
import sqlite3
from cio_events._buffers.spool.dead_letter_file import NAME
connection = sqlite3.connect(directory / NAME, isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE letters SET detail = hex(randomblob(3000))")
os.kill(os.getpid(), 9)
"""

LIVE = """
spool = opened(directory)
for number in range(40, 60):
    spool.put(envelope(number))
if sys.argv[2] == "live":
    print("ready", flush=True)
    sys.stdin.readline()
os.kill(os.getpid(), 9)
"""


def seen_in(directory):
    """Each file with its bytes, inode, mode and moment of change, and the directory itself."""
    found = {"": directory.stat().st_mtime_ns}
    for path in directory.iterdir():
        state = path.stat()
        found[path.name] = (path.read_bytes(), state.st_ino, state.st_mode, state.st_mtime_ns)
    return found


def test_looking_writes_nothing(directory):
    """Beside a live process, after killed ones, and where dead letters are half written."""
    spool = opened(directory)
    for number in range(20):
        spool.put(envelope(number))
    for one in spool.take(10):
        spool.dead_letter([one], [Failure("rejected", 400, "no")])
    id_ = next(spool.failures()).id
    spool.close()
    for code, how in ((LIVE, "killed"), (HOT, "")):
        with child(code, directory, how) as process:
            assert process.wait(CHILD_SECONDS) == -signal.SIGKILL
    with child(LIVE, directory, "live") as process:
        assert process.stdout.readline() == "ready\n"
        before = seen_in(directory)
        looks = [("stats",), ("stats", "--json"), ("list",), ("list", "--json"), ("show", id_)]
        shown = [run(look[0], directory, *look[1:]) for look in looks]
        after = seen_in(directory)
    names = set(before)

    assert [done.exit_code for done in shown] == [0] * len(shown), shown
    assert f"{NAME}-journal" in names
    assert len([name for name in names if name.endswith("-wal")]) >= 2
    assert after == before
    assert shown[3].stdout.count('"no"') == 0
    assert len(shown[3].stdout.splitlines()) == 10
    assert {each["state"] for each in json.loads(shown[1].stdout)["files"]} == {"free", "in use"}
    # Whoever writes next puts it right.
    assert "10 calls are discarded." in run("discard", directory, "--all").stdout
    connection = sqlite3.connect(directory / NAME)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert left_in(directory) == [*range(10, 20), *range(40, 60), *range(40, 60)]
