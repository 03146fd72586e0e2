"""`flushing`, for functions that are frozen after they have returned."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import cio_events
from cio_events import Pipeline, flushing
from tests.process.life import live, names
from tests.support.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from cio_events.sandbox import Sandbox


@pytest.fixture
def pipeline(sandbox: Sandbox) -> Iterator[Pipeline]:
    """A pipeline that sends nothing before it is told to."""
    options: dict[str, Any] = {"site_id": "site", "api_key": "key", "flush_interval": 3600}
    with Pipeline(**options, track_url=sandbox.url) as pipeline:
        yield pipeline


class OwnError(Exception):
    """The application's own."""


def test_a_function_delivers_before_it_returns(pipeline: Pipeline, sandbox: Sandbox) -> None:
    """What it returns and what it is called stay as they were."""

    @flushing(pipeline)
    def handler(event: str, *, context: int) -> tuple[str, int]:
        """Its own words."""
        pipeline.track("5", event)
        return event, context

    assert handler("first", context=1) == ("first", 1)
    assert names(sandbox) == ["first"]
    assert handler("second", context=2) == ("second", 2)
    assert names(sandbox) == ["first", "second"]
    assert (handler.__name__, handler.__doc__) == ("handler", "Its own words.")


@pytest.mark.parametrize("error", [OwnError, SystemExit, KeyboardInterrupt])
def test_a_function_that_raises_delivers_too(
    pipeline: Pipeline, sandbox: Sandbox, error: type[BaseException]
) -> None:
    """What it raises is what the caller gets."""

    @flushing(pipeline)
    def handler() -> None:
        pipeline.track("5", "event")
        raise error

    with pytest.raises(error):
        handler()

    assert names(sandbox) == ["event"]


def test_a_block_delivers_when_it_is_left(pipeline: Pipeline, sandbox: Sandbox) -> None:
    """Also by an exception, and also when it is inside another."""

    def leave() -> None:
        with flushing(pipeline):
            with flushing(pipeline) as inner:
                pipeline.track("5", "inner")
            assert isinstance(inner, flushing)
            assert names(sandbox) == ["inner"]
            pipeline.track("5", "outer")
            raise OwnError

    with pytest.raises(OwnError):
        leave()

    assert names(sandbox) == ["inner", "outer"]


def test_a_coroutine_function_delivers_without_blocking_the_loop() -> None:
    """The loop goes on while a silent server is waited for."""
    with ScriptedServer([stall()]) as server:
        pipeline = Pipeline(site_id="site", api_key="key", track_url=server.url)

        @flushing(pipeline, timeout=0.6)
        async def handler(event: str) -> str:
            pipeline.track("5", event)
            await asyncio.sleep(0)
            return event

        async def main() -> tuple[str, int]:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.01)
                    ticks += 1

            ticking = asyncio.ensure_future(tick())
            result = await handler("event")
            ticking.cancel()
            return result, ticks

        result, ticks = asyncio.run(main())
        pending = pipeline.stats().pending
        pipeline.close(0)

    assert result == "event"
    assert pending == 1
    assert ticks > 15


def test_an_async_block_delivers(pipeline: Pipeline, sandbox: Sandbox) -> None:
    """Also by an exception, and when its task is cancelled."""

    async def leave() -> None:
        async with flushing(pipeline):
            pipeline.track("5", "raised")
            raise OwnError

    async def main() -> None:
        with pytest.raises(OwnError):
            await leave()
        assert names(sandbox) == ["raised"]

        async def waits() -> None:
            async with flushing(pipeline):
                pipeline.track("5", "cancelled")
                await asyncio.sleep(40)

        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert names(sandbox) == ["raised", "cancelled"]


def test_without_threads_an_async_block_delivers_in_place(
    pipeline: Pipeline, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To block the loop is better than to lose the events."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        async with flushing(pipeline):
            pipeline.track("5", "event")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(pipeline._diagnostics, "_once", {"no thread"})
    asyncio.run(main())

    assert names(sandbox) == ["event"]


def test_another_kind_of_loop_is_not_needed(pipeline: Pipeline, sandbox: Sandbox) -> None:
    """Where asyncio is not running, an async block delivers in place."""

    async def main() -> None:
        async with flushing(pipeline):
            pipeline.track("5", "event")

    coroutine = main()
    with pytest.raises(StopIteration):
        coroutine.send(None)

    assert names(sandbox) == ["event"]


def test_the_timeout_is_kept_and_nothing_is_lost(sandbox: Sandbox) -> None:
    """What could not be delivered in time is delivered when the function is called again."""
    sandbox.fail_next(429, retry_after=1)
    with Pipeline(
        site_id="site", api_key="key", track_url=sandbox.url, flush_interval=0
    ) as pipeline:

        @flushing(pipeline, timeout=0.2)
        def handler(event: str) -> int:
            pipeline.track("5", event)
            return pipeline.stats().pending

        started = time.monotonic()
        handler("first")
        assert time.monotonic() - started < 20
        assert pipeline.stats().pending == 1
        time.sleep(1.1)
        handler("second")
        assert pipeline.flush(20)

    assert names(sandbox) == ["first", "second"]


def test_the_default_pipeline_is_the_one_at_the_end(sandbox: Sandbox) -> None:
    """It may be configured inside, or not at all."""
    life = live(
        """
        @cio_events.flushing()
        def handler():
            make(flush_interval=3600)
            say("event")

        handler()
        os._exit(0)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert names(sandbox) == ["event"]


def test_a_frozen_process_has_delivered(sandbox: Sandbox) -> None:
    """As in AWS Lambda, whose processes are stopped between two calls of their handler."""
    life = live(
        """
        make(flush_interval=0.5)

        @cio_events.flushing()
        def handler(event, context):
            say(event)
            return {"statusCode": 200}

        for number in range(3):
            handler(f"call {number}", None)
            pid = os.fork()
            while pid == 0:  # it may not have stopped yet
                time.sleep(0.2)
                os.kill(os.getppid(), signal.SIGCONT)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.kill(pid, signal.SIGKILL)
            os.wait()
        os._exit(0)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert names(sandbox) == ["call 0", "call 1", "call 2"]


async def _async_generator() -> AsyncIterator[int]:
    yield 1


def _generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: flushing(print), "pipeline: must be a Pipeline; the decorator is @flushing()"),  # type: ignore[arg-type]
        (lambda: flushing(timeout=-1), "timeout: must be a number of seconds, 0 or more"),
        (lambda: flushing(timeout=True), "timeout: must be a number of seconds, 0 or more"),
        (lambda: flushing(timeout="1"), "timeout: must be a number of seconds, 0 or more"),  # type: ignore[arg-type]
        (lambda: flushing()(_generator), "function: must not be a generator"),
        (lambda: flushing()(_async_generator), "function: must not be a generator"),
    ],
)
def test_wrong_arguments_are_named(wrong: Any, words: str) -> None:
    """Such as the decorator without its parentheses."""
    with pytest.raises(cio_events.ParamError) as raised:
        wrong()

    assert words in str(raised.value)
