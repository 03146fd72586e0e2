"""
What a server of forks imports for its children: what others made and ours needs, none of ours.
"""

import blinker  # noqa: F401
import orjson  # noqa: F401
import requests  # noqa: F401
