"""The sandbox misbehaves when told to, as told, and not longer."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

from cio_events.sandbox import Sandbox
from tests.sandbox.asking import TIMEOUT_SECONDS, Api, eventually

EVENTS = "/api/v1/customers/5/events"
EVENT = {"name": "purchase"}
# Longer than a test may last: only an instruction to heal ends it in time.
FOR_EVER = 3600.0


def statuses(api: Api, times: int, path: str = EVENTS) -> list[int]:
    """What so many events are answered."""
    return [api.post(path, json=EVENT).status_code for _ in range(times)]


class Background:
    """A request on a thread of its own, and how it ended."""

    def __init__(self, api: Api, path: str = EVENTS) -> None:
        self.outcome: Any = None
        self._api, self._path = api, path
        self._thread = threading.Thread(target=self._post)
        self._thread.start()

    def _post(self) -> None:
        try:
            with Api(self._api.sandbox) as api:
                self.outcome = api.post(self._path, json=EVENT).status_code
        except requests.RequestException as failure:
            self.outcome = failure

    def join(self) -> Any:
        """The status, or the exception."""
        self._thread.join(TIMEOUT_SECONDS)
        assert not self._thread.is_alive()
        return self.outcome


def test_the_next_requests_fail_and_then_no_more(api: Api) -> None:
    """So many times, doing nothing, and journalled with what was answered."""
    api.sandbox.fail_next(status=503, times=2)

    assert statuses(api, 3) == [503, 503, 200]
    assert len(api.sandbox.events) == 1
    assert [request.status for request in api.sandbox.requests] == [503, 503, 200]
    assert api.sandbox.requests[0].answer == {"meta": {"error": "Service Unavailable"}}
    assert api.sandbox.requests[0].body == EVENT


def test_an_answer_can_be_made_up(api: Api) -> None:
    """Status, Retry-After, body and headers are answered as given."""
    api.sandbox.fail_next(429, retry_after=7, body="slow down")
    answer = api.post(EVENTS, json=EVENT)
    assert (answer.status_code, answer.headers["Retry-After"], answer.text) == (
        429,
        "7",
        "slow down",
    )
    assert answer.headers["Content-Type"].startswith("text/plain")

    api.sandbox.fail_next(200, body={"errors": [1]}, retry_after="Fri, 31 Dec 1999 23:59:59 GMT")
    answer = api.post(EVENTS, json=EVENT)
    assert answer.json() == {"errors": [1]}
    assert answer.headers["Retry-After"] == "Fri, 31 Dec 1999 23:59:59 GMT"

    api.sandbox.fail_next(301, headers={"Location": "http://127.0.0.1:9/x"})
    answer = api.post(EVENTS, json=EVENT)
    assert (answer.status_code, answer.headers["Location"]) == (301, "http://127.0.0.1:9/x")

    api.sandbox.fail_next(204)
    assert api.post(EVENTS, json=EVENT).content == b""
    api.sandbox.fail_next(599)
    assert api.post(EVENTS, json=EVENT).json() == {"meta": {"error": "status 599"}}
    assert api.sandbox.events == []


def test_instructions_queue_up(api: Api) -> None:
    """They are used in the order in which they were given."""
    api.sandbox.fail_next(500)
    api.sandbox.fail_next(429, times=2)
    api.sandbox.fail_next(404)

    assert statuses(api, 5) == [500, 429, 429, 404, 200]


def test_an_instruction_can_be_for_some_paths(api: Api) -> None:
    """The others are answered as ever and use nothing up."""
    api.sandbox.fail_next(500, path="/v2/batch")
    assert statuses(api, 2) == [200, 200]
    assert [api.batch().status_code for _ in range(2)] == [500, 200]


def test_an_instruction_can_be_for_some_bodies(api: Api) -> None:
    """One text always fails, as one call may at Customer.io, and the rest passes."""
    api.sandbox.fail_next(status=500, times=None, text='"refund"')
    for name, status in (("purchase", 200), ("refund", 500), ("purchase", 200), ("refund", 500)):
        assert api.post(EVENTS, json={"name": name}).status_code == status


def test_without_end_until_healed(api: Api) -> None:
    """`times=None` is for ever, and `heal` ends it."""
    api.sandbox.fail_next(times=None)
    assert statuses(api, 4) == [503] * 4

    api.sandbox.heal()
    assert statuses(api, 1) == [200]


def test_failing_goes_before_credentials_and_unknown_paths(api: Api) -> None:
    """A server that is down is down for everybody."""
    api.sandbox.fail_next(times=2)

    assert api.post(EVENTS, auth=("", "")).status_code == 503
    assert api.get("/nowhere").status_code == 503


def test_the_views_are_never_broken(api: Api) -> None:
    """Reading the sandbox uses no instruction up."""
    api.sandbox.fail_next()
    assert api.get("/sandbox/people").status_code == 200
    assert statuses(api, 1) == [503]


def test_forgotten_requests_are_accepted_and_not_answered(api: Api) -> None:
    """What a client sees as no answer was done all the same."""
    api.sandbox.forget_next()
    with pytest.raises(requests.ConnectionError):
        api.post(EVENTS, json=EVENT)
    assert len(api.sandbox.events) == 1
    assert [request.status for request in api.sandbox.requests] == [None]

    assert statuses(api, 1) == [200]
    assert len(api.sandbox.events) == 2


def test_dropped_requests_are_not_accepted(api: Api) -> None:
    """The connection breaks and nothing was done."""
    api.sandbox.drop_next(times=2)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            api.post(EVENTS, json=EVENT)
    assert api.sandbox.events == []
    assert [(r.status, r.answer, r.body) for r in api.sandbox.requests] == [
        (None, None, EVENT)
    ] * 2

    assert statuses(api, 1) == [200]


def test_a_drop_breaks_a_connection_that_was_used_before(api: Api) -> None:
    """It is the reused connection that breaks, and the next one is new."""
    assert statuses(api, 2) == [200, 200]
    api.sandbox.drop_next()
    with pytest.raises(requests.ConnectionError):
        api.post(EVENTS, json=EVENT)
    assert statuses(api, 1) == [200]


def test_breaking_connections_is_silent(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is written to the terminal, and no other connection suffers."""
    api.sandbox.drop_next(times=5)
    for _ in range(5):
        with Api(api.sandbox) as other, pytest.raises(requests.ConnectionError):
            other.post(EVENTS, json=EVENT)
    assert statuses(api, 1) == [200]

    assert capfd.readouterr() == ("", "")


def test_a_delayed_request_is_accepted_before_it_is_answered(api: Api) -> None:
    """It can be seen while its client still waits; healing answers it."""
    api.sandbox.delay(FOR_EVER)
    waiting = Background(api)
    assert eventually(lambda: len(api.sandbox.events) == 1)
    assert waiting.outcome is None

    api.sandbox.heal()
    assert waiting.join() == 200
    assert [request.status for request in api.sandbox.requests] == [200]


def test_healing_reaches_a_request_at_any_moment() -> None:
    """Also one that has met its delay and is not waiting yet, as when its answer is told."""
    with Sandbox(on_answer=lambda _: sandbox.heal()) as sandbox, Api(sandbox) as api:
        sandbox.delay(FOR_EVER)
        assert statuses(api, 1) == [200]


def test_a_delay_before_accepts_later(api: Api) -> None:
    """The request has arrived and nothing is done with it until the delay is over."""
    api.sandbox.delay(FOR_EVER, before=True)
    waiting = Background(api)
    assert eventually(lambda: len(api.sandbox.requests) == 1)
    assert (api.sandbox.events, api.sandbox.requests[0].status) == ([], None)

    api.sandbox.heal()
    assert waiting.join() == 200
    assert len(api.sandbox.events) == 1


def test_a_delay_lasts(api: Api) -> None:
    """The answer comes no sooner, and only for so many requests."""
    api.sandbox.delay(0.2, times=1)
    started = time.monotonic()
    statuses(api, 1)
    assert time.monotonic() - started >= 0.2

    api.sandbox.delay(FOR_EVER, times=1, path="/v2/")
    assert statuses(api, 1) == [200]


def test_a_delay_with_an_end_goes_before_the_one_without(api: Api) -> None:
    """And a new one without an end replaces the one before."""
    api.sandbox.delay(FOR_EVER)
    api.sandbox.delay(0)
    api.sandbox.delay(FOR_EVER, times=1)
    first = Background(api)
    assert eventually(lambda: len(api.sandbox.events) == 1)
    assert statuses(api, 2) == [200, 200]

    assert first.outcome is None
    api.sandbox.heal()
    assert first.join() == 200


def test_a_delayed_request_holds_nobody_up(api: Api) -> None:
    """Others are answered meanwhile."""
    api.sandbox.delay(FOR_EVER, times=1)
    waiting = Background(api)
    assert eventually(lambda: len(api.sandbox.events) == 1)
    assert statuses(api, 3) == [200] * 3

    api.sandbox.heal()
    assert waiting.join() == 200


def test_delayed_and_broken_at_once(api: Api) -> None:
    """A delay and a failure both have their way."""
    api.sandbox.delay(0.1, times=1)
    api.sandbox.fail_next(500)
    started = time.monotonic()

    assert statuses(api, 2) == [500, 200]
    assert time.monotonic() - started >= 0.1


def test_a_client_that_gives_up_leaves_the_sandbox_well(
    api: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its request was accepted; the answer goes nowhere, silently."""
    api.sandbox.delay(FOR_EVER, times=1)
    with pytest.raises(requests.ReadTimeout):
        api.post(EVENTS, json=EVENT, timeout=0.05)
    assert eventually(lambda: len(api.sandbox.events) == 1)
    api.sandbox.heal()

    assert statuses(api, 1) == [200]
    assert len(api.sandbox.events) == 2
    assert capfd.readouterr() == ("", "")


def test_stopping_does_not_wait_for_delayed_requests() -> None:
    """Their connections break, like all others."""
    with Sandbox() as sandbox, Api(sandbox) as api:
        sandbox.delay(FOR_EVER)
        waiting = Background(api)
        assert eventually(lambda: len(sandbox.events) == 1)
    assert isinstance(waiting.join(), requests.ConnectionError)


@pytest.mark.parametrize(
    "instruction",
    [
        lambda sandbox: sandbox.fail_next(times=0),
        lambda sandbox: sandbox.fail_next(status=99),
        lambda sandbox: sandbox.fail_next(status=600),
        lambda sandbox: sandbox.drop_next(times=-1),
        lambda sandbox: sandbox.delay(-1),
    ],
)
def test_what_cannot_be_is_refused(instruction: Any) -> None:
    """At once, where the instruction is given."""
    with pytest.raises(ValueError, match="must"):
        instruction(Sandbox())
