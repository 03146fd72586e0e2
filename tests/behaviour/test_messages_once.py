"""A message is sent once, whoever closes while it is on its way, and whoever comes next."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cio_events import Pipeline, SendPush
from cio_events.sandbox import Sandbox
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
