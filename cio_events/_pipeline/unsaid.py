"""Say of which values a call says nothing, since they have no form in JSON."""

from __future__ import annotations

from collections.abc import Callable

from cio_events._process.diagnostics import Diagnostics, where
from cio_events._wire.walk import Unsaid
from cio_events.errors import ParamError

# Of so many kinds of values; an application may make up names.
_TOLD = 100


class UnsaidValues:
    """
    Says each kind of them once.

    Args:
        strict: Tells whether to raise instead.
    """

    def __init__(self, diagnostics: Diagnostics, *, strict: Callable[[], bool]) -> None:
        self._diagnostics = diagnostics
        self._strict = strict
        self._told: set[Unsaid] = set()

    def say(self, unsaid: list[Unsaid]) -> None:
        """
        Say them.

        Raises:
            ParamError: The first of them, if that is wanted.
        """
        if self._strict():
            raise ParamError(unsaid[0].key or "call", unsaid[0].problem)
        for one in unsaid:
            if len(self._told) < _TOLD and one not in self._told:
                self._told.add(one)
                self._diagnostics.warn_once(
                    f"unsaid {one}", f"{one.key!a}: {one.problem}{where()}"
                )
