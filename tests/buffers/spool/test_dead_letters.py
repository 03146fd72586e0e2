"""Calls that have failed for good are kept with their reason, to be sent again or discarded."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool import dead_letters
from cio_events._buffers.spool.dead_letter_file import NAME
from cio_events._buffers.spool.dead_letters import DeadLetters
from cio_events._calls.people import Track
from cio_events._wire.envelope import accepted_at, ulid_of
from tests.support.spools import (
    CHILD_SECONDS,
    Noting,
    child,
    drain,
    envelope,
    left_in,
    number_of,
    opened,
)

NO = Failure("rejected", 400, "no")


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


@pytest.fixture
def report():
    """What the spool has to say."""
    return Noting()


@pytest.fixture
def spool(directory, report):
    """A spool."""
    spool = opened(directory, report)
    yield spool
    spool.close()


def dead_letter(spool, numbers, failure=NO, size=100, together=1):
    """Put calls that fail, so many of them at once."""
    for number in numbers:
        spool.put(envelope(number, size))
    while failed := spool.take(together):
        spool.dead_letter(failed, [failure] * len(failed))


def kept(spool):
    """The numbers of the dead letters."""
    return [number_of(letter.envelope) for letter in spool.failures()]


def test_a_dead_letter_says_what_happened(spool):
    """It has the call, its id, and why, when and with which words it failed."""
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    one = envelope(5)
    spool.put(one)
    spool.dead_letter(spool.take(1), [Failure("rejected", 422, "the name is too long")])
    (letter,) = spool.failures()

    assert letter.envelope == one
    assert letter.id == ulid_of(one)
    assert (letter.reason, letter.status) == ("rejected", 422)
    assert letter.detail == "the name is too long"
    assert before < letter.failed_at < datetime.now(timezone.utc) + timedelta(seconds=1)
    assert isinstance(letter.call, Track)
    assert letter.call.data["number"] == 5
    assert repr(letter) == f"<DeadLetter {ulid_of(one)} reason=rejected status=422>"


def test_dead_letters_are_not_pending(spool, directory):
    """What was kept is not handed out again, here or in the next process."""
    dead_letter(spool, range(3))

    assert spool.take(10) == []
    spool.close()
    assert left_in(directory) == []
    assert [path.name for path in directory.iterdir()] == [NAME]


def test_all_processes_see_all_dead_letters(spool, directory):
    """Dead letters of one spool are seen by another in the same directory, at once."""
    other = opened(directory)
    dead_letter(spool, [1])
    dead_letter(other, [2])

    assert kept(spool) == kept(other) == [1, 2]
    other.close()


def test_many_are_listed_in_order(spool):
    """More than are read at once come out in the order in which they failed."""
    dead_letter(spool, range(450), together=50)

    assert kept(spool) == list(range(450))


def test_resent_calls_are_pending_again(spool, directory):
    """Resending all makes them pending for whoever adopts next, and leaves no dead letter."""
    dead_letter(spool, range(450), together=50)
    spool.put(envelope(1000))

    assert spool.resend() == 450
    assert kept(spool) == []
    assert accepted_at(spool.take(1000)[0]) == accepted_at(envelope(1000))
    count, size = spool.adopt()
    assert count == 450
    assert size > 450 * 33
    assert drain(spool) == list(range(450))


def test_some_are_resent_or_discarded_by_id(spool):
    """Ids choose among the dead letters, in either case of letters; others stay."""
    dead_letter(spool, range(6))
    ids = [letter.id for letter in spool.failures()]

    assert spool.resend([ids[1].lower(), ids[4], "01ARZ3NDEKTSV4RRFFQ69G5FAV"]) == 2
    assert spool.discard([ids[2]]) == 1
    assert spool.discard([]) == spool.resend([]) == 0
    assert kept(spool) == [0, 3, 5]
    assert drain(spool) == [1, 4]
    assert spool.discard() == 3
    assert kept(spool) == []
    assert spool.resend() == spool.discard() == 0


def test_without_dead_letters_nothing_is_made(spool, directory):
    """To ask for dead letters leaves no trace on the disk."""
    assert list(spool.failures()) == []
    assert spool.resend() == spool.discard(["x"]) == 0
    assert list(directory.iterdir()) == []


def test_a_call_that_fails_twice_is_one_dead_letter(spool):
    """A call that was kept, but not yet forgotten when its process died, is kept once."""
    one = envelope(1)
    spool.put(one)
    spool.put(one := envelope(1))
    for each in spool.take(2):
        spool.dead_letter([each], [NO])
    letters = DeadLetters(spool._directory)
    letters.add([(one, NO)])

    assert kept(spool) == [1, 1]


def test_they_are_bounded_by_size(spool, report, monkeypatch):
    """When they take too much room the oldest are discarded, which is said."""
    monkeypatch.setattr(dead_letters, "KEEP_BYTES", 200_000)
    dead_letter(spool, range(300), size=1000, together=5)
    numbers = kept(spool)

    assert 60 < len(numbers) < 210
    assert numbers == list(range(300 - len(numbers), 300))
    assert set(report.kinds) == {"dead letters full"}
    assert (spool._directory / NAME).stat().st_size < 300_000


def test_they_are_bounded_by_age(spool, report, monkeypatch):
    """Those that are older than may be are discarded, which is said."""
    dead_letter(spool, range(3))
    monkeypatch.setattr(dead_letters, "KEEP_SECONDS", 0.05)
    time.sleep(0.1)
    dead_letter(spool, [3])

    assert kept(spool) == [3]
    assert report.kinds == ["dead letters full"]


def test_their_bounds_are_said_in_full(spool):
    """The bounds are 64 MiB and 30 days."""
    assert dead_letters.KEEP_BYTES == 64 * 2**20
    assert dead_letters.KEEP_SECONDS == 30 * 24 * 3600


def test_a_damaged_database_is_set_aside(spool, directory, report):
    """When the dead letters cannot be read, they are renamed and reported, and new ones kept."""
    dead_letter(spool, range(3))
    spool.close()
    (directory / NAME).write_bytes(b"garbage" * 1000)

    assert kept(spool) == []
    assert report.kinds == ["dead letters"]
    (aside,) = [path for path in directory.iterdir() if path.suffix == ".damaged"]
    assert aside.read_bytes() == b"garbage" * 1000
    assert aside.name in report[0][1]
    dead_letter(spool, [4])
    assert kept(spool) == [4]


def test_a_database_set_aside_by_another_is_left(spool, directory):
    """Whoever still has the damaged one open does not set the new one aside."""
    dead_letter(spool, range(3))
    other = opened(directory)
    assert kept(other) == [0, 1, 2]
    assert other._dead_letters._letters.set_aside() is not None
    dead_letter(other, [7])
    assert spool._dead_letters._letters.set_aside() is None

    assert kept(spool) == kept(other) == [7]
    other.close()


def test_another_version_is_left_alone(spool, directory, report):
    """Dead letters of another version are neither changed nor used; who has failed waits there."""
    dead_letter(spool, [1])
    spool.close()
    connection = sqlite3.connect(directory / NAME)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    before = (directory / NAME).read_bytes()
    dead_letter(spool, [2])

    assert set(report.kinds) == {"dead letters"}
    assert "another version" in report[0][1]
    spool.close()
    assert (directory / NAME).read_bytes() == before
    assert left_in(directory) == []
    (directory / NAME).unlink()
    assert left_in(directory) == []
    assert kept(opened(directory)) == [2]


def test_threads_and_processes_write_at_once(directory):
    """Dead letters from several threads and processes are all kept."""
    code = """
from cio_events._buffers.failures import Failure
spool = opened(directory)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 100):
    spool.put(envelope(number))
    spool.dead_letter(spool.take(1), [Failure("rejected", 400, "no")])
spool.close()
"""
    spools = [opened(directory) for _ in range(2)]
    with child(code, directory, 1000) as one, child(code, directory, 2000) as other:
        for process in (one, other):
            assert process.stdout.readline() == "ready\n"
        for process in (one, other):
            process.stdin.write("go\n")
            process.stdin.flush()
        threads = [
            threading.Thread(target=dead_letter, args=(spool, range(start, start + 100)))
            for start, spool in zip((3000, 4000), spools, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.wait(CHILD_SECONDS) == other.wait(CHILD_SECONDS) == 0
    numbers = kept(spools[0])

    assert sorted(numbers) == [
        start + number for start in (1000, 2000, 3000, 4000) for number in range(100)
    ]
    for spool in spools:
        spool.close()


def test_they_go_after_thirty_days_though_nobody_adds_one(directory, report):
    """An idle process discards them, of whichever workspace, and no byte of them stays."""
    gone = opened(directory)
    dead_letter(gone, range(3))
    gone.close()
    connection = sqlite3.connect(directory / NAME)
    moment = int((time.time() - 30 * 86400) * 1000)
    for number, failed_at in ((1, moment - 60_000), (2, moment - 60_000), (3, moment + 60_000)):
        connection.execute(
            "UPDATE letters SET failed_at = ?, workspace = ? WHERE number = ?",
            (failed_at, f"{number:016}.0", number),
        )
    connection.commit()
    connection.close()
    spool = opened(directory, report)
    spool.adopt()

    everybody = DeadLetters(directory)
    assert [number_of(letter.envelope) for letter in everybody.select()] == [2]
    assert report.kinds == ["dead letters full"]
    assert "30 days" in report[0][1]
    content = (directory / NAME).read_bytes()
    assert b'"number":0,' not in content
    assert b'"number":1,' not in content
    assert b'"number":2,' in content
