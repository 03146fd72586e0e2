"""How often a test tries what chance decides: a quarter of it, unless all is asked for."""

from __future__ import annotations

import os

# Set by .ci/run on one Python; the others show what depends on the version.
THOROUGH = bool(os.environ.get("THOROUGH"))


def times(thorough: int) -> int:
    """So many examples or rounds, or a quarter of them in a usual run."""
    return thorough if THOROUGH else max(1, thorough // 4)
