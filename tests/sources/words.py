"""The words that `cio` may not say, each with the call object that says the same."""

from __future__ import annotations

from cio_events._sources.tags import WORDS
from cio_events._wire.registry import KINDS

OBJECTS = {kind.call.tag: kind.call.__name__ for kind in KINDS if kind.call.tag not in WORDS}
