"""Who waits gets an attempt, whatever pause is on: not more than the server can bear, though."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cio_events import Pipeline, flushing
from cio_events._delivery.retry import URGENT_SECONDS
from tests.behaviour.watching import LONG, QUICK, Heard, balanced, eventually, settled
from tests.process.life import start
from tests.support.servers import ScriptedServer, answer, reset

MakePipeline = Callable[..., Pipeline]

# A pause that nobody sees the end of. Its length is random: below a minute with one in ten
# thousand.
PAUSED: dict[str, Any] = {"retry_base": 6e5, "retry_cap": 6e5, "hold_interval": 6e5}

TROUBLES = {"500": answer(500), "reset": reset(), "401": answer(401), "404": answer(404, b"?")}


@pytest.fixture(params=[False, True], ids=["memory", "spool"])
def spool(request: Any, tmp_path: Path) -> str | None:
    """Where calls wait."""
    return str(tmp_path / "spool") if request.param else None


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that is well, if it is not told otherwise."""
    with ScriptedServer() as server:
        yield server


def lambda_handler(pipeline: Pipeline) -> None:
    """An invocation of AWS Lambda."""
    flushing(pipeline, timeout=LONG)(lambda event, context: None)({}, None)


def end_of_process(pipeline: Pipeline) -> None:
    """What the exit hook does."""
    pipeline.deliver_before_exit(time.monotonic(), LONG)


WAITS: dict[str, Callable[[Pipeline], object]] = {
    "flush": lambda pipeline: pipeline.flush(LONG),
    "close": lambda pipeline: pipeline.close(LONG),
    "exit": end_of_process,
    "Lambda": lambda_handler,
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("wait", WAITS)
def test_who_waits_gets_an_attempt_though_a_pause_runs(
    make: MakePipeline,
    server: ScriptedServer,
    heard: Heard,
    spool: str | None,
    wait: str,
    trouble: str,
) -> None:
    """The server is well again, and nobody has to wait for the end of the pause."""
    server.then(TROUBLES[trouble])
    pipeline = make(track_url=server.url, spool=spool, **PAUSED)
    pipeline.track("5", "bought")
    assert eventually(lambda: heard.retries)
    assert heard.retries[0].delay > LONG

    WAITS[wait](pipeline)

    assert (balanced(pipeline).sent, len(server.requests)) == (1, 2)


def test_exit_of_a_process_makes_an_attempt_though_a_pause_runs(
    server: ScriptedServer, spool: str | None
) -> None:
    """The same, with an exit as processes have it."""
    server.then(answer(500))
    script = f"make(retry_base=6e5, retry_cap=6e5, spool={spool!r}); say('late'); wait()"
    with start(script, server.url) as running:
        assert eventually(lambda: server.requests)
        running.go()
        life = running.end()

    assert (life.code, len(server.requests)) == (0, 2), life.err


@pytest.mark.parametrize("trouble", TROUBLES)
def test_flushes_one_after_the_other_are_no_storm(
    make: MakePipeline, server: ScriptedServer, spool: str | None, trouble: str
) -> None:
    """A web application that flushes with each request asks a server that is down now and then."""
    server.then(*[TROUBLES[trouble]] * 1_000)
    pipeline = make(track_url=server.url, spool=spool, **PAUSED)
    pipeline.track("5", "bought")
    started = time.monotonic()
    for _ in range(100):
        assert pipeline.flush(0.01) is False
    took = time.monotonic() - started

    assert 2 <= len(server.requests) <= 2 + took / URGENT_SECONDS
    server.forgive()
    assert pipeline.flush(LONG)


def test_each_pause_that_somebody_waits_in_gets_its_attempt(
    make: MakePipeline, server: ScriptedServer, spool: str | None
) -> None:
    """Also when one who waited just before has had one: a little later then."""
    server.then(*[answer(500)] * 3)
    pipeline = make(track_url=server.url, spool=spool, **PAUSED)
    pipeline.track("5", "bought")
    assert eventually(lambda: server.requests)
    for count in (2, 3):
        pipeline.flush(0)
        assert eventually(lambda count=count: len(server.requests) == count)

    assert settled(pipeline).sent == 1


def test_a_server_that_asked_for_the_pause_gets_it(
    server: ScriptedServer, heard: Heard, spool: str | None
) -> None:
    """Whoever waits."""
    server.then(answer(503, headers={"Retry-After": "200"}))
    pipeline = Pipeline(**{**QUICK, **PAUSED}, track_url=server.url, spool=spool)
    pipeline.track("5", "bought")
    assert eventually(lambda: heard.retries)

    assert pipeline.flush(2 * URGENT_SECONDS) is False
    assert pipeline.close(0) is False
    assert len(server.requests) == 1
