"""Order per customer: what was logged first arrives first, whatever goes wrong meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cio_events import Identifier, Pipeline, SendPush
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import balanced, eventually, names, settled
from tests.support.effort import times
from tests.support.servers import ScriptedServer, answer, hang_up, raw, reset

MakePipeline = Callable[..., Pipeline]
each_api = pytest.mark.parametrize("api", ["v1", "v2"])


def misbehave(sandbox: Sandbox, rounds: int, seed: int) -> None:
    """Have the next requests go wrong in every way that is tried again."""
    dice = random.Random(seed)
    for _ in range(rounds):
        match dice.randrange(5):
            case 0:
                sandbox.fail_next(
                    dice.choice([408, 429, 500, 502, 503, 504]), dice.randrange(1, 3)
                )
            case 1:
                sandbox.drop_next()
            case 2:
                sandbox.forget_next()
            case 3:
                sandbox.fail_next(dice.choice([401, 403, 301, 307]))
            case _:
                sandbox.delay(0.01, 1)


@each_api
@pytest.mark.parametrize("seed", range(times(8)))
def test_customers_calls_arrive_in_order_over_all_retries(
    make: MakePipeline, sandbox: Sandbox, api: str, seed: int
) -> None:
    """Each event once, each customer's in the order in which they were logged."""
    people, each = [f"{n}" for n in range(8)], times(40)
    misbehave(sandbox, 15, seed)
    pipeline = make(api=api, hold_interval=0.02, retry_base=0.005, retry_cap=0.01)
    for n in range(each):
        for who in people:
            pad = 80_000 if (n + int(who)) % 11 == 0 else 0
            pipeline.track(who, f"{n}", {"pad": "x" * pad})
    stats = settled(pipeline)

    assert (stats.sent, stats.failed, stats.dropped) == (8 * each, 0, 0)
    assert stats.retries > 0
    assert len(sandbox.events) == 8 * each
    for who in people:
        assert [event.name for event in sandbox.events_of(who)] == [str(n) for n in range(each)]


@each_api
@pytest.mark.parametrize(
    "fault", [answer(503), reset(), hang_up(), raw(b"HTTP/1.1 2"), answer(401)]
)
def test_event_waits_for_the_identify_before_it(make: MakePipeline, api: str, fault: Any) -> None:
    """The person is known before the first event is, also when the first attempt fails."""
    with ScriptedServer([fault]) as server:
        pipeline = make(track_url=server.url, api=api, flush_interval=3600, hold_interval=0.02)
        pipeline.identify("5", {"plan": "pro"})
        pipeline.track("5", "bought")
        settled(pipeline)
        requests = server.requests

    if api == "v1":
        assert [request.target for request in requests] == [
            "/api/v1/customers/5",
            "/api/v1/customers/5",
            "/api/v1/customers/5/events",
        ]
        assert requests[0].body == requests[1].body
    else:
        assert [[o["action"] for o in r.json["batch"]] for r in requests] == [
            ["identify", "event"]
        ] * 2
        assert requests[0].body == requests[1].body


@each_api
def test_threads_keep_their_own_order(make: MakePipeline, sandbox: Sandbox, api: str) -> None:
    """Each thread's calls about a customer arrive in the order of that thread."""
    pipeline, each = make(api=api), times(80)

    def log(thread: int) -> None:
        for n in range(each):
            pipeline.track(f"{n % 5}", f"{thread} {n}")

    threads = [threading.Thread(target=log, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert settled(pipeline).sent == 6 * each

    for who in range(5):
        seen = [event.name.split() for event in sandbox.events_of(f"{who}")]
        for thread in range(6):
            own = [int(n) for of, n in seen if of == f"{thread}"]
            assert own == [n for n in range(each) if n % 5 == who]


@each_api
def test_ids_of_the_three_kinds_are_told_apart(
    make: MakePipeline, sandbox: Sandbox, api: str
) -> None:
    """A person by id, one by e-mail address and one by cio_id, each with their own events."""
    pipeline = make(api=api)
    pipeline.identify("5", {"email": "a@example.com"})
    settled(pipeline)
    (person,) = sandbox.people
    pipeline.track("5", "by id")
    pipeline.track(Identifier("a@example.com", "email"), "by email")
    pipeline.track(Identifier(person.cio_id, "cio_id"), "by cio_id")
    pipeline.track(Identifier(f"cio_{person.cio_id}", "cio_id"), "by prefixed cio_id")
    settled(pipeline)

    assert len(sandbox.people) == 1
    assert sorted(event.name for event in sandbox.events_of("5")) == [
        "by cio_id",
        "by email",
        "by id",
        "by prefixed cio_id",
    ]


def test_refused_call_does_not_change_the_order_of_the_others(
    make: MakePipeline, sandbox: Sandbox
) -> None:
    """A batch that is split goes on as if the bad call had never been."""
    bad = {"cio_relationships": "no list"}
    pipeline = make(flush_interval=3600)
    for n in range(40):
        pipeline.track("5", f"{n}")
        if n % 10 == 3:
            pipeline.identify("5", bad)
    sandbox.fail_next(400, times=3)
    stats = settled(pipeline)

    assert (stats.sent, stats.failed_by_reason) == (40, {"rejected": 4})
    assert names(sandbox) == [str(n) for n in range(40)]


@pytest.mark.parametrize("apart", [0, 0.003])
def test_two_destinations_have_one_order_of_arrival(
    make: MakePipeline, sandbox: Sandbox, apart: float
) -> None:
    """A message never overtakes what was logged of its person before, and waits for nothing."""
    pipeline = make(app_url=sandbox.url, flush_interval=3600)
    for n in range(6):
        pipeline.track("5", f"{n}")
        pipeline.send(SendPush(transactional_message_id=n, identifiers="5"))
        time.sleep(apart)
    assert settled(pipeline).sent == 12

    order: list[Any] = []
    for request in sandbox.requests:
        if "batch" in request.body:
            order += [operation["name"] for operation in request.body["batch"]]
        else:
            order.append(request.body["transactional_message_id"])
    assert len(order) == 12
    for n in range(6):
        assert order.index(f"{n}") < order.index(n)
    if apart:
        assert order == [step for n in range(6) for step in (f"{n}", n)]


@pytest.mark.parametrize(("held", "other"), [("/api/", "/v1/send"), ("/v1/send", "/api/")])
@pytest.mark.parametrize("status", [401, 429, 500, 301])
def test_destination_that_is_away_does_not_hold_back_the_other(
    make: MakePipeline, sandbox: Sandbox, held: str, other: str, status: int
) -> None:
    """Track held while App flows, and the reverse; nothing is lost of either."""
    sandbox.fail_next(status, times=None, path=held)
    pipeline = make(app_url=sandbox.url, hold_interval=0.02)
    for n in range(5):
        pipeline.track("5", f"{n}")
        pipeline.send(SendPush(transactional_message_id=n, identifiers="5"))

    # A message may or may not have been received when a server fails, and is not sent again.
    given_up = 5 if held == "/v1/send" and status == 500 else 0
    flowing = (lambda: sandbox.messages) if other == "/v1/send" else (lambda: sandbox.events)
    assert eventually(lambda: len(flowing()) == 5)
    assert eventually(lambda: balanced(pipeline).pending == 5 - given_up)
    sandbox.heal()
    stats = settled(pipeline)

    assert (stats.sent, stats.failed) == (10 - given_up, given_up)
    assert names(sandbox) == [str(n) for n in range(5)]
    assert len(sandbox.messages) == 5 - given_up
