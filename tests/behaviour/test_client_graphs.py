"""
Whatever graph of objects a direct client is handed: it raises our own errors alone, in its time.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cio_events import AppClient, CustomerIOError, ParamError, TrackClient
from cio_events._calls import messages
from cio_events._calls.verbs import Verbs
from cio_events.sandbox import Sandbox
from tests.support.effort import times
from tests.support.graphs import BadClass, BadList, BadText, Endless, Hashless, graphs

bounded = settings(
    max_examples=times(25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

VERBS = [name for name in vars(Verbs) if not name.startswith("_")]
MESSAGES = {
    name: kind
    for name, kind in vars(messages).items()
    if name.startswith("Send") and inspect.isclass(kind)
}

# What a parameter may well be, so that the others are looked at too.
USUAL = ["5", "ios", {"a": 1}, {"id": "5"}, 3, "lucy@example.com"]

BAD: dict[str, Callable[[], Any]] = {
    "no class": BadClass,
    "no hash": Hashless,
    "bad text": lambda: BadText("5"),
    "endless list": lambda: BadList(["5"]),
    "endless mapping": Endless,
    "endless": lambda: itertools.repeat("5"),
    "surrogate": lambda: "\ud800",
    "huge": lambda: 10**5_000,
}


@pytest.fixture
def track(sandbox: Sandbox) -> Iterator[TrackClient]:
    """A client of the sandbox's."""
    with TrackClient("a-site", "a-key", url=sandbox.url) as client:
        yield client


@pytest.fixture
def app(sandbox: Sandbox) -> Iterator[AppClient]:
    """The same, of its App API."""
    with AppClient("an-app-key", url=sandbox.url) as client:
        yield client


def call(function: Callable[..., object], /, *args: Any, **kwargs: Any) -> str | None:
    """Call it; which field it says to be wrong, if it says that. Only our own errors come."""
    with suppress(CustomerIOError):
        try:
            function(*args, **kwargs)
        except ParamError as error:
            return error.param
    return None


def parameters(function: Callable[..., object], draw: Any) -> dict[str, Any]:
    """Arguments of any kind, those that may be left out among them or not."""
    return {
        name: draw(st.sampled_from(USUAL) | graphs(), name)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "timeout" and (parameter.default is parameter.empty or draw(st.booleans()))
    }


def test_verbs(track: TrackClient) -> None:
    """Of the Track API's client."""

    @bounded
    @given(st.data(), st.sampled_from([*VERBS, "send", "batch"]))
    def called(data: st.DataObject, verb: str) -> None:
        method = getattr(track, verb)
        call(method, **parameters(method, data.draw))

    called()


def test_messages(app: AppClient) -> None:
    """Of the App API's client, in any kind of message and in a broadcast."""

    @bounded
    @given(st.data(), st.sampled_from(sorted(MESSAGES)))
    def sent(data: st.DataObject, name: str) -> None:
        kind = MESSAGES[name]
        arguments = parameters(kind, data.draw)
        call(lambda: app.send(kind(**arguments)))

    @bounded
    @given(st.data())
    def triggered(data: st.DataObject) -> None:
        method = app.trigger_broadcast
        call(method, **parameters(method, data.draw))

    sent()
    triggered()


def needed(function: Callable[..., object]) -> dict[str, Any]:
    """An argument for each parameter that has no default."""
    return {
        name: USUAL[0]
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
    }


@pytest.mark.parametrize("bad", BAD)
def test_each_argument(bad: str, track: TrackClient, app: AppClient) -> None:
    """None of them, in any place, raises what is not ours; each names a field, or is sent."""
    functions: list[Callable[..., object]] = [
        *(getattr(track, verb) for verb in VERBS),
        track.send,
        track.batch,
        app.send,
        app.trigger_broadcast,
        *MESSAGES.values(),
    ]
    for function in functions:
        for name in inspect.signature(function).parameters:
            if name != "timeout":
                call(function, **{**needed(function), name: BAD[bad]()})


def test_batch_is_looked_at_as_far_as_one_can_be(track: TrackClient, sandbox: Sandbox) -> None:
    """What is no list of calls, cannot be read or does not end, is said to be so."""
    for calls in (
        None,
        5,
        "calls",
        {},
        BadClass(),
        BadList([1]),
        itertools.repeat("5"),
        [BadClass()],
    ):
        assert call(track.batch, calls) == "calls"

    assert sandbox.requests == []
