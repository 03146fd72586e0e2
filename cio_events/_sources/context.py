"""What structlog has bound to the context, of which `logging` and loguru are asked too."""

from __future__ import annotations

import sys
from typing import Any


def bound_to_context() -> dict[str, Any]:
    """
    A copy of what is bound; nothing where structlog was never imported, and nobody can have.

    Not imported here: that takes longer than all of ours, and who uses `logging` may not need it.
    """
    ask = getattr(sys.modules.get("structlog.contextvars"), "get_contextvars", None)
    return {} if ask is None else ask()
