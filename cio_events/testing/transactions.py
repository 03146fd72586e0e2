"""Log calls that wait for the commit of a transaction, as a test's transaction never commits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any


def waiting() -> Iterator[str]:
    """Say of each of Django's open transactions how many functions wait for its commit."""
    # Not imported: where nobody has, nothing waits.
    database: Any = sys.modules.get("django.db")
    if database is None:
        return
    for connection in database.connections.all(initialized_only=True):
        many = len(connection.run_on_commit)
        if many:
            what = "1 function waits" if many == 1 else f"{many} functions wait"
            yield (
                f"{what} for a commit (transaction.on_commit, database {connection.alias!r}), and "
                "a test that is rolled back makes none: django_capture_on_commit_callbacks("
                "execute=True) runs them"
            )
