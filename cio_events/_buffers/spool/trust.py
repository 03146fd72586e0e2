"""
Whether a spool's directory is ours: as sshd asks of a person's keys, nobody else may write there.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

# What the files of a spool are called; what else lies there is none of ours.
SUFFIXES = (".spool", ".sqlite")
_OF_SQLITE = ("-wal", "-shm", "-journal", "-ends")


class NotOursError(OSError):
    """The directory of a spool, or a file in it, may be written by somebody else."""


def check_directory(directory: Path) -> None:
    """
    Raise unless *directory* and all files of a spool in it are ours.

    Raises:
        NotOursError: They are not; the text says what is wrong.

        OSError: They cannot be looked at.
    """
    found = directory.stat(follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        raise NotOursError("it is a link; give the path of the directory itself")
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, "it is not a directory", str(directory))
    _check_owner(found, "it")
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_of_spool(entry.name):
                try:
                    seen = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if not stat.S_ISDIR(seen.st_mode):
                    check_file(entry.name, seen)


def check_parents(directory: Path) -> None:
    """
    Raise if another user may put a directory of his in the place of *directory*.

    Raises:
        NotOursError: He may, as a directory or a link above it is his, or may be written by him
            and is not sticky; the text says which.

        OSError: They cannot be looked at.
    """
    if sys.platform == "win32":
        return
    for parent in dict.fromkeys([*directory.parents, *directory.resolve().parents]):
        found = parent.stat(follow_symlinks=False)
        what = f"{str(parent)!a} above it"
        if found.st_uid not in (0, os.geteuid()):
            raise NotOursError(f"{what} belongs to another user (uid {found.st_uid})")
        if stat.S_ISDIR(found.st_mode) and _others_may_replace(found):
            raise NotOursError(
                f"{what} can be written by others (mode {stat.S_IMODE(found.st_mode):o}); "
                "take that right away (chmod go-w) or make it sticky (chmod +t)"
            )


def _others_may_replace(found: os.stat_result) -> bool:
    if found.st_mode & stat.S_ISVTX:
        return False
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_ours_alone(found.st_gid, os.geteuid())


@cache
def _is_ours_alone(group: int, user: int) -> bool:
    """
    Whether nobody else is in it: the group that many systems give each user, or root's.

    Who has which as his first one is not asked: that would be to read all users there are, by
    LDAP perhaps.
    """
    # Windows has neither, and they are rarely needed.
    import grp
    import pwd

    us = set()
    for each in (0, user):
        with suppress(KeyError):
            us.add(pwd.getpwuid(each).pw_name)
    try:
        found = grp.getgrgid(group)
    except KeyError:
        return False
    ours = group in (os.getegid(), *os.getgroups())
    return ours and found.gr_name in us and us.issuperset(found.gr_mem)


def check_file(name: str, found: os.stat_result) -> None:
    """
    Raise unless the file of that *name*, as it was *found*, can be one that we have made.

    Raises:
        NotOursError: It cannot; the text says what is wrong.
    """
    name = ascii(name)
    if stat.S_ISLNK(found.st_mode):
        raise NotOursError(f"{name} in it is a link")
    if not stat.S_ISREG(found.st_mode):
        raise NotOursError(f"{name} in it is no file")
    if found.st_nlink > 1 and sys.platform != "win32":
        raise NotOursError(f"{name} in it has another name elsewhere")
    _check_owner(found, f"{name} in it")


def is_of_spool(name: str) -> bool:
    """Whether a file of this *name* is a spool's."""
    for ending in _OF_SQLITE:
        name = name.removesuffix(ending)
    return name.endswith(SUFFIXES)


def _check_owner(found: os.stat_result, what: str) -> None:
    if sys.platform == "win32":
        return
    if found.st_uid != os.geteuid():
        raise NotOursError(f"{what} belongs to another user (uid {found.st_uid})")
    if found.st_mode & _OTHERS_MAY_WRITE:
        raise NotOursError(
            f"{what} can be written by others (mode {stat.S_IMODE(found.st_mode):o}); "
            "take that right away (chmod go-w)"
        )
