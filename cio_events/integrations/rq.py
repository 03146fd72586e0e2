"""RQ's workers: a process that did a job delivers before it ends, which no hook sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cio_events._process import exits

if TYPE_CHECKING:  # what these inherit in turn has no types
    _Worker = object
    _SpawnWorker = object
    _SimpleWorker = object
else:
    from rq import SimpleWorker as _SimpleWorker
    from rq import SpawnWorker as _SpawnWorker
    from rq import Worker as _Worker


class _Delivering:
    """A worker that delivers when a job is done, or has failed."""

    def perform_job(self, *args: Any, **kwargs: Any) -> bool:
        """Do the job, and wait for at most ``exit_timeout`` until its events are delivered."""
        try:
            return bool(super().perform_job(*args, **kwargs))  # type: ignore[misc]
        finally:
            exits.flush()


class Worker(_Delivering, _Worker):
    """
    RQ's `Worker`, whose work horses deliver before they end by ``os._exit``.

    One setting, and no code::

        rq worker --worker-class cio_events.integrations.rq.Worker
    """


class SpawnWorker(_Delivering, _SpawnWorker):
    """RQ's `SpawnWorker`, likewise."""


class SimpleWorker(_Delivering, _SimpleWorker):
    """RQ's `SimpleWorker`; it does its jobs itself, and delivers after each."""
