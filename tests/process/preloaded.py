"""
What a server of forks imports for its children: what others made and ours needs, none of ours.
"""

import sys

sys.modules["rich"] = None  # type: ignore[assignment]  # structlog would import it

import blinker  # noqa: E402, F401
import orjson  # noqa: E402, F401
import requests  # noqa: E402, F401
import structlog  # noqa: E402, F401
