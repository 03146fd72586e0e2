"""
The end of uvicorn, which ends itself by a signal so that no exit hook runs; and how to wait there.

It imports asyncio, which a process that only logs does not need.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def deliver_before_uvicorn_ends(deliver: Callable[[], object]) -> None:
    """
    Have uvicorn's server call *deliver* once its shutdown is complete, before it ends itself.

    Of several, the first is called. Where uvicorn is another than it was, nothing is done.
    """
    server: Any = getattr(sys.modules.get("uvicorn.server"), "Server", None)
    shutdown: Any = getattr(server, "shutdown", None)
    if not is_known(shutdown) or getattr(shutdown, "delivers", False):
        return

    @functools.wraps(shutdown)
    async def shutdown_and_deliver(*args: Any, **kwargs: Any) -> Any:
        result = await shutdown(*args, **kwargs)
        # On another thread it hears of no signal.
        if threading.current_thread() is threading.main_thread():
            await off_the_loop(deliver)
        return result

    shutdown_and_deliver.delivers = True  # type: ignore[attr-defined]
    server.shutdown = shutdown_and_deliver


def is_known(shutdown: object) -> bool:
    """Whether uvicorn's server still has this method for its *shutdown*, as a coroutine."""
    return inspect.iscoroutinefunction(shutdown)


async def off_the_loop(wait: Callable[[], object]) -> None:
    """Call *wait* on a thread of its own, so that the event loop goes on meanwhile."""
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            wait()
        except BaseException as error:  # noqa: BLE001 - raised by the await
            done.set_exception(error)
        else:
            done.set_result(None)

    # Not in the loop's executor, which makes the loop's end fail where no thread can be had.
    thread = threading.Thread(target=run, name="cio_events-flush", daemon=True)
    try:
        waiting = asyncio.wrap_future(done, loop=asyncio.get_running_loop())
        thread.start()
    except RuntimeError:  # no thread, or another kind of event loop
        wait()
    else:
        await waiting
