"""
The process's default pipeline: the one that a tagged record goes to, unless it is told another.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cio_events._exported import exported
from cio_events._process import forks
from cio_events._process.tracebacks import without_locals

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cio_events._pipeline.pipeline import Pipeline
    from cio_events.options import OptionArguments

_lock = threading.RLock()  # guards the two below; re-entrant, as an interrupt may log


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


_configured: list[Pipeline] = []
_default: Pipeline | None = None


@exported
@without_locals
def configure(**options: Unpack[OptionArguments]) -> Pipeline:
    """
    Make the process's default pipeline.

    The same options again give the same pipeline. With others there is a new default; the one
    before goes on delivering what it has.

    Raises:
        ParamError: As in `Pipeline`.
    """
    global _default
    # Not imported above: a process that only sets up its loggers needs none of all this yet.
    with forks.late_imports:
        from cio_events._pipeline.pipeline import Pipeline
        from cio_events.options import options_from

    forks.in_child(_renew_lock)
    wanted, _ = options_from(options)
    with _lock:
        _configured[:] = [pipeline for pipeline in _configured if not pipeline.closed]
        for pipeline in _configured:
            if pipeline.options == wanted:
                _default = pipeline
                return pipeline
        _configured.append(Pipeline(**options))
        _default = _configured[-1]
        return _default


def default_pipeline() -> Pipeline:
    """
    The process's default pipeline, made from the environment if `configure` was not called.
    """
    return _default or configure()
