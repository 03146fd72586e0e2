"""Make a marked test person, an event and a delete, and tell what Customer.io answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cio_events._calls.call import Call
from cio_events._calls.people import Delete, Identify, Track
from cio_events._calls.ulid import new_id
from cio_events._clients.track import TrackClient
from cio_events._wire.masking import masked
from cio_events.doctor.network import SECONDS, session_like, shown_host
from cio_events.doctor.subject import Subject
from cio_events.errors import CustomerIOError, ParamError

EVENT = "cio_events doctor"
"""The event's name."""


def person() -> str:
    """A new id of a person who is nobody."""
    return f"cio_events-doctor-{new_id(time.time_ns() // 1_000_000)}"


def calls_about(customer: str) -> list[tuple[str, Call]]:
    """What is sent, in order, and what each is called."""
    return [
        ("identify", Identify(customer, {"cio_events_doctor": True})),
        ("event", Track(customer, EVENT, {"cio_events_doctor": True})),
        ("delete", Delete(customer)),
    ]


def target(subject: Subject) -> str:
    """
    To which host, or region, they would go.

    Raises:
        ParamError: There are no credentials.
    """
    options = subject.set_ups[0].options
    if not options.site_id or not options.api_key:
        raise ParamError("site_id", "is missing, or api_key; nothing can be sent")
    if options.track_url is not None:
        return shown_host(options.track_url)
    return f"Customer.io, region {options.region}"


def send(subject: Subject, customer: str) -> Iterator[tuple[str, str | None]]:
    """
    Send them, with the settings of the default pipeline.

    Returns:
        What each is called, and what went wrong; None for what was accepted.
    """
    options = subject.set_ups[0].options
    assert options.site_id is not None  # noqa: S101 - `target` has looked
    assert options.api_key is not None  # noqa: S101
    with TrackClient(
        options.site_id,
        options.api_key,
        region=options.region,
        url=options.track_url,
        timeout=SECONDS,
        user_agent=options.user_agent,
        session=session_like(options),
    ) as client:
        for name, call in calls_about(customer):
            try:
                client.send(call)
            except CustomerIOError as error:
                yield name, masked(str(error), [customer], 200)
                if name == "identify":
                    return  # then there is nothing to delete
            else:
                yield name, None
