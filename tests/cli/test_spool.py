"""`cio-events spool` looks into a spool, and sends dead letters again, beside its processes."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime

import pytest

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool.dead_letter_file import NAME
from cio_events._calls.messages import SendEmail
from cio_events._calls.people import AddDevice, Delete, Identify, Track
from cio_events._calls.ulid import new_id
from cio_events._wire.encode import encode
from cio_events._wire.envelope import ulid_of
from tests.cli import commands
from tests.support.spools import (
    CHILD_SECONDS,
    ROOT,
    Noting,
    child,
    envelope,
    left_in,
    number_of,
    opened,
    spool_files,
)

COMMAND = [sys.executable, "-W", "error", "-m", "cio_events", "spool"]


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


def run(*arguments):
    """Run a command to its end."""
    return commands.run("spool", *arguments)


def dead_letter(directory, envelopes, failure=Failure("rejected", 400, "the name is [too] long")):  # noqa: B008
    """Leave dead letters; returns their ids."""
    envelopes = list(envelopes)
    spool = opened(directory)
    for one in envelopes:
        spool.put(one)
    taken = spool.take(10_000)
    spool.dead_letter(taken, [failure] * len(taken))
    spool.close()
    return [ulid_of(one) for one in envelopes]


def test_list_shows_what_failed_and_why(directory):
    """`list` has a line for each dead letter: id, kind of call, reason, status and time."""
    calls = [
        Track("5", "purchase"),
        Track("5", "/home", type="page"),
        Identify("5", {"email": "ada@example.com"}),
        AddDevice("5", "token", "ios"),
        Delete("5"),
        SendEmail(to="ada@example.com", identifiers="5", transactional_message_id=3),
    ]
    envelopes = [
        encode(call, ulid_of(envelope(number)), 1_700_000_000_000, "v2")
        for number, call in enumerate(calls)
    ]
    ids = dead_letter(directory, envelopes[:5])
    ids += dead_letter(directory, envelopes[5:], Failure("ambiguous", None, None))
    done = run("list", directory)
    lines = [line for line in done.stdout.splitlines() if re.search(r"[0-9A-Z]{26}", line)]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]

    assert done.exit_code == 0
    assert done.stderr == ""
    assert [row[0] for row in cells] == ids
    assert [row[1] for row in cells] == [
        *("track", "page", "identify", "add_device", "delete", "send_email"),
    ]
    assert [row[2] for row in cells] == ["rejected"] * 5 + ["ambiguous"]
    assert [row[3] for row in cells] == ["400"] * 5 + [""]
    assert all(datetime.fromisoformat(row[4]) for row in cells)
    assert "ada@example.com" not in done.stdout


def test_list_can_be_chosen_from_and_cut(directory):
    """`--reason` and `--limit` list some; `--json` lists for programs."""
    ids = dead_letter(directory, map(envelope, range(5)))
    other = dead_letter(directory, [envelope(9)], Failure("expired", None, None))

    done = run("list", directory, "--limit", 2)
    assert [each in done.stdout for each in ids] == [True, True, False, False, False]
    assert "2 of 6; --limit shows more." in done.stdout
    rows = [json.loads(line) for line in run("list", directory, "--json").stdout.splitlines()]
    assert [row["id"] for row in rows] == ids + other
    assert set(rows[0]) == {"id", "call", "reason", "status", "failed_at", "workspace"}
    (row,) = run("list", directory, "--json", "--reason", "expired").stdout.splitlines()
    assert json.loads(row)["id"] == other[0]


def test_show_prints_the_call_and_the_answer(directory):
    """`show` prints the whole call as JSON, and the words of Customer.io."""
    (id_,) = dead_letter(
        directory,
        [encode(Track("5", "buy", {"x": "é"}), ulid_of(envelope(1)), 1_700_000_000_000, "v2")],
    )
    done = run("show", directory, id_.lower())

    assert done.exit_code == 0
    assert f"{id_} track" in done.stdout
    assert "rejected, status 400" in done.stdout
    assert "the name is [too] long" in done.stdout
    shown = json.loads(done.stdout[done.stdout.index("{") :])
    assert shown["identifiers"] == {"id": "5"}
    assert shown["attributes"] == {"x": "é"}


def test_show_prints_a_message(directory):
    """A transactional message is shown as the body of its request."""
    message = SendEmail(to="ada@example.com", identifiers="5", transactional_message_id=3)
    (id_,) = dead_letter(
        directory, [encode(message, ulid_of(envelope(1)), 1_700_000_000_000, "v2")]
    )
    done = run("show", directory, id_)

    assert json.loads(done.stdout[done.stdout.index("{") :])["to"] == "ada@example.com"


def test_resend_gives_dead_letters_to_whoever_comes(directory):
    """What was resent is no dead letter any more, and the next process has it."""
    ids = dead_letter(directory, map(envelope, range(5)))
    done = run("resend", directory, ids[1], ids[3])

    assert done.exit_code == 0
    assert "2 calls are pending again." in done.stdout
    assert "within 10 seconds" in done.stdout
    assert left_in(directory) == [1, 3]
    assert "3 calls are pending again." in run("resend", directory, "--all").stdout
    assert left_in(directory) == [0, 2, 4]
    assert run("list", directory).stdout == "There are no dead letters.\n"


def test_a_running_process_adopts_what_is_resent(directory):
    """A process that runs while dead letters are resent gets them at its next look."""
    (id_,) = dead_letter(directory, [envelope(7)])
    spool = opened(directory)
    spool.put(envelope(1))
    assert spool.adopt() == (0, 0)
    assert run("resend", directory, id_).exit_code == 0

    assert spool.adopt()[0] == 1
    assert [number_of(one) for one in spool.take(5)] == [7, 1]
    spool.close()


def test_resend_and_discard_by_reason(directory):
    """`--reason` chooses all dead letters of one reason."""
    dead_letter(directory, map(envelope, range(4)))
    dead_letter(directory, map(envelope, range(10, 13)), Failure("expired", None, None))

    assert "3 calls are discarded." in run("discard", directory, "--reason", "expired").stdout
    assert "0 calls are pending" in run("resend", directory, "--reason", "expired").stdout
    assert "4 calls are pending" in run("resend", directory, "--reason", "rejected").stdout
    assert left_in(directory) == [0, 1, 2, 3]


@pytest.mark.parametrize("command", ["show", "resend", "discard"])
def test_an_unknown_id_ends_with_1(directory, command):
    """What is found is done; what is not found is named, and the exit code is 1."""
    (id_,) = dead_letter(directory, [envelope(1)])
    done = run(command, directory, id_, "01ARZ3NDEKTSV4RRFFQ69G5FAV")

    assert done.exit_code == 1
    assert done.stderr == "There is no dead letter 01ARZ3NDEKTSV4RRFFQ69G5FAV.\n"
    assert done.stdout != ""
    assert (run("list", directory, "--json").stdout != "") is (command == "show")


@pytest.mark.parametrize(
    "arguments",
    [
        ("resend", "."),
        ("discard", "."),
        ("resend", ".", "x", "--all"),
        ("show", "."),
        ("list", "nowhere"),
        ("list", ".", "--limit", "0"),
        ("stats",),
        ("nothing",),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments):
    """A command that cannot be understood says so, and the exit code is 2."""
    done = run(*arguments)

    assert done.exit_code == 2
    assert "Error: " in done.stderr


def test_stats_counts_what_is_there(directory):
    """`stats` shows files in use and free, dead letters by reason, and what was set aside."""
    dead_letter(directory, map(envelope, range(3)))
    dead_letter(directory, [envelope(5)], Failure("expired", None, None))
    free = opened(directory)
    for number in range(20):
        free.put(envelope(number))
    free.close()
    (directory / "9-01ARZ3NDEKTSV4RRFFQ69G5FAV.spool").write_bytes(b"x" * 5000)
    (directory / "8-01ARZ3NDEKTSV4RRFFQ69G5FAV.spool.damaged").write_bytes(b"x" * 7000)
    code = (
        "spool = opened(directory); spool.put(envelope(1)); print('x', flush=True); time.sleep(60)"
    )
    with child(code, directory) as process:
        process.stdout.readline()
        before = {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix}
        told = json.loads(run("stats", directory, "--json").stdout)
        done = run("stats", directory)
        owner = process.pid

    files = {each["state"]: each for each in told["files"]}
    assert files["free"]["calls"] == 20
    assert files["free"]["made_by"] == os.getpid()
    assert files["free"]["bytes"] > 2000
    assert files["in use"]["calls"] is None
    assert files["in use"]["made_by"] == owner
    assert files["damaged"]["bytes"] == 5000
    assert {each["workspace"] for each in told["files"]} == {"0.0"}
    assert {each["reason"]: each["calls"] for each in told["dead_letters"]} == {
        "rejected": 3,
        "expired": 1,
    }
    assert told["set_aside"] == [
        {"file": "8-01ARZ3NDEKTSV4RRFFQ69G5FAV.spool.damaged", "bytes": 7000}
    ]
    assert done.exit_code == 0
    assert "in use" in done.stdout
    assert "Damaged, and set aside: 8-01ARZ3NDEKTSV4RRFFQ69G5FAV.spool.damaged" in done.stdout
    assert set(before) <= {path.name for path in directory.iterdir()} | {"x"}


def test_a_directory_can_be_named_from_where_one_is(directory, monkeypatch):
    """A relative path does, also with calls that wait."""
    (id_,) = dead_letter(directory, [envelope(0)])
    relative = os.path.relpath(directory)
    resent = run("resend", relative, id_)
    seen = run("stats", relative)
    monkeypatch.setenv("CIO_SPOOL", relative)
    assert run("stats").stdout == seen.stdout
    assert run("list").exit_code == 0

    assert (resent.exit_code, resent.stderr) == (0, "")
    assert (seen.exit_code, seen.stderr) == (0, "")
    assert "There are no dead letters." in seen.stdout


def test_stats_of_an_empty_spool(directory):
    """An empty directory has no calls and no dead letters, and stays empty; from a shell, too."""
    directory.mkdir()
    shown = "No calls wait.\nThere are no dead letters.\n"
    from_a_shell = subprocess.run(
        [*COMMAND, "stats", directory],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=True,
    )

    assert run("stats", directory).stdout == shown
    assert (from_a_shell.stdout, from_a_shell.stderr) == (shown, "")
    assert list(directory.iterdir()) == []


def test_looking_loses_nothing(directory):
    """However often one looks at a file that nobody has, its calls stay."""
    spool = opened(directory)
    for number in range(10):
        spool.put(envelope(number))
    spool.close()
    for _ in range(2):
        run("stats", directory)
        run("list", directory)

    assert left_in(directory) == list(range(10))


@pytest.mark.parametrize("command", [["list"], ["stats"], ["resend", "--all"]], ids=" ".join)
def test_what_cannot_be_read_is_said(directory, command):
    """Dead letters of another version, or damaged ones, end with a sentence and 1."""
    dead_letter(directory, [envelope(1)])
    connection = sqlite3.connect(directory / NAME)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    done = run(command[0], directory, *command[1:])

    assert done.exit_code == 1
    assert done.stderr == f"Error: {directory} cannot be used: another version\n"
    (directory / NAME).write_bytes(b"garbage" * 1000)
    done = run(command[0], directory, *command[1:])
    assert done.exit_code == 1
    assert "file is not a database" in done.stderr
    assert spool_files(directory) == []


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_long_resend_shows_its_progress(directory):
    """On a terminal, a bar shows how far a resend of many has come."""
    dead_letter(directory, map(envelope, range(2500)))
    ours, theirs = os.openpty()
    try:
        with subprocess.Popen(
            [*COMMAND, "resend", directory, "--all"],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        ) as process:
            output, _ = process.communicate(timeout=CHILD_SECONDS)
        shown = os.read(ours, 1_000_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert output.startswith("2500 calls are pending again.")
    assert "resending" in shown
    assert "2500/2500" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_acts_as_the_owner_of_the_spool(directory):
    """What root makes there is the owner's, and nothing is done with root's rights."""
    (id_,) = dead_letter(directory, [envelope(1)])
    for path in [directory, *directory.iterdir()]:
        os.chown(path, 65534, 65534)
    # pytest's own directories, which only their owner may enter.
    for parent in directory.parents:
        parent.chmod(0o755)
        if parent.name.startswith("pytest-of-"):
            break
    result = run("resend", directory, id_)

    assert result.exit_code == 0, result.output
    assert {path.stat().st_uid for path in directory.iterdir()} == {65534}
    assert os.geteuid() == 0


def test_no_escape_reaches_the_terminal(directory):
    """Whatever Customer.io's answer or a call holds is shown as text."""
    text = "\x1b]0;title\x07 \x9b2J"
    (id_,) = dead_letter(
        directory,
        [encode(Track("5", text, {text: text}), new_id(1), 1, "v2")],
        Failure("rejected", 400, text),
    )
    output = run("show", directory, id_).output

    assert not set("\x1b\x07\x9b") & set(output)
    assert "title" in output


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "[/markup]", "a\nb"], ids=ascii)
def test_what_a_stranger_may_have_named_is_shown_as_text(directory, text):
    """Files, and the reasons and workspaces of letters: no escape, no markup, no line break."""
    (id_,) = dead_letter(directory, [envelope(1)])
    with closing(sqlite3.connect(directory / NAME)) as letters, letters:
        letters.execute("UPDATE letters SET reason = ?", (text,))
    word = text.replace("/", "")  # which no name has
    (directory / f"1-{word}.0.0.spool").touch(0o600)
    (directory / f"{word}.damaged").touch(0o600)
    (directory / os.fsdecode(b"\xff.damaged")).touch(0o600)
    shown = ascii(text)[1:-1]
    for command in (("list",), ("show", id_), ("stats",)):
        done = run(command[0], directory, *command[1:])
        assert done.exit_code == 0, done.exception
        assert not set("\x1b\x07") & set(done.output)
        assert shown in done.output
    for command in ("list", "stats"):
        done = run(command, directory, "--json")
        assert done.exit_code == 0, done.exception
        assert all(map(json.loads, done.stdout.splitlines()))


def test_a_text_that_is_damaged_is_not_quoted(directory):
    """What Customer.io said may hold personal data; SQLite would show it in its error."""
    (id_,) = dead_letter(directory, [envelope(1)])
    with closing(sqlite3.connect(directory / NAME)) as letters, letters:
        letters.execute("UPDATE letters SET detail = CAST(? AS TEXT)", (b"lucy\xff said",))
    report = Noting()
    (letter,) = opened(directory, report).failures()

    assert letter.detail == "lucy\ufffd said"
    assert report == []
    assert run("show", directory, id_).exit_code == 0


@pytest.mark.parametrize("name", [NAME, f"{NAME}-journal", "1-A.0.0.spool", "1-A.0.0.spool-wal"])
def test_what_would_be_waited_for_is_not_opened(directory, name):
    """A pipe that somebody put there ends with a sentence."""
    dead_letter(directory, [envelope(1)])
    (directory / name).unlink(missing_ok=True)
    os.mkfifo(directory / name)
    for command in (["list"], ["stats"], ["resend", "--all"]):
        done = run(command[0], directory, *command[1:])
        assert done.exit_code == 1
        assert f"{name!r} in it is no file" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_root_goes_nowhere_that_somebody_else_may_replace(tmp_path):
    """Root's own spool below another user's directory is left alone: he could put a link there."""
    dead_letter(tmp_path / "above" / "spool", [envelope(1)])
    os.chown(tmp_path / "above", 65534, 65534)
    done = run("resend", tmp_path / "above" / "spool", "--all")

    assert done.exit_code == 1
    assert "above it belongs to another user" in done.stderr
    assert spool_files(tmp_path / "above" / "spool") == []


@pytest.mark.parametrize("command", ["list", "show"])
def test_a_terminal_without_our_letters_is_shown_all_the_same(directory, command):
    """Under a locale of ASCII, say, neither a frame nor a name nor an answer is an error."""
    (id_,) = dead_letter(
        directory,
        [encode(Track("5", "Käufe", {"city": "東京"}), new_id(1), 1, "v2")],
        Failure("rejected", 400, "größer als …"),
    )
    ids = [id_] if command == "show" else []
    result = commands.run("spool", command, directory, *ids, charset="ascii")

    assert result.exit_code == 0, result.output
    assert id_ in result.output
