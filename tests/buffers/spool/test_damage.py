"""Damaged files are set aside and reported, and what can be read in them is not lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import struct
import time
import tracemalloc
import zlib
from contextlib import closing

import pytest

from cio_events._buffers.spool import file, salvage
from cio_events._buffers.spool.wal import commits_after
from tests.support.spools import (
    CHILD_SECONDS,
    Noting,
    child,
    drain,
    envelope,
    left_in,
    number_of,
    opened,
    spool_files,
)

PAGE = file.PAGE_BYTES


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


def left_by_another(directory, count=500, start=0):
    """A file with so many calls that nobody owns, all of them in the file itself."""
    spool = opened(directory)
    for number in range(start, start + count):
        spool.put(envelope(number))
    spool.close()
    return spool_files(directory)[-1]


def left_by_a_killed_process(directory, count=500):
    """A file with so many calls that nobody owns, all of them in the journal."""
    code = f"""
spool = opened(directory)
for number in range({count}):
    spool.put(envelope(number))
print("done", flush=True)
time.sleep(60)
"""
    with child(code, directory) as process:
        assert process.stdout.readline() == "done\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(CHILD_SECONDS)
    (path,) = spool_files(directory)
    return path, path.with_name(f"{path.name}-wal")


def overwrite(path, start, content):
    """Damage a file."""
    with path.open("r+b") as damaged:
        damaged.seek(start)
        damaged.write(content)


def adopted(directory):
    """What a new process gets, and what it has to say."""
    report = Noting()
    spool = opened(directory, report)
    numbers = drain(spool)
    spool.put(envelope(9999))
    assert drain(spool) == [9999]
    spool.close()
    return numbers, report, spool


@pytest.mark.parametrize(
    "content", [b"", b"x", b"no database at all " * 1000, bytes(50_000)], ids=len
)
def test_what_is_no_database_is_set_aside(directory, content):
    """A file of something else is renamed and reported; the spool goes on."""
    left_by_another(directory, 10)
    path = directory / "1-01ARZ3NDEKTSV4RRFFQ69G5FAV.spool"
    path.write_bytes(content)
    old = time.time() - 3600
    os.utime(path, (old, old))
    numbers, report, spool = adopted(directory)

    assert numbers == list(range(10))
    assert not path.exists()
    if content:
        assert report.kinds == ["spool damaged"]
        assert str(path) in report[0][1]
        assert path.with_name(f"{path.name}.damaged").read_bytes() == content
        assert spool.problems == 1
    else:
        assert report == []


@pytest.mark.parametrize("pages", [3, 20, 50])
def test_of_a_truncated_file_the_beginning_is_saved(directory, pages):
    """A file that was cut off gives the calls before the cut, in order."""
    path = left_by_another(directory)
    os.truncate(path, pages * PAGE)
    numbers, report, _ = adopted(directory)

    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= (pages - 8) * 6
    assert report.kinds == ["spool damaged"]
    assert spool_files(directory) == []
    assert path.with_name(f"{path.name}.damaged") in directory.iterdir()


def test_around_a_damaged_page_both_sides_are_saved(directory):
    """Garbage in the middle of a file costs the calls that stood there, and no others."""
    path = left_by_another(directory)
    overwrite(path, 25 * PAGE, os.urandom(PAGE))
    numbers, report, _ = adopted(directory)

    assert numbers == sorted(numbers)
    assert 480 <= len(numbers) < 500
    assert numbers[0] == 0
    assert numbers[-1] == 499
    assert report.kinds == ["spool damaged"]


def expect_all_but_the_seventh(directory):
    """Of 20 calls, number 7 is reported lost, and the others are given."""
    report = Noting()
    spool = opened(directory, report)
    assert spool.adopt()[0] == 20
    assert drain(spool) == [number for number in range(20) if number != 7]
    assert spool.lost == 1
    assert report.kinds == ["spool damaged"]
    spool.close()


def test_a_call_that_was_altered_is_not_sent(directory):
    """A flipped byte within a call is noticed, though SQLite cannot; the call is counted lost."""
    path = left_by_another(directory, 20)
    content = path.read_bytes()
    where = content.index(b'"number":7,') + len(b'"number":')
    overwrite(path, where, b"8")
    expect_all_but_the_seventh(directory)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    "stored",
    [
        "text",
        b"",
        b"x" + envelope(7)[1:],
        envelope(7)[:20] + b"_" + envelope(7)[21:],
        envelope(7) + b" " * salvage.LARGEST_BYTES,
    ],
    ids=["text", "nothing", "no route", "no ULID", "too large"],
)
def test_what_is_no_call_is_not_sent_though_its_checksum_is_right(directory, stored):
    """It is counted lost, and all around it is sent."""
    path = left_by_another(directory, 20)
    crc = zlib.crc32(stored if isinstance(stored, bytes) else stored.encode())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE calls SET crc = ?, envelope = ? WHERE place = 8", (crc, stored))
    expect_all_but_the_seventh(directory)


def test_a_damaged_journal_is_reported_with_its_loss(directory):
    """Where SQLite cuts the journal silently, what is after it is found, and the rest counted."""
    path, wal = left_by_a_killed_process(directory)
    frames = (wal.stat().st_size - 32) // (PAGE + 24)
    before = wal.read_bytes()
    overwrite(wal, 32 + frames // 2 * (PAGE + 24) + 100, b"garbage")
    damaged = wal.read_bytes()
    assert damaged != before
    numbers, report, spool = adopted(directory)

    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 498
    assert report.kinds == ["spool damaged"]
    assert f"about {500 - len(numbers)} calls are lost" in report[0][1]
    assert path.with_name(f"{path.name}-wal.damaged").read_bytes() == damaged
    assert spool.problems == 1


def test_a_journal_with_a_damaged_header_is_reported(directory):
    """When SQLite ignores the whole journal, its calls are found; it is kept to be looked into."""
    path, wal = left_by_a_killed_process(directory, 100)
    overwrite(wal, 8, b"garbage!")
    damaged = wal.read_bytes()
    numbers, report, _ = adopted(directory)

    assert numbers == list(range(100))
    assert report.kinds == ["spool damaged"]
    assert "about 0 calls are lost" in report[0][1]
    assert path.with_name(f"{path.name}-wal.damaged").read_bytes() == damaged


def test_a_call_that_was_just_being_written_is_no_damage(directory):
    """A journal that ends in the middle of a frame, as a kill may leave it, is not reported."""
    _, wal = left_by_a_killed_process(directory, 100)
    os.truncate(wal, wal.stat().st_size - 10)
    numbers, report, _ = adopted(directory)

    assert numbers == list(range(99))
    assert report == []


def test_frames_of_an_earlier_journal_are_no_loss(tmp_path):
    """What SQLite left behind in a journal that it began anew does not count."""
    path = tmp_path / "x"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    for _ in range(20):
        connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    connection.execute("INSERT INTO t VALUES (1)")
    journal = path.with_name("x-wal")

    assert commits_after(journal, 1, 4096) == 0
    assert commits_after(journal, 0, 4096) == 1
    connection.close()
    assert commits_after(journal, 0, 4096) == 0


def test_a_file_emptied_under_its_journal_is_set_aside(directory):
    """SQLite would delete the journal of an empty file; what is in it is delivered."""
    path, wal = left_by_a_killed_process(directory)
    os.truncate(path, 0)
    content = wal.read_bytes()
    numbers, report, _ = adopted(directory)

    assert numbers == list(range(500))
    assert report.kinds == ["spool damaged"]
    assert path.with_name(f"{path.name}.damaged-wal").read_bytes() == content


def test_a_large_file_is_not_read_into_memory(directory):
    """One that was overwritten, or grew by a disk's fault, may be larger than memory."""
    path = left_by_another(directory, 100)
    overwrite(path, 0, bytes(16))
    large = 16 << 20
    os.truncate(path, large)
    tracemalloc.start()
    try:
        numbers, report, _ = adopted(directory)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert numbers == list(range(100))
    assert report.kinds == ["spool damaged"]
    assert most < large / 8


@pytest.mark.parametrize("mark", ["user_version", "application_id"])
def test_another_version_is_left_alone(directory, mark):
    """A file of another version, or another program, stays as it is, and is reported once."""
    path = left_by_another(directory, 5)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {mark} = 77")
    connection.close()
    before = path.read_bytes()
    report = Noting()
    spool = opened(directory, report)
    for _ in range(3):
        assert spool.adopt() == (0, 0)
    spool.close()

    assert report.kinds == ["spool version"]
    assert path.read_bytes() == before


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a process left that was closed, and one that was killed: some calls with more pages."""
    made = {}
    for how in ("closed", "killed"):
        directory = tmp_path_factory.mktemp(how) / "spool"
        if how == "closed":
            left_by_another(directory, 60)
        else:
            left_by_a_killed_process(directory, 60)
        made[how] = directory
    return made


# The file's header, the tables, the roots of their trees, the calls' own pages; and of the
# journal the header, a frame's header, and pages.
@pytest.mark.parametrize("damage", ["cut", "flip", "zero"])
@pytest.mark.parametrize("how", ["closed", "killed"])
def test_damage_at_any_structure(left, tmp_path, how, damage):
    """What can be read comes once and in order; the rest is said; nothing of it stays behind."""
    path = next(left[how].glob("*.spool"))
    names = [path.name] + [f"{path.name}-wal"] * (how == "killed")
    for name in names:
        size = (left[how] / name).stat().st_size
        for at in sorted(
            {0, 16, 18, 28, 100, 103, 108, PAGE + 3, PAGE + 12, 2 * PAGE + 4, size // 2}
        ):
            directory = tmp_path / f"{name[-4:]}{at}"
            shutil.copytree(left[how], directory)
            if damage == "cut":
                os.truncate(directory / name, at)
            else:
                content = (directory / name).read_bytes()[
                    at : at + (1 if damage == "flip" else 64)
                ]
                bad = bytes(each ^ 0x10 for each in content) if damage == "flip" else bytes(64)
                overwrite(directory / name, at, bad)
            report = Noting()
            spool = opened(directory, report)
            numbers = drain(spool)

            assert numbers == sorted(set(numbers)), at
            if damage == "flip" and name == path.name:
                assert len(numbers) >= 50, (at, report)
            # Of a journal that was cut off nobody knows how long it was.
            if len(numbers) < 60 and not (damage == "cut" and name != path.name):
                assert report.kinds, at
                assert "person" not in repr(report)
            assert spool.adopted == (0, 0), at
            spool.close()
            assert spool_files(directory) == [], (at, report)


def test_a_page_that_nobody_points_to_is_missed(directory):
    """SQLite would say nothing, and give what is on the other pages."""
    path = left_by_another(directory, 60)
    content = path.read_bytes()
    roots = [at for at in range(PAGE, len(content), PAGE) if content[at] == 0x05]
    (cells,) = struct.unpack_from(">H", content, roots[0] + 3)
    overwrite(path, roots[0] + 3, struct.pack(">H", cells - 2))
    numbers, report, _ = adopted(directory)

    assert numbers == list(range(60))
    assert report.kinds == ["spool damaged"]


class TestOwnFile:
    """When the file that is being written is damaged under its owner's hands."""

    @pytest.mark.parametrize("taken", [0, 100])
    def test_the_owner_goes_on(self, directory, taken):
        """What is readable comes out in order, with what came later after it; the rest counts."""
        report = Noting()
        spool = opened(directory, report)
        for number in range(500):
            spool.put(envelope(number))
        held = spool.take(taken)
        spool.forget(held[: taken // 2])
        spool._own.checkpoint()
        spool._own._execute("PRAGMA cache_size = 0")
        spool._own._fresh.clear()
        (path,) = spool_files(directory)
        # A process of its own, since to open the file here would drop SQLite's locks.
        _overwrite_elsewhere(path, 30 * PAGE)
        for number in range(500, 520):
            spool.put(envelope(number))
        numbers = list(map(number_of, spool.take(1000)))
        assert spool.in_memory == 0 or spool._degraded
        spool.forget(held[taken // 2 :])
        spool.put(envelope(520))

        assert numbers == sorted(numbers)
        assert numbers[0] == taken
        assert numbers[-1] == 519
        assert len(numbers) + spool.lost == 520 - taken
        assert 0 < spool.lost < 30
        assert "spool damaged" in report.kinds
        assert list(map(number_of, spool.take(10))) == [520]
        spool.close()
        assert set(left_in(directory)) == {*numbers, 520}

    def test_a_deleted_file_is_missed(self, directory):
        """When somebody deletes the directory, its calls move to a new one."""
        report = Noting()
        spool = opened(directory, report)
        for number in range(100):
            spool.put(envelope(number))
        spool.forget(spool.take(10))
        shutil.rmtree(directory)
        spool.put(envelope(100))
        spool.adopt()
        spool.put(envelope(101))

        assert spool.in_memory == 0
        assert spool.lost == 0
        assert "it was deleted" in report[0][1]
        assert len(spool_files(directory)) == 2
        spool.close()
        assert left_in(directory) == list(range(10, 102))


def _overwrite_elsewhere(path, start):
    code = f"""
with open(sys.argv[1], "r+b") as file:
    file.seek({start})
    file.write(os.urandom({PAGE}))
"""
    with child(code, path) as process:
        assert process.wait(CHILD_SECONDS) == 0
