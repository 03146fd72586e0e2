"""The soak of the relay, as short as it can be: what it asks of a relay is what it sees."""

from __future__ import annotations

import pytest
from rich.console import Console

from tests.soak import relay
from tests.support.effort import THOROUGH
from tests.support.redis_server import needs_redis


@needs_redis
@pytest.mark.skipif(not THOROUGH, reason="it takes half a minute")
def test_each_thing_goes_wrong_once_and_nothing_is_lost():
    """A round of each fault, under load."""
    soaked = relay.soak(8, 20.0, 1, Console(quiet=True))
    assert soaked.verdicts() == dict.fromkeys(soaked.verdicts(), True)
