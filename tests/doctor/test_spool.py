"""The spool's directory: what is wrong with it, whom what lies there waits for, and no trace."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cio_events import Pipeline, Track
from cio_events.doctor import spool
from tests.doctor.settings_of import GOOD, subject
from tests.support.scripts import environment, run_code
from tests.support.servers import ScriptedServer, answer, stall

KEYS = {"site_id": GOOD["CIO_SITE_ID"], "api_key": GOOD["CIO_API_KEY"]}
LONG = 30.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the spool is."""
    return tmp_path / "spool"


@pytest.fixture
def found(directory: Path) -> Callable[..., set[str]]:
    """What is found there; and that looking has left no trace."""

    def look(**environ: str) -> set[str]:
        before = traces(directory)
        settings = GOOD | {"CIO_SPOOL": str(directory)} | environ
        findings = list(spool.look(subject(settings)))
        assert traces(directory) == before
        assert all(str(directory) not in str(finding) for finding in findings)
        return {finding.id for finding in findings}

    return look


def traces(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that is in a directory, to the byte."""
    if not directory.is_dir():
        return {}
    return {
        path.name: (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in sorted(directory.iterdir())
        if path.is_file()
    }


def leave_a_call(directory: Path, **options: str) -> None:
    """Have a process come and go that could not deliver its one call."""
    with ScriptedServer([stall()] * 9) as server:
        pipeline = Pipeline(**KEYS | options, track_url=server.url, spool=str(directory))
        pipeline.send(Track("5", "purchase"))
        pipeline.close(0)


def test_no_spool_is_no_fault() -> None:
    """And one that was not made yet is none."""
    assert [one.id for one in spool.look(subject(GOOD))] == ["S801"]


def test_a_directory_that_is_not_there_yet(found: Callable[..., set[str]]) -> None:
    """Is made by the first process, and not by the doctor."""
    assert found() == {"I800"}


def test_a_directory_that_cannot_be_ours(
    directory: Path, tmp_path: Path, found: Callable[..., set[str]]
) -> None:
    """Others may write there; it is a link; it is no directory."""
    directory.mkdir(mode=0o700)
    assert found() == {"I800"}
    directory.chmod(0o777)
    assert found() == {"E802"}
    directory.rmdir()
    directory.symlink_to(tmp_path)
    assert found() == {"E802"}
    directory.unlink()
    directory.write_text("a file")
    assert found() == {"E802"}


@pytest.mark.parametrize(("free", "expected"), [(1e9, "I800"), (1e8, "W803"), (1e6, "E804")])
def test_little_space_is_found(
    free: float,
    expected: str,
    found: Callable[..., set[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before it is none."""
    usage = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=int(free)))
    monkeypatch.setattr(spool, "shutil", usage)

    assert found() == {expected}


def test_a_network_file_system_is_known_by_its_mount(tmp_path: Path) -> None:
    """The nearest mount counts, and of equals the last."""
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\n"
        f"server:/x {tmp_path} nfs4 rw 0 0\n"
        f"overlay {tmp_path}/local\\040disk xfs rw 0 0\n"
    )
    (tmp_path / "local disk").mkdir()

    assert spool.file_system(tmp_path / "local disk", mounts) == "xfs"
    assert spool.file_system(tmp_path, mounts) == "nfs4"
    assert spool.file_system(Path("/usr"), mounts) == "ext4"
    assert spool.file_system(tmp_path, tmp_path / "missing") == ""


def test_calls_of_another_workspace_are_told(
    directory: Path, found: Callable[..., set[str]]
) -> None:
    """No process with these settings delivers them."""
    leave_a_call(directory)

    assert found() == {"W806"}


def test_the_oldest_call_is_held_against_max_age(
    directory: Path, found: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning at half of it, an error behind it."""
    with ScriptedServer([stall()] * 9) as server:
        options = {**KEYS, "track_url": server.url, "spool": str(directory)}
        pipeline = Pipeline(**options)
        pipeline.send(Track("5", "purchase"))
        pipeline.close(0)
        url = {"CIO_TRACK_URL": server.url}
    now = time.time()

    for hours, expected in ((1, {"I800"}), (40, {"W808"}), (80, {"E809"})):
        monkeypatch.setattr(
            spool, "time", SimpleNamespace(time=lambda hours=hours: now + hours * 3600)
        )
        assert found(**url) == expected


def test_dead_letters_are_told_with_the_command_that_shows_them(
    directory: Path, found: Callable[..., set[str]]
) -> None:
    """By reason; the directory is the variable's, so that no path is shown."""
    with ScriptedServer([answer(400, b'{"meta":{"error":"no"}}')] * 4) as server:
        pipeline = Pipeline(**KEYS, track_url=server.url, spool=str(directory), flush_interval=0)
        pipeline.send(Track("5", "purchase"))
        assert pipeline.flush(LONG)
        pipeline.close(LONG)

    assert found() == {"W810"}
    settings = GOOD | {"CIO_SPOOL": str(directory)}
    (letters,) = spool.look(subject(settings))
    assert '`cio-events spool list "$CIO_SPOOL" --reason rejected`' in letters.fix


def test_what_is_damaged_is_told(directory: Path, found: Callable[..., set[str]]) -> None:
    """Set aside, or to be."""
    directory.mkdir(mode=0o700)
    (directory / f"{os.getpid()}-x.spool.1.damaged").write_bytes(b"?")

    assert found() == {"W811"}


def test_orphans_beside_a_process_that_runs_are_told(
    directory: Path, found: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It should have taken them long ago."""
    from cio_events._buffers.spool import inspection

    old = int(time.time() * 1000) - 3_600_000
    seen = [
        inspection.FileSeen(directory / "1-a.0.0.spool", 1, "in use", None, 1, "0.0"),
        inspection.FileSeen(directory / "2-b.0.0.spool", 2, "free", 3, 1, "0.0", old),
    ]
    directory.mkdir(mode=0o700)
    monkeypatch.setattr(inspection, "files_in", lambda _: seen)

    assert found() == {"W807"}


def test_calls_for_a_relay_wait_for_pipelines_with_that_relay(
    directory: Path, found: Callable[..., set[str]]
) -> None:
    """And for no others, which deliver to Customer.io or under another prefix."""
    pipeline = Pipeline(relay="redis://user:secret@127.0.0.1:1", spool=str(directory))
    pipeline.send(Track("5", "purchase"))
    pipeline.close(0)
    relay = {"CIO_RELAY": "redis://127.0.0.1:1"}
    assert found(**relay) == {"I800"}
    assert found(**relay, CIO_RELAY_PREFIX="staging") == {"W806"}
    assert found() == {"W806"}


def test_a_python_without_sqlite_can_be_examined() -> None:
    """Where there is no spool, nothing needs it."""
    code = "import sys; sys.modules['sqlite3'] = None; import cio_events.doctor.spool"
    run_code(code, env=environment())
