"""A pipeline's settings, of one that is there or will be, and where each of them comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from cio_events.errors import ParamError
from cio_events.options import ROWS, Options

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline


class SetUp(NamedTuple):
    """
    One pipeline's settings.

    Attributes:
        options: What they are.

        problem: What of the environment cannot be read.

        pipeline: The pipeline itself; None where there is none yet.
    """

    options: Options
    problem: ParamError | None
    pipeline: Pipeline | None

    def has_default(self, name: str) -> bool:
        """Whether the option of that *name* is as it is without any setting."""
        return bool(getattr(self.options, name) == _DEFAULTS[name])

    def source_of(self, name: str, environ: Mapping[str, str]) -> str:
        """Where the option of that *name* comes from: its variable, ``code``, or ``default``."""
        row, value = ROWS[name], getattr(self.options, name)
        variable = f"CIO_{name.upper()}"
        text = environ.get(variable, "") if row.in_environment else ""
        if text:
            try:
                if row.read(name, text) == value:
                    return variable
            except ParamError:
                pass
        return "default" if self.has_default(name) else "code"

    def setting(self, name: str, environ: Mapping[str, str]) -> str:
        """What the option of that *name* is called where it is set."""
        variable = f"CIO_{name.upper()}"
        source = self.source_of(name, environ)
        if source == "code" or not ROWS[name].in_environment:
            return f"the option {name}"
        return variable


_DEFAULTS = {name: getattr(Options(), name) for name in ROWS}
