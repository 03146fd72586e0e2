"""The spool's directory: whether it can be used, what waits there for whom, and dead letters."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cio_events._buffers.workspace import workspace_of
from cio_events._destinations import endpoints
from cio_events._process.diagnostics import calls
from cio_events.doctor.finding import Finding
from cio_events.doctor.set_up import SetUp
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found
from cio_events.doctor.words import since, size, span
from cio_events.errors import CustomerIOError

# Some minutes of a busy application.
_LITTLE = 256 * 1024 * 1024
_NEXT_TO_NOTHING = 16 * 1024 * 1024

# A process that runs takes over what others have left, within seconds.
_TAKEN_WITHIN_MS = 10 * 60 * 1000

_OF_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "virtiofs"}
)


def look(subject: Subject) -> Iterator[Finding]:
    """Look at the directory of each pipeline that has one."""
    seen = set()
    for one in subject.set_ups:
        directory = one.options.spool
        if directory is not None and directory not in seen:
            seen.add(directory)
            yield from _of_one(one, Path(directory).absolute(), subject)
    if not seen:
        yield found("S801")


def _of_one(one: SetUp, directory: Path, subject: Subject) -> Iterator[Finding]:
    # Not imported above: where there is no spool, Python may be without SQLite.
    from cio_events._buffers.spool import trust
    from cio_events._buffers.spool.sqlite import ERRORS

    setting = one.setting("spool", subject.environ)
    there = directory.exists() or directory.is_symlink()
    try:
        if there:
            trust.check_directory(directory)
        problem = _refusal(directory) if there else _refusal(_nearest(directory))
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        yield found("E802", setting, problem=problem)
        return
    findings = [*_of_disk(_nearest(directory), setting)]
    if not there:
        yield from findings or [found("I800", setting, summary="The spool is empty")]
        return
    try:
        findings += _of_contents(one, directory, setting)
    except (*ERRORS, CustomerIOError) as error:
        problem = f"what is in it cannot be read ({type(error).__name__})"
        findings.append(found("E802", setting, problem=problem))
    yield from findings or [found("I800", setting, summary="Nothing is wrong with the spool")]


def _refusal(directory: Path) -> str:
    if not directory.is_dir():
        return "it is not a directory"
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return "this user may not write there"
    return ""


def _nearest(directory: Path) -> Path:
    """*directory*, or the one above it that is there."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory


def _of_disk(directory: Path, setting: str) -> Iterator[Finding]:
    free = shutil.disk_usage(directory).free
    if free < _NEXT_TO_NOTHING:
        yield found("E804", setting, free=size(free))
    elif free < _LITTLE:
        yield found("W803", setting, free=size(free))
    kind = file_system(directory)
    if kind in _OF_NETWORK:
        yield found("W805", setting, kind=kind)


def file_system(directory: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of file system that *directory* is on, where Linux tells it; else ``""``."""
    if sys.platform != "linux":
        return ""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    path, best, kind = directory.resolve(), -1, ""
    for line in lines:
        parts = line.split(" ")
        point = Path(parts[1].replace("\\040", " "))
        # The last of equals lies over the others.
        if (point == path or point in path.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), parts[2]
    return kind


def _of_contents(one: SetUp, directory: Path, setting: str) -> Iterator[Finding]:
    from cio_events._buffers.spool.dead_letters import DeadLetters
    from cio_events._buffers.spool.inspection import files_in, set_aside_in

    files = files_in(directory)
    free = [each for each in files if each.state == "free" and each.calls]
    ours = endpoints.find(one.options, {}, None).workspace()
    theirs = [each for each in free if not ours.delivers(workspace_of(each.workspace))]
    if theirs:
        count = sum(each.calls or 0 for each in theirs)
        yield found("W806", setting, count=calls(count))
    mine = [each for each in free if each not in theirs]
    oldest = min((each.oldest for each in mine if each.oldest is not None), default=None)
    if oldest is not None:
        age = time.time() * 1000 - oldest
        max_age = one.options.max_age
        in_use = any(
            each.state == "in use" and ours.delivers(workspace_of(each.workspace))
            for each in files
        )
        if age > max_age * 1000:
            yield found("E809", setting, since=since(oldest), max_age=span(max_age))
        elif age > max_age * 500:
            yield found("W808", setting, since=since(oldest), max_age=span(max_age))
        elif in_use and age > _TAKEN_WITHIN_MS:
            count = sum(each.calls or 0 for each in mine)
            yield found("W807", setting, count=calls(count), since=since(oldest))
    shown = f'"${setting}"' if setting.startswith("CIO_") else "DIRECTORY"
    for heap in DeadLetters(directory).heaps():
        yield found(
            "W810",
            setting,
            count=calls(heap.count),
            reason=heap.reason,
            since=since(int(heap.oldest.timestamp() * 1000)),
            directory=shown,
        )
    damaged = len(set_aside_in(directory)) + sum(each.state == "damaged" for each in files)
    if damaged:
        yield found("W811", setting, count=damaged)
