"""Logging and flushing where an event loop runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.process.life import live, names
from tests.support.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

TICKING = """
import asyncio

class Ticker:
    def __init__(self):
        self.longest = 0.0
        self.count = 0

    async def run(self):
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            self.count += 1
            last = now
"""


def test_logging_never_blocks_the_loop() -> None:
    """Neither a silent server nor a full buffer does; the loop goes on ticking."""
    with ScriptedServer([stall()] * 20) as server:
        life = live(
            TICKING
            + """
async def main():
    ticker = Ticker()
    ticking = asyncio.ensure_future(ticker.run())
    for number in range(200):
        for _ in range(10):
            say("event")
        await asyncio.sleep(0.001)
    ticking.cancel()
    return ticker

logging.getLogger("cio_events").setLevel(logging.CRITICAL)
import warnings
warnings.simplefilter("ignore")
pipeline = make(flush_interval=0, max_pending=1000, exit_timeout=0, timeout=40)
ticker = asyncio.run(main())
stats = pipeline.stats()
print(ticker.count > 20, ticker.longest < 5, stats.pending, stats.dropped)
""",
            server.url,
        )

    assert life.code == 0
    assert life.lines == ["True True 1000 1000"]


def test_flush_in_an_executor(sandbox: Sandbox) -> None:
    """The loop goes on while it is waited for."""
    sandbox.delay(0.5)
    life = live(
        TICKING
        + """
async def main():
    ticker = Ticker()
    ticking = asyncio.ensure_future(ticker.run())
    await asyncio.sleep(0)
    say("event")
    flushed = await asyncio.get_running_loop().run_in_executor(None, pipeline.flush, 20)
    ticking.cancel()
    print(flushed, ticker.count > 10)

pipeline = make(flush_interval=3600)
asyncio.run(main())
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["True True"]
    assert names(sandbox) == ["event"]


def test_tasks_and_their_threads_log_what_is_theirs(sandbox: Sandbox) -> None:
    """A receiver, whose records are not taken, does not make deaf what runs beside it."""
    life = live(
        """
        import asyncio
        pipeline = make(flush_interval=0)

        @cio_events.signals.sent.connect
        def receiver(sender, report):
            say("never")

        async def task(number):
            for step in range(5):
                say(f"task {number}")
                await asyncio.sleep(0)
                await asyncio.to_thread(say, f"thread {number}")

        async def main():
            await asyncio.gather(*map(task, range(10)))

        asyncio.run(main())
        assert pipeline.flush(20)
        print(pipeline.stats().sent)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["100"]
