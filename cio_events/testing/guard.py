"""Bind this process, and those that it starts, to loopback."""

from __future__ import annotations

import os

from cio_events._http.loopback import VARIABLE
from cio_events._pipeline import recording


def only_loopback() -> None:
    """
    From now on, let no pipeline and no client reach a host that is not loopback.

    It holds in all threads and in child processes, which inherit the environment variable
    ``CIO_ONLY_LOOPBACK``; setting that does the same for a whole process tree. Neither a target
    nor a proxy elsewhere is looked up. A client's call raises `cio_events.NoAnswerError`; a
    pipeline's is dropped as ``disabled``, with a warning that names the host, the kind of call
    and the line that made it.
    """
    os.environ[VARIABLE] = "1"
    recording.bind()
