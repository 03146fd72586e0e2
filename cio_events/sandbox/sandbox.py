"""A Customer.io on your own machine, as Python has it: what it is made of, start and stop."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Literal

from cio_events.sandbox.server.credentials import Credentials
from cio_events.sandbox.server.faults import Faults
from cio_events.sandbox.server.journal import Journal
from cio_events.sandbox.server.visitors import Visitors, is_loopback
from cio_events.sandbox.workspace import Workspace
from cio_events.sandbox.world import views
from cio_events.sandbox.world.worlds import Worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from typing_extensions import Self

    from cio_events.sandbox.model.records import ReceivedRequest
    from cio_events.sandbox.server.serving import Serving

REGIONS = ("us", "eu")


class Sandbox(Workspace):
    """
    A Customer.io on loopback: the Track API (v1 and v2) and transactional messages.

    Each site id is a workspace of its own, and sees nothing of the others; of messages, each last
    four characters of an App API key. What is asked here without `workspace` is about all.

    A context manager; `start` and `stop` do the same. It answers on a thread of its own and is
    safe to be asked and instructed from any other. What it knows outlives `stop` and `start`.

    Args:
        site_id: The only site id that is let in; None lets any in, as with the others.
        api_key: The only API key that is let in.
        app_api_key: The only App API key that is let in.
        host: An address of this machine that cannot be reached from others.
        port: 0 takes a free one, and the same again when it is started again.
        region: What the region endpoint answers, `us` or `eu`.
        on_answer: Called on the sandbox's thread with each request that has been answered or
            dropped.
        allowed_hosts: Names, without ports, that it may be asked by beside those of loopback.
        bounded: Whether to keep the last 10 000 requests, 100 000 events, 1 000 messages and
            10 000 metrics alone, so that it can run for days; `left` says how many have gone.

    Raises:
        ValueError: For a host that is not loopback, or an unknown region.
    """

    def __init__(
        self,
        site_id: str | None = None,
        api_key: str | None = None,
        app_api_key: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        region: Literal["us", "eu"] = "us",
        on_answer: Callable[[ReceivedRequest], None] | None = None,
        allowed_hosts: Iterable[str] = (),
        bounded: bool = True,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"the sandbox serves this machine only: {host!r} is not loopback")
        if region not in REGIONS:
            raise ValueError(f"region must be one of {', '.join(REGIONS)}")
        self.region = region
        self._host = host
        self._port = port
        self._credentials = Credentials(site_id, api_key, app_api_key)
        self._visitors = Visitors(allowed_hosts)
        super().__init__(Worlds(bounded=bounded), Journal(on_answer, bounded=bounded), Faults())
        self._serving: Serving | None = None

    def __repr__(self) -> str:
        state = f"on {self.url}" if self._serving is not None else "stopped"
        return f"<Sandbox {state}>"

    # Running

    def start(self) -> Self:
        """
        Listen and answer; does nothing if it is running.

        Raises:
            ModuleNotFoundError: Without the extra `cio-events[sandbox]`.
            OSError: When the port is taken.
        """
        if self._serving is not None:
            return self
        # Optional dependencies: whoever does not run a sandbox does not need them.
        try:
            from cio_events.sandbox.server.app import Application
            from cio_events.sandbox.server.page import Page
            from cio_events.sandbox.server.serving import Serving
        except ModuleNotFoundError as missing:
            message = "the sandbox needs Starlette and uvicorn: pip install 'cio-events[sandbox]'"
            raise ModuleNotFoundError(message, name=missing.name) from missing
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family)
        self._port = listener.getsockname()[1]
        page = Page(
            self._worlds,
            self._journal,
            {
                "fail": self.fail_next,
                "forget": self.forget_next,
                "drop": self.drop_next,
                "delay": self.delay,
                "heal": self.heal,
            },
            self.clear,
        )
        app = Application(
            self._worlds,
            self._journal,
            self._faults,
            self._credentials,
            self._visitors,
            lambda: {"url": self.url, "region": self.region},
            page.routes(),
        )
        self._serving = Serving(app, listener, self._faults.wake)
        return self

    def stop(self) -> None:
        """Break every connection and free the port; does nothing if it is not running."""
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens; 0 before it is started for the first time, if that was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """The base URL, of the Track API and of the App API alike."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    # About all workspaces

    @property
    def workspaces(self) -> list[str]:
        """The workspaces, in the order in which they were first heard of."""
        return views.workspaces(self._worlds)

    @property
    def left(self) -> dict[str, int]:
        """How many requests, events, messages and metrics have gone to make room."""
        return {**views.left(self._worlds), "requests": self._journal.left}
