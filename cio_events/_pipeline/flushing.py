"""
Delivery before a function returns, for functions that are frozen after they have.

What is flushed, and how, is the pipeline's own matter.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from cio_events._calls.validation import valid_seconds
from cio_events._exported import exported
from cio_events._pipeline.default import get_pipeline
from cio_events._pipeline.pipeline import Pipeline
from cio_events._process.diagnostics import calls, warn
from cio_events._process.servers import off_the_loop
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from typing_extensions import Self

    F = TypeVar("F", bound=Callable[..., Any])

# AWS Lambda ends a function after 3 seconds, unless it is told otherwise.
_SECONDS = 2.0


@exported
class flushing:  # noqa: N801 - read as `contextlib.suppress` and its like are
    """
    Deliver what is pending when a function, or a block, is left: also by an exception.

    AWS Lambda, for example, freezes a process as soon as its handler has returned, with all
    that waits in it::

        @cio_events.flushing()
        def handler(event, context): ...

    It is a decorator for functions and coroutine functions, and a context manager for ``with``
    and ``async with``; there, the event loop is not blocked. What cannot be delivered in time
    stays pending, and a warning says how many calls that are.

    Args:
        pipeline: What to flush; None is the default pipeline.

        timeout: Seconds to wait at the most. The default, 2, is less than the 3 that AWS gives a
            function unless it is told otherwise.

    Raises:
        ParamError: An argument is invalid.
    """

    made: ClassVar[bool] = False
    """Whether this process has made one."""

    def __init__(self, pipeline: Pipeline | None = None, *, timeout: float = _SECONDS) -> None:
        if pipeline is not None and not isinstance(pipeline, Pipeline):
            raise ParamError("pipeline", "must be a Pipeline; the decorator is @flushing()")
        self._pipeline = pipeline
        self._timeout = valid_seconds(timeout, "timeout")
        flushing.made = True

    def __call__(self, function: F) -> F:
        """
        Have *function* flush before it returns.

        Raises:
            ParamError: *function* is a generator function, which returns before it runs.
        """
        wrapper: Callable[..., Any]
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ParamError("function", "must not be a generator; use a with block inside it")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                async with self:
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return cast("F", wrapper)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await off_the_loop(self._flush)

    def _flush(self) -> None:
        pipeline = self._pipeline or get_pipeline()
        if not pipeline.flush(self._timeout):
            warn(
                "flushing",
                lambda: (
                    f"{calls(pipeline.stats().pending)} could not be delivered before the "
                    "function returned; what is pending is tried when it is called again"
                ),
            )
