"""
The process's default pipeline, and the pipelines that handlers' options make.

Records and verbs go to the default pipeline unless they are told another.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from cio_events._exported import exported
from cio_events._process import forks
from cio_events._process.diagnostics import warn_few, warn_once
from cio_events._process.tracebacks import without_locals

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cio_events._pipeline.pipeline import Pipeline
    from cio_events.options import OptionArguments, Options

_lock = threading.RLock()  # guards what follows; re-entrant, as an interrupt may log


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


class Pipelines:
    """
    The pipelines that a process has by their options.

    Attributes:
        made: All of them that are not closed; the same options mean the same pipeline.

        default: What `get_pipeline` gives; None until it is asked for.

        configured: What `configure` made last.

        from_environment: The one that the environment's settings make; without credentials there,
            it drops calls.

        handlers: Those that handlers' options made, in order, and how many handlers have each.
    """

    def __init__(self) -> None:
        self.made: list[Pipeline] = []
        self.default: Pipeline | None = None
        self.configured: Pipeline | None = None
        self.from_environment: Pipeline | None = None
        self.handlers: dict[Pipeline, int] = {}

    def close(self) -> None:
        """Close all of them, without waiting."""
        for pipeline in self.made:
            pipeline.close(0)


process = Pipelines()
"""This process's."""


@exported
@without_locals
def configure(**options: Unpack[OptionArguments]) -> Pipeline:
    """
    Make the process's default pipeline.

    The same options again give the same pipeline. With others there is a new default; the one
    before goes on delivering what it has. Without any, it is the default as it is
    (`get_pipeline`).

    Args:
        options: As in `Options`.

    Raises:
        ParamError: As in `Pipeline`.
    """
    if not options:
        return get_pipeline()
    forks.in_child(_renew_lock)
    with _lock:
        before = process.default
        pipeline = _made_of(options)
        process.configured = process.default = pipeline
        if before is not None and before is not pipeline and not process.handlers.get(before):
            before.retire()
        return pipeline


@exported
def get_pipeline() -> Pipeline:
    """
    The process's default pipeline.

    It is what `configure` made; else what the environment's credentials make (``CIO_SITE_ID`` and
    so on); else the one that a `CustomerIOHandler`'s options made. Where there is none of them,
    calls are dropped as ``unconfigured``, and a warning says so.
    """
    return process.default or _find_default()


@without_locals
def pipeline_of_handler(options: OptionArguments) -> Pipeline:
    """
    The pipeline of a handler with these *options*; without credentials, the environment's.

    Raises:
        ParamError: As in `Pipeline`.
    """
    forks.in_child(_renew_lock)
    with _lock:
        pipeline = _made_of(options)
        if not {"site_id", "api_key", "app_api_key", "relay"}.isdisjoint(options):
            if process.default is process.from_environment and not _works(process.default):
                process.default = None  # nobody's calls are delivered by it
        elif process.from_environment is None:
            process.from_environment = pipeline
        process.handlers[pipeline] = process.handlers.get(pipeline, 0) + 1
        return pipeline


def leave(pipeline: Pipeline) -> None:
    """
    A handler with options is done with its *pipeline*.

    Called under logging's lock: nothing is waited for.
    """
    process.handlers[pipeline] = max(process.handlers.get(pipeline, 0) - 1, 0)


def _find_default() -> Pipeline:
    forks.in_child(_renew_lock)
    with _lock:
        if process.default is not None:
            return process.default
        of_handlers = [one for one in process.handlers if one is not process.from_environment]
        # A handler that dictConfig has replaced may have left calls behind, and is done with.
        of_handlers = [one for one in of_handlers if process.handlers[one]] or of_handlers
        if process.from_environment is None and (
            not of_handlers or _has_credentials(_options({}))
        ):
            process.from_environment = _made_of({})
        found = process.from_environment
        if of_handlers and not _works(found):
            if len(of_handlers) > 1:
                warn_once(
                    "several defaults",
                    "several CustomerIOHandlers have options of their own, and nothing says which "
                    "pipeline is the default: it is the first one's; configure() can say another",
                )
            found = of_handlers[0]
        assert found is not None  # noqa: S101 - there is one or the other
        process.default = found
        return found


def _made_of(options: OptionArguments) -> Pipeline:
    """The pipeline of these *options*: a new one, unless there is one that is not closed."""
    # Not imported above: a process that only sets up its loggers needs none of all this yet.
    with forks.late_imports():
        from cio_events._pipeline.pipeline import Pipeline

    wanted = _options(options)
    process.made[:] = [pipeline for pipeline in process.made if not pipeline.closed]
    for pipeline in process.made:
        if pipeline.options == wanted:
            return pipeline
    # A handler that dictConfig has replaced needs its thread no more, once all is delivered.
    for pipeline, handlers in list(process.handlers.items()):
        if not handlers and pipeline is not process.default:
            pipeline.retire()
            if pipeline.closed or not pipeline.stats().pending:
                del process.handlers[pipeline]
                process.made = [other for other in process.made if other is not pipeline]
    made = Pipeline(**options)
    process.made.append(made)
    _say_misspelt()
    return made


def _say_misspelt() -> None:
    """Say once of each variable that nobody reads which one may be meant."""
    with forks.late_imports():
        from cio_events.options import misspelt

    for variable, meant in misspelt(os.environ):
        warn_few("misspelt", variable, f"is no setting, and is not read; is it {meant}?")


def _options(options: OptionArguments) -> Options:
    with forks.late_imports():
        from cio_events.options import options_from

    return options_from(options)[0]


def _has_credentials(options: Options) -> bool:
    own = (options.site_id and options.api_key) or options.app_api_key or options.relay
    return bool(own)


def _works(pipeline: Pipeline | None) -> bool:
    return pipeline is not None and _has_credentials(pipeline.options)
