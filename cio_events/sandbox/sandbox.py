"""A Customer.io on your own machine, as Python has it: start it, ask it, let it misbehave."""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from cio_events.sandbox.api.exchange import Reply
from cio_events.sandbox.server.credentials import Credentials
from cio_events.sandbox.server.faults import Fault, Faults
from cio_events.sandbox.server.journal import Journal
from cio_events.sandbox.server.visitors import Visitors, is_loopback
from cio_events.sandbox.world import views
from cio_events.sandbox.world.worlds import Worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from cio_events.sandbox.model.explanations import Explanation
    from cio_events.sandbox.model.records import (
        CustomObject,
        Event,
        Metric,
        OutboxMessage,
        Person,
        ReceivedRequest,
    )
    from cio_events.sandbox.server.serving import Serving

REGIONS = ("us", "eu")


class Sandbox:
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
        self._worlds = Worlds(bounded=bounded)
        self._journal = Journal(on_answer, bounded=bounded)
        self._faults = Faults()
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
            from cio_events.sandbox.server import page
            from cio_events.sandbox.server.app import build
            from cio_events.sandbox.server.serving import Serving
        except ModuleNotFoundError as missing:
            message = "the sandbox needs Starlette and uvicorn: pip install 'cio-events[sandbox]'"
            raise ModuleNotFoundError(message, name=missing.name) from missing
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family)
        self._port = listener.getsockname()[1]
        app = build(
            self._worlds,
            self._journal,
            self._faults,
            self._credentials,
            self._visitors,
            lambda: {"url": self.url, "region": self.region},
            page.routes(
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
            ),
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

    # Asking: snapshots, the reader's to keep

    @property
    def people(self) -> list[Person]:
        """Everybody, the suppressed too, in the order in which they were first heard of."""
        return views.people(self._worlds)

    @property
    def workspaces(self) -> list[str]:
        """The workspaces, in the order in which they were first heard of."""
        return views.workspaces(self._worlds)

    def person(self, identifier: str, workspace: str | None = None) -> Person | None:
        """The person of that id, e-mail address or `cio_id`; None if there is none."""
        return views.person(self._worlds, identifier, workspace)

    @property
    def events(self) -> list[Event]:
        """The last events in the order of arrival, without repeats; of deleted people too."""
        return views.events(self._worlds)

    def events_of(self, identifier: str, workspace: str | None = None) -> list[Event]:
        """The events of the person of that id, e-mail address or `cio_id`."""
        return views.events_of(self._worlds, identifier, workspace)

    @property
    def objects(self) -> list[CustomObject]:
        """All objects, in the order in which they were made."""
        return views.objects(self._worlds)

    @property
    def metrics(self) -> list[Metric]:
        """What was reported about deliveries, in the order of arrival."""
        return views.metrics(self._worlds)

    @property
    def messages(self) -> list[OutboxMessage]:
        """The outbox of transactional messages, in the order of arrival."""
        return views.messages(self._worlds)

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The last requests but those to read the sandbox, in the order of arrival."""
        return self._journal.requests()

    @property
    def findings(self) -> list[Explanation]:
        """What was refused and why, and what was accepted and is not as was meant."""
        return [
            finding
            for request in self.requests
            for item in request.items
            for finding in item.findings
        ]

    @property
    def left(self) -> dict[str, int]:
        """How many requests, events, messages and metrics have gone to make room."""
        return {**views.left(self._worlds), "requests": self._journal.left}

    def clear(self, workspace: str | None = None) -> None:
        """
        Forget people, events, objects, metrics, messages and requests; faults stay.

        Args:
            workspace: Forget this one alone.
        """
        with self._worlds.lock:
            self._worlds.clear(workspace)
        self._journal.clear(workspace)

    # Misbehaving

    def fail_next(
        self,
        status: int = 503,
        times: int | None = 1,
        retry_after: float | str | None = None,
        body: Any = None,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        percent: float = 100,
        workspace: str | None = None,
        text: str | None = None,
    ) -> None:
        """
        Answer the next requests with this, and do nothing else with them.

        Args:
            status: The status to answer, 200 to 599.
            times: How many requests; None until `heal`.
            retry_after: The `Retry-After` header, in seconds or as an HTTP date.
            body: JSON, or a text that is answered as it is; None says what the status means.
            path: Only requests whose path, percent-encoded, contains this.
            headers: More headers, such as the `Location` of a redirect.
            percent: Of the requests that fit, how many it is done to, at random.
            workspace: Only requests of this one.
            text: Only requests whose body contains this, as JSON has it.
        """
        if not HTTPStatus.OK <= status <= 599:
            raise ValueError("status must be 200 to 599")
        sent = dict(headers or {})
        if retry_after is not None:
            sent["Retry-After"] = str(retry_after)
        if body is None and status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            body = {} if status < 300 else {"meta": {"error": _phrase(status)}}
        reply = Reply(status, body, sent)
        self._faults.add(
            Fault(
                "fail",
                times,
                path,
                answer=reply,
                share=percent / 100,
                workspace=workspace,
                text=text,
            )
        )

    def forget_next(
        self,
        times: int | None = 1,
        path: str | None = None,
        percent: float = 100,
        workspace: str | None = None,
        text: str | None = None,
    ) -> None:
        """Accept the next requests, then drop the connection without an answer."""
        share = percent / 100
        self._faults.add(Fault("forget", times, path, share=share, workspace=workspace, text=text))

    def drop_next(
        self,
        times: int | None = 1,
        path: str | None = None,
        percent: float = 100,
        workspace: str | None = None,
        text: str | None = None,
    ) -> None:
        """Drop the connection of the next requests and accept nothing."""
        share = percent / 100
        self._faults.add(Fault("drop", times, path, share=share, workspace=workspace, text=text))

    def delay(
        self,
        seconds: float,
        times: int | None = None,
        *,
        before: bool = False,
        path: str | None = None,
        percent: float = 100,
        workspace: str | None = None,
        text: str | None = None,
    ) -> None:
        """
        Answer that much later.

        Args:
            seconds: How much later.
            times: How many requests; None until `heal`.
            before: Accept the requests later too, not the answer alone.
            path: Only requests whose path, percent-encoded, contains this.
            percent: Of the requests that fit, how many it is done to, at random.
            workspace: Only requests of this one.
            text: Only requests whose body contains this, as JSON has it.
        """
        share = percent / 100
        self._faults.add(
            Fault(
                "delay",
                times,
                path,
                seconds=seconds,
                before=before,
                share=share,
                workspace=workspace,
                text=text,
            )
        )

    def heal(self, workspace: str | None = None) -> None:
        """
        Behave from now on; what is being delayed is answered at once.

        Args:
            workspace: Take back what was said about this one alone.
        """
        self._faults.heal(workspace)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
