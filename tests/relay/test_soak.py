"""The soak of the relay, as short as it can be: what it asks of a relay is what it sees."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from cio_events._calls.people import Track
from cio_events._redis.keys import Keys
from tests.relay.conftest import until
from tests.soak import publishing, relay, sides
from tests.support.effort import THOROUGH
from tests.support.needs import needs_redis

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_redis


@pytest.mark.skipif(not THOROUGH, reason="it takes half a minute")
def test_each_thing_goes_wrong_once_and_nothing_is_lost():
    """A round of each fault, under load."""
    soaked = relay.soak(8, 20.0, 1, Console(quiet=True))
    assert all(soaked.verdicts().values()), soaked.against()


@pytest.mark.parametrize("replica", ["gone", "frozen"])
def test_nothing_is_confirmed_that_no_replica_has(tmp_path: Path, replica: str):
    """Redis answers before its replica has it, or has found it, which may be promoted then."""
    place = relay.Place(tmp_path)
    confirmed: list[object] = []
    publisher = publishing.Publishing(place.url, "somebody")
    thread = threading.Thread(
        target=lambda: confirmed.append(publisher.publish([Track("5", "bought")], 2))
    )
    try:
        assert publisher.publish([Track("5", "looked")], 1)
        before = place.server.do("XLEN", Keys().stream)
        place.replica.freeze()
        if replica == "gone":
            place.server.do("CLIENT", "KILL", "TYPE", "replica")
        thread.start()
        # Once more, as nobody has it but the one server.
        until(lambda: place.server.do("XLEN", Keys().stream) > before + 1)
        assert not confirmed
        place.replica.thaw()
        until(lambda: confirmed)
        assert confirmed == [True]
        assert place.replica.do("XLEN", Keys().stream) > before
    finally:
        publishing.stop.set()
        thread.join()
        publishing.stop.clear()
        place.close()


@pytest.mark.skipif(not THOROUGH, reason="it takes half a minute")
def test_with_several_partitions_each_event_comes_on_its_side_of_a_merge():
    """The same, with merges."""
    soaked = relay.soak(8, 20.0, 2, Console(quiet=True), partitions=3)
    assert soaked.merged
    assert all(soaked.verdicts().values()), soaked.against()


def test_an_event_on_the_wrong_side_of_its_merge_is_seen():
    """Of either of the two; what never came is none."""
    merges = ["guest 7.4 guest.1", "other 7.9 other.0"]
    found = ["7.3", "guest.0", "guest.1", "7.5", "merge guest", "guest.2", "7.4", "7.6"]
    assert sides.wrong(merges, found) == [
        "7.5 and the merge of guest",
        "7.4 and the merge of guest",
    ]
