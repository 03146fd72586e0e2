"""Keep settings out of tracebacks: error trackers show the local variables of each frame."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from cio_events.errors import ParamError

P = ParamSpec("P")
T = TypeVar("T")


def without_locals(function: Callable[P, T]) -> Callable[P, T]:
    """Have a `ParamError` of *function* show no frame that holds its arguments."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except ParamError as error:
            refused = error
        del args, kwargs
        refused.__cause__ = refused.__context__ = None
        raise refused.with_traceback(None)

    return wrapper
