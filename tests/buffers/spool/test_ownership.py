"""Whose a spool's directory and files are: this user's, this process's, this workspace's."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal

import pytest

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool import trust
from cio_events._buffers.workspace import Workspace, fingerprint
from tests.support.spools import (
    CHILD_SECONDS,
    Noting,
    SpoolWithPut,
    child,
    drain,
    envelope,
    left_in,
    number_of,
    opened,
    run_child,
    spool_files,
)

ONE, OTHER = (Workspace(fingerprint("https://track", site)) for site in ("1", "2"))


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


def fill(directory, count=10, workspace=ONE):
    """A spool with some calls."""
    spool = SpoolWithPut(directory, report=Noting(), workspace=workspace)
    for number in range(count):
        spool.put(envelope(number))
    return spool


def test_a_live_file_is_not_adopted_though_the_application_copies_it(directory):
    """SQLite's own locks go when somebody closes a descriptor of the file; ours do not."""
    spool = opened(directory)
    spool.put(envelope(0))
    shutil.copytree(directory, directory.with_name("copy"))
    code = "spool = opened(directory); print(spool.adopt(), drain(spool))"

    assert run_child(code, directory) == "(0, 0) []\n"
    spool.put(envelope(1))
    assert drain(spool) == [0, 1]


def test_another_workspace_gets_nothing(directory):
    """Calls and dead letters are for pipelines with the same URLs and site id."""
    gone = fill(directory)
    gone.dead_letter(gone.take(1), [Failure("rejected", 400, "no")])
    gone.close()
    report = Noting()
    other = SpoolWithPut(directory, report=report, workspace=OTHER)

    assert other.adopt() == (0, 0)
    assert report.kinds == ["spool workspace"]
    assert list(other.failures()) == []
    assert other.resend() == other.discard() == 0
    same = SpoolWithPut(directory, report=Noting(), workspace=ONE)
    assert same.resend() == 1
    assert other.adopt() == (0, 0)
    assert sorted(drain(same)) == list(range(10))


def test_nothing_secret_can_be_read_from_a_workspace():
    """It is a fingerprint of few bytes, another one for each key."""
    one = fingerprint("https://track", "a-secret")

    assert len(one) == 16
    assert "secret" not in one
    assert one != fingerprint("https://track", "b-secret") != fingerprint("https://b", "b-secret")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda d: d.chmod(0o770), "can be written by others"),
        (lambda d: d.chmod(0o707), "can be written by others"),
        (lambda d: (d.rename(d.with_name("x")), d.symlink_to(d.with_name("x"))), "is a link"),
        (lambda d: (d / "1-A.spool").symlink_to("/etc/passwd"), "is a link"),
        (lambda d: os.link(spool_files(d)[0], d.parent / "linked"), "another name"),
        (lambda d: os.mkfifo(d / "dead-letters.sqlite"), "no file"),
        (lambda d: spool_files(d)[0].chmod(0o666), "can be written by others"),
    ],
    ids=["group", "all", "link", "planted link", "hard link", "fifo", "file"],
)
def test_a_directory_that_is_not_ours_is_not_used(directory, wrong, said):
    """Calls wait in memory, and a warning says what is wrong; nothing of it is delivered."""
    fill(directory).close()
    wrong(directory)
    report = Noting()
    spool = opened(directory, report)
    spool.put(envelope(99))

    assert report.kinds == ["spool"]
    assert said in report[0][1]
    assert spool.in_memory == 1
    assert drain(spool)[-1] == 99


@pytest.mark.parametrize(
    ("mode", "refused"),
    [(0o755, False), (0o777, True), (0o1777, False), (0o775, False)],
    ids=["ours", "everybody", "sticky", "a group of one"],
)
def test_nobody_else_may_put_another_in_its_place(tmp_path, mode, refused):
    """A directory above it that others may write is as bad as its own, unless it is sticky."""
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(mode)
    report = Noting()
    spool = opened(above / "between" / "spool", report)
    spool.put(envelope(1))

    assert spool.in_memory == int(refused)
    assert report.kinds == ["spool"] * refused
    if refused:
        assert f"{str(above)!r} above it can be written by others (mode 777)" in report[0][1]
        assert "chmod +t" in report[0][1]
    assert drain(spool) == [1]


def test_the_users_of_the_system_are_not_read(tmp_path, monkeypatch):
    """There may be thousands, in a directory far away; and nobody asks at a log call."""
    asked = []
    monkeypatch.setattr(pwd, "getpwall", lambda: pytest.fail("all users were read"))
    real = grp.getgrgid
    monkeypatch.setattr(grp, "getgrgid", lambda group: (asked.append(group), real(group))[1])
    trust._is_ours_alone.cache_clear()
    tmp_path.chmod(0o775)
    spool = opened(tmp_path / "spool")
    spool.put(envelope(0))
    for number in range(1, 4):
        shutil.rmtree(tmp_path / "spool")
        spool.put(envelope(number))

    assert spool.in_memory == 0
    assert asked == [os.getegid()]
    assert drain(spool) == [0, 1, 2, 3]


def test_a_group_with_others_in_it_is_not_ours_alone(tmp_path, monkeypatch):
    """Nor is one that we are in with everybody, as `users` is."""
    here = grp.getgrgid(os.getegid())
    for name, members in ((here.gr_name, [*here.gr_mem, "somebody"]), ("users", [])):
        found = grp.struct_group((name, "x", here.gr_gid, members))
        monkeypatch.setattr(grp, "getgrgid", lambda _, found=found: found)
        trust._is_ours_alone.cache_clear()
        tmp_path.chmod(0o775)
        spool = opened(tmp_path / "spool")
        spool.put(envelope(0))

        assert spool.in_memory == 1
        spool.close()
    trust._is_ours_alone.cache_clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_nobody_else_may_own_what_is_above_it(tmp_path):
    """Its owner may rename what is in it, and a link leads where its owner wants."""
    above, link = tmp_path / "above", tmp_path / "link"
    (above / "inner").mkdir(parents=True)
    link.symlink_to(above / "inner")
    os.chown(link, 65534, 65534, follow_symlinks=False)
    for parent, theirs in ((link, link), (above, above)):
        if theirs is above:
            os.chown(above, 65534, 65534)
        report = Noting()
        spool = opened(parent / "spool", report)
        spool.put(envelope(1))

        assert spool.in_memory == 1
        assert f"{str(theirs)!r} above it belongs to another user" in report[0][1]
        assert len(spool.close()) == 1


def test_what_is_made_above_it_is_ours_alone(tmp_path):
    """Whatever the umask of a daemon."""
    before = os.umask(0)
    try:
        spool = opened(tmp_path / "a" / "b" / "spool")
        spool.put(envelope(1))
    finally:
        os.umask(before)

    assert spool.in_memory == 0
    modes = [(tmp_path / each).stat().st_mode & 0o777 for each in ("a", "a/b", "a/b/spool")]
    assert modes == [0o755, 0o755, 0o700]
    spool.close()


def test_what_does_not_look_like_ours_does_not_matter(directory):
    """A mount's own directory, a README: none of them is a spool's."""
    fill(directory, 2).close()
    (directory / "lost+found").mkdir(mode=0o777)
    (directory / "README").symlink_to("/etc/passwd")

    assert left_in(directory) == []
    assert drain(SpoolWithPut(directory, report=Noting(), workspace=ONE)) == [0, 1]


def test_a_stranger_s_database_is_not_run(directory):
    """A file with anything but our tables is set aside, calls in it or not."""
    fill(directory, 3, Workspace()).close()
    code = """
import sqlite3
connection = sqlite3.connect(next(directory.glob("*.spool")))
connection.execute("ALTER TABLE calls RENAME TO real")
connection.execute('''CREATE VIEW calls AS WITH RECURSIVE n(place) AS
    (SELECT 1 UNION ALL SELECT place + 1 FROM n) SELECT place, 0 crc, x'00' envelope FROM n''')
connection.commit()
"""
    run_child(code, directory)
    report = Noting()
    spool = opened(directory, report)

    assert drain(spool) in ([], [0, 1, 2])
    assert report.kinds == ["spool damaged"]


def test_a_child_adopts_the_file_of_its_dead_parent(directory):
    """Once the parent is gone, its calls go with the child that lives on."""
    code = """
spool = opened(directory)
for number in range(5):
    spool.put(envelope(number))
out, into = os.pipe()
if os.fork():
    os.close(out)
    os.kill(os.getpid(), signal.SIGKILL)
os.close(into)
os.read(out, 1)  # until the parent has gone
end = time.monotonic() + 20
numbers = []
while not numbers and time.monotonic() < end:
    numbers = drain(spool)
print(*numbers, flush=True)
os._exit(0)
"""
    with child(code, directory) as process:
        assert process.stdout.readline().split() == list("01234")
        process.wait(CHILD_SECONDS)


def test_closed_descriptors_are_noticed_before_the_next_write(directory, tmp_path):
    """A daemon's files get the numbers; not a byte of ours goes there, and no call is lost."""
    code = """
from cio_events._buffers.failures import Failure
spool = opened(directory)
for number in range(5):
    spool.put(envelope(number))
held = spool.take(2)
spool.dead_letter(spool.take(1), [Failure("rejected", 400, None)])
os.closerange(3, 64)
mine = [open(Path(sys.argv[2]) / f"{n}.txt", "w+b", buffering=0) for n in range(40)]
for file in mine:
    file.write(b"mine")
spool.put(envelope(5))
spool.forget(held)
numbers = drain(spool)
spool.put(envelope(6))
spool.dead_letter(spool.take(1), [Failure("rejected", 400, None)])
spool.put(envelope(7))
spool.close()
for file in mine:
    file.seek(0)
    assert file.read() == b"mine", file.name
print(*numbers)
os._exit(0)
"""
    files = tmp_path / "files"
    files.mkdir()

    assert run_child(code, directory, files).split() == list("345")
    assert left_in(directory) == [7]
    assert len(list(opened(directory).failures())) == 2


def test_resent_calls_are_as_old_as_the_resend(directory):
    """After four days a call is not too old again."""
    spool = opened(directory)
    spool.put(envelope(1))
    spool.dead_letter(spool.take(1), [Failure("expired", None, None)])
    before = next(spool.failures()).failed_at.timestamp() * 1000
    assert spool.resend() == 1
    spool.adopt()
    (again,) = spool.take(5)

    assert number_of(again) == 1
    assert int.from_bytes(again[1:7], "big") >= before


def test_nothing_delivered_stays(directory):
    """Of an idle process, and of one that waits for another call, no byte of it is left."""
    spool = opened(directory)
    for number in range(200):
        spool.put(envelope(number, route=b"2"))
    taken = spool.take(200)
    spool.forget(taken[:150])
    spool.dead_letter(taken[150:151], [Failure("rejected", 400, "no")])
    spool.discard()
    spool._retire_own()
    spool.adopt()
    content = b"".join(path.read_bytes() for path in directory.iterdir())
    assert b'"number":140,' not in content
    assert b'"number":150,' not in content
    assert b'"number":180,' in content
    spool.forget(taken[151:])
    spool.put(envelope(500))
    spool.forget(spool.take(1))
    spool.adopt()
    spool.adopt()

    assert b'"number":' not in b"".join(path.read_bytes() for path in directory.iterdir())


def test_late_calls_at_an_exit_share_a_file(directory):
    """However many come after the last delivery, there is one file more, not one for each."""
    spool = opened(directory)
    spool.put(envelope(0))
    spool.close(ending=True)
    for number in range(1, 30):
        spool.put(envelope(number))
        taken = spool.take(100)
        assert spool.close(taken, ending=True) == []

    assert len(spool_files(directory)) == 2
    for file in spool._files():
        file.close()
    assert left_in(directory) == list(range(30))


@pytest.mark.parametrize("end", ["close", "kill"])
@pytest.mark.parametrize("route", ["APP", "BATCH"])
def test_on_a_full_disk_an_end_is_an_end(directory, route, end):
    """A message goes only with its mark; and what has ended does not come back after a restart."""
    code = f"""
import resource
from cio_events._buffers.failures import Failure
from cio_events._wire.envelope import Route
spool = opened(directory)
for number in range(12):
    spool.put(envelope(number, 100, Route.{route}))
taken = spool.take(12)
assert spool.sending(taken[0])
full = max(path.stat().st_size for path in directory.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
assert not spool.sending(taken[1])
spool.forget(taken[4:8])
spool.forget(taken[:1])
spool.dead_letter(taken[9:10], [Failure("ambiguous", None, None)])
if sys.argv[2] == "kill":
    os.kill(os.getpid(), 9)
assert spool.close(taken[1:4] + taken[8:9] + taken[10:]) == []
"""
    with child(code, directory, end) as process:
        assert process.wait(CHILD_SECONDS) == (0 if end == "close" else -signal.SIGKILL)

    assert left_in(directory) == [1, 2, 3, 8, 10, 11]
    (letter,) = opened(directory).failures()
    assert (number_of(letter.envelope), letter.reason) == (9, "ambiguous")
