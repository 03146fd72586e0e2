"""
A time limit while calls are published, at whatever is waited for, reaches its owner as it is.

What Redis may have stored by then counts as unanswered, so that nothing is stored twice.
"""

from __future__ import annotations

import itertools
import signal
import socket
import threading
import traceback

import pytest

from cio_events import SendEmail, Track
from cio_events._calls.call import Call
from cio_events._calls.ulid import IdSource
from cio_events._delivery.destination import (
    Batch,
    Delivered,
    Hold,
    Refused,
    Split,
    TryAgain,
    Verdict,
)
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.order import Order
from cio_events._destinations.redis_address import RedisAddress
from cio_events._destinations.redis_streams import RedisStreams
from cio_events._wire.encode import encode
from cio_events._wire.envelope import Envelope
from cio_events.options import Options
from tests.redis.stored import names
from tests.support.alarms import handled
from tests.support.flights import answer
from tests.support.limits import LIMITS
from tests.support.redis_server import Proxy, RedisServer

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX signals")

LONG = 30.0
NOW = 1_764_000_000_000
MESSAGE = SendEmail(to="a@example.com", identifiers={"id": "5"}, transactional_message_id=3)


def envelopes(*calls: Call) -> list[Envelope]:
    """These calls as they wait."""
    ids = IdSource()
    return [encode(call, ids.new_id(NOW), NOW, "v2") for call in calls]


@pytest.mark.parametrize("limit", list(LIMITS))
def test_while_the_answer_is_awaited(server: RedisServer, limit: str):
    """It is none of redis-py's errors, shows no password, and each call is stored once."""
    handler, kind = LIMITS[limit]
    main = threading.main_thread().ident
    assert main is not None
    seen = threading.Event()

    def alarm() -> None:
        signal.pthread_kill(main, signal.SIGALRM)
        seen.wait(LONG)  # meanwhile the connection stays as it is

    with Proxy(server) as proxy, handled(handler):
        url = proxy.url.replace("//", "//default:canary@")
        server.do("CONFIG", "SET", "requirepass", "canary")
        try:
            streams = RedisStreams(RedisAddress(url), Options(relay=url))
            batch = Batch(envelopes(Track("5", "bought"), MESSAGE))
            streams.deliver(Batch(envelopes(Track("5", "before"))), LONG)
            proxy.lose_answers(b"EVAL", then=alarm)
            with pytest.raises(kind) as raised:
                streams.deliver(batch, LONG)
            seen.set()
            assert type(raised.value) is kind
            assert raised.value.__cause__ is None
            frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
            assert not any(frame.f_globals["__name__"].startswith("redis.") for frame in frames)
            assert streams.deliver(batch, LONG) == Delivered(None)
        finally:
            seen.set()
            server.do("CONFIG", "SET", "requirepass", "")
    assert names(server) == ["before", "bought", "send_email"]


@pytest.mark.parametrize("limit", ["celery", "rq", "alarm"])
def test_while_a_connection_is_made(limit: str):
    """Nothing was stored, and nothing is in doubt."""
    handler, kind = LIMITS[limit]
    main = threading.main_thread().ident
    assert main is not None
    with socket.create_server(("127.0.0.1", 0)) as silent, handled(handler):
        silent.settimeout(LONG)

        def alarm() -> None:
            peer, _ = silent.accept()
            with peer:
                peer.recv(1)  # its first question, which is not answered
                signal.pthread_kill(main, signal.SIGALRM)
                peer.settimeout(LONG)
                while peer.recv(1 << 16):
                    pass

        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        streams = RedisStreams(RedisAddress(url), Options(relay=url))
        streams.prepare()
        thread = threading.Thread(target=alarm)
        thread.start()
        with pytest.raises(kind) as raised:
            streams.deliver(Batch(envelopes(MESSAGE)), LONG)
        thread.join(LONG)
        assert raised.value.__cause__ is None
        assert isinstance(streams.deliver(Batch(envelopes(MESSAGE)), 0.1), TryAgain)


def test_no_two_requests_are_ever_under_way():
    """Whatever Redis answers: the engine's threads never meet in this destination."""
    verdicts: list[Verdict] = [
        *(TryAgain("no_answer", None, doubt=True), Split(), TryAgain("no_connection", None)),
        *(Hold(None, "look"), Split(), Delivered(None), Split(), Delivered(None)),
        *(Hold(None, "look"), Split(), Refused("ambiguous", None, None)),
    ]
    url = "redis://127.0.0.1:1/0"
    flight = InFlight(RedisStreams(RedisAddress(url), Options(relay=url)))
    order = Order([flight.line])
    flight.waiting.add(envelopes(*[Track("5", "e", {"text": "x" * 30_000})] * 90, *[MESSAGE] * 9))
    now, answers = 0.0, itertools.cycle(verdicts)
    while flight:
        now += 3600.0
        load = flight.next(now)
        assert load is not None
        assert flight.next(now) is None
        answer(flight, load, next(answers), now, order)
    assert now > len(verdicts) * 3600.0
