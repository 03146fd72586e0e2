"""What a sandbox knows of one workspace, or of all, and how it is told to misbehave there."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cio_events.sandbox.api.exchange import Reply
from cio_events.sandbox.server.faults import Fault, FaultKind, Faults
from cio_events.sandbox.server.journal import Journal
from cio_events.sandbox.world import views
from cio_events.sandbox.world.worlds import Worlds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cio_events.sandbox.model.explanations import Explanation
    from cio_events.sandbox.model.records import (
        CustomObject,
        Event,
        Metric,
        OutboxMessage,
        Person,
        ReceivedRequest,
    )


class Workspace:
    """
    What is asked and instructed here is about one workspace, or about all of them without a name.

    Safe to be asked and instructed from any thread.

    Args:
        worlds: What is known.
        journal: The requests.
        faults: What goes wrong with the next ones.
        name: A site id, or the last four characters of an App API key.
    """

    def __init__(
        self, worlds: Worlds, journal: Journal, faults: Faults, name: str | None = None
    ) -> None:
        self._worlds = worlds
        self._journal = journal
        self._faults = faults
        self._name = name

    @property
    def parts(self) -> tuple[Worlds, Journal, Faults]:
        """What another look at the same sandbox is made of."""
        return self._worlds, self._journal, self._faults

    # Asking: snapshots, the reader's to keep

    @property
    def people(self) -> list[Person]:
        """Everybody, the suppressed too, in the order in which they were first heard of."""
        return views.people(self._worlds, self._name)

    def person(self, identifier: str, workspace: str | None = None) -> Person | None:
        """The person of that id, e-mail address or `cio_id`; None if there is none."""
        return views.person(self._worlds, identifier, self._named(workspace))

    @property
    def events(self) -> list[Event]:
        """The last events in the order of arrival, without repeats; of deleted people too."""
        return views.events(self._worlds, self._name)

    def events_of(self, identifier: str, workspace: str | None = None) -> list[Event]:
        """The events of the person of that id, e-mail address or `cio_id`."""
        return views.events_of(self._worlds, identifier, self._named(workspace))

    @property
    def objects(self) -> list[CustomObject]:
        """All objects, in the order in which they were made."""
        return views.objects(self._worlds, self._name)

    @property
    def metrics(self) -> list[Metric]:
        """What was reported about deliveries, in the order of arrival."""
        return views.metrics(self._worlds, self._name)

    @property
    def messages(self) -> list[OutboxMessage]:
        """The outbox of transactional messages, in the order of arrival."""
        return views.messages(self._worlds, self._name)

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The last requests but those to read the sandbox, in the order of arrival."""
        return self._journal.requests(self._name)

    @property
    def findings(self) -> list[Explanation]:
        """What was refused and why, and what was accepted and is not as was meant."""
        return [
            finding
            for request in self.requests
            for item in request.items
            for finding in item.findings
        ]

    def clear(self, workspace: str | None = None) -> None:
        """
        Forget people, events, objects, metrics, messages and requests; faults stay.

        Args:
            workspace: Forget this one alone.
        """
        name = self._named(workspace)
        with self._worlds.lock:
            self._worlds.clear(name)
        self._journal.clear(name)

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
        self._add("fail", times, path, percent, workspace, text, answer=reply)

    def forget_next(
        self,
        times: int | None = 1,
        path: str | None = None,
        percent: float = 100,
        workspace: str | None = None,
        text: str | None = None,
    ) -> None:
        """Accept the next requests, then drop the connection without an answer."""
        self._add("forget", times, path, percent, workspace, text)

    def drop_next(
        self,
        times: int | None = 1,
        path: str | None = None,
        percent: float = 100,
        workspace: str | None = None,
        text: str | None = None,
    ) -> None:
        """Drop the connection of the next requests and accept nothing."""
        self._add("drop", times, path, percent, workspace, text)

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
        self._add("delay", times, path, percent, workspace, text, seconds=seconds, before=before)

    def heal(self, workspace: str | None = None) -> None:
        """
        Behave from now on; what is being delayed is answered at once.

        Args:
            workspace: Take back what was said about this one alone.
        """
        self._faults.heal(self._named(workspace))

    def _add(
        self,
        kind: FaultKind,
        times: int | None,
        path: str | None,
        percent: float,
        workspace: str | None,
        text: str | None,
        **what: Any,
    ) -> None:
        """Have requests misbehave: those of the *path*, *workspace* and *text*, so many."""
        self._faults.add(
            Fault(
                kind,
                times,
                path,
                share=percent / 100,
                workspace=self._named(workspace),
                text=text,
                **what,
            )
        )

    def _named(self, workspace: str | None) -> str | None:
        return self._name if workspace is None else workspace


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
