"""A message is sent once, whoever closes while it is on its way, and whoever comes next."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from cio_events import Pipeline, SendPush
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, balanced, eventually, settled
from tests.support.effort import times

ROUNDS = times(60)


def test_a_close_without_time_leaves_a_message_to_one_sender(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What a close hands over is sent by who takes it over, and not by both."""

    def opened() -> Pipeline:
        return Pipeline(
            app_api_key="key", app_url=sandbox.url, spool=str(tmp_path), flush_interval=0
        )

    number = 0
    for _ in range(ROUNDS):
        pipeline = opened()
        for _ in range(3):
            number += 1
            pipeline.send(SendPush(transactional_message_id=number, identifiers="5"))
        pipeline.close(0)
    with opened() as last:
        assert last.flush(30)

    sent = Counter(one.fields["transactional_message_id"] for one in sandbox.messages)
    assert max(sent.values()) == 1


def test_others_go_on_while_it_is_noted_that_a_message_is_sent(
    make: Callable[..., Pipeline], sandbox: Sandbox
) -> None:
    """A disk or a Redis that takes its time over one message holds up neither calls nor looks."""
    pipeline = make(flush_interval=3600, app_url=sandbox.url)
    begun, noted = threading.Event(), threading.Event()

    def slow(envelope: object) -> bool:
        begun.set()
        return noted.wait(LONG)

    pipeline._buffer.sending = slow  # type: ignore[method-assign]
    try:
        pipeline.send(SendPush(transactional_message_id=1, identifiers="5"))
        pipeline.flush(0)
        assert begun.wait(LONG)
        pipeline.track("6", "bought")
        pipeline.flush(0)
        assert eventually(lambda: balanced(pipeline).sent == 1)
        assert pipeline.condition().destinations
    finally:
        noted.set()
    assert settled(pipeline).sent == 2
