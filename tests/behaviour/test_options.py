"""Options: from arguments or the environment, each read or refused by name; configure."""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import threading
import traceback
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

import cio_events
from cio_events import CustomerIOHandler, ParamError, Pipeline, configure, options
from cio_events._pipeline.default import get_pipeline
from cio_events.options import ROWS, OptionArguments, Options, options_from
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, QUICK, names, settled

MakePipeline = Callable[..., Pipeline]

# Every option that the environment can give: the text, and what it means.
READ: dict[str, tuple[str, Any]] = {
    "site_id": ("the-site", "the-site"),
    "api_key": ("the-key", "the-key"),
    "app_api_key": ("the-app-key", "the-app-key"),
    "region": ("EU", "eu"),
    "track_url": ("https://example.com", "https://example.com"),
    "app_url": ("https://example.com", "https://example.com"),
    "api": ("v1", "v1"),
    "timeout": ("2.5", 2.5),
    "user_agent": ("shop/1.0 (x)", "shop/1.0 (x)"),
    "flush_interval": ("0", 0.0),
    "max_pending": ("5", 5),
    "max_pending_bytes": ("1000", 1000),
    "on_full": ("block", "block"),
    "max_age": ("inf", math.inf),
    "exit_timeout": ("0", 0.0),
    "retry_base": ("0.25", 0.25),
    "retry_cap": ("7", 7.0),
    "hold_interval": ("8", 8.0),
    "spool": ("/var/spool/cio", "/var/spool/cio"),
    "relay": ("redis://localhost", "redis://localhost"),
    "relay_prefix": ("staging", "staging"),
    "relay_ack": ("FSYNC", "fsync"),
    "relay_bytes": ("1000", 1000),
    "relay_partitions": ("1", 1),
    "relay_replicas": ("0", 0),
    "id_type": ("Email", "email"),
    "hidden": ("debug_*, tenant", ("debug_*", "tenant")),
    "payload": ("data", "data"),
    "strict": ("Yes", True),
    "debug": ("1", True),
    "enabled": ("off", False),
}
ONLY_AS_ARGUMENTS = {"session", "before_send"}

REFUSED: dict[str, list[Any]] = {
    "site_id": ["", "  ", 5, b"x", "a\nb", "\ud800"],
    "api_key": ["", "  ", 5, "abc\n"],
    "app_api_key": ["", 5],
    "region": ["", "asia", 5, None, ["us"]],
    "track_url": ["", "customer.io", "ftp://x", "https://u:p@x", "https://x?y", 5],
    "app_url": ["customer.io", 5],
    "api": ["v3", "", None, 2],
    "timeout": [0, -1, "soon", math.nan, True, None, [], 1e308, 10**400, "1e308"],
    "user_agent": ["", "é", "a\nb", 5],
    "flush_interval": [-1, "soon", math.nan, True, None, 1e10],
    "max_pending": [0, -1, 1.5, "x", True, None, 10**400, "1" + "0" * 5000],
    "max_pending_bytes": [0, -1, "x"],
    "on_full": ["wait", "", None],
    "max_age": [0, -1, "x", None],
    "exit_timeout": [-1, "x", None],
    "retry_base": [-0.1, "x"],
    "retry_cap": [-1, "x"],
    "hold_interval": [-1, "x", 0, 10**400],
    "spool": ["", " ", 5, b"/x"],
    "relay": ["", "http://x", "localhost", "redis://", 5],
    "relay_prefix": ["", "{a}", "é", 5, None],
    "relay_ack": ["disk", "", None],
    "relay_bytes": [0, -1, "x", None],
    "relay_partitions": [0, -1, 65, 1.5, "x", None, True, 2, "1" + "0" * 5000],
    "relay_replicas": [-1, 101, "x", None, False],
    "hidden": [5, None, [5], [""]],
    "payload": ["all", "", None],
    "id_type": ["", "fax", 5, None],
    "strict": ["perhaps", 2, None],
    "debug": ["perhaps", 2, None],
    "enabled": ["", 1, None],
    "session": ["x", 5],
    "before_send": ["x", 5],
}


def test_every_option_is_here() -> None:
    """The tables of these tests name all there are."""
    options = {field.name for field in dataclasses.fields(Options)}

    assert set(READ) | ONLY_AS_ARGUMENTS == options
    assert set(REFUSED) == options
    assert {name for name, row in ROWS.items() if row.in_environment} == set(READ)


def test_editors_know_the_options_of_the_table() -> None:
    """Names, order and types are the same; what is read from more kinds of values may be one."""
    known = {**vars(options), "requests": requests, "Call": cio_events.Call}
    types = typing.get_type_hints(Options, None, known)
    arguments = typing.get_type_hints(OptionArguments, None, known)

    assert [*arguments] == [*types] == [*ROWS]
    for name, type_ in types.items():
        if name == "hidden":
            assert (arguments[name], type_) == (Iterable[str], tuple[str, ...])
            continue
        accepted = {*typing.get_args(arguments[name])} if name == "spool" else {arguments[name]}
        assert accepted >= ({*typing.get_args(type_)} if name == "spool" else {type_})


@pytest.mark.parametrize("way_in", [configure, Pipeline, CustomerIOHandler])
def test_ways_in_are_typed_by_the_options(way_in: Callable[..., object]) -> None:
    """So that a typo is an error in the editor too; nothing at runtime needs typing_extensions."""
    parameter = inspect.signature(way_in).parameters["options"]

    assert parameter.annotation == "Unpack[OptionArguments]"
    assert not hasattr(inspect.getmodule(way_in), "Unpack")


def test_help_says_what_each_option_means() -> None:
    """In the order of the table, with the reason for the default."""
    text = inspect.getdoc(Options) or ""

    places = [text.index(f"{name}: {row.meaning}") for name, row in ROWS.items()]
    assert places == sorted(places)
    assert all(row.meaning.endswith(".") and row.why in text for row in ROWS.values())


@pytest.mark.parametrize(("name", "text", "value"), [(n, *given) for n, given in READ.items()])
def test_option_may_come_from_the_environment(name: str, text: str, value: Any) -> None:
    """As CIO_ and its name, so that settings can be committed without secrets."""
    options, problem = options_from({}, {f"CIO_{name.upper()}": text})

    assert problem is None
    assert getattr(options, name) == value
    assert type(getattr(options, name)) is type(value)


def test_partitions_are_a_relays() -> None:
    """Without one they are refused in code; in the environment they stop no application."""
    with pytest.raises(ParamError, match="relay_partitions"):
        options_from({"relay_partitions": 3}, {})
    options, problem = options_from({}, {"CIO_RELAY_PARTITIONS": "3"})
    assert options.relay_partitions == 1
    assert str(problem).startswith("CIO_RELAY_PARTITIONS: needs")
    environ = {"CIO_RELAY_PARTITIONS": "3", "CIO_RELAY": "redis://localhost"}
    assert options_from({}, environ)[0].relay_partitions == 3


@pytest.mark.parametrize("name", READ)
def test_argument_goes_before_the_environment(name: str) -> None:
    """And a variable that is not needed is not read."""
    _, value = READ[name]
    options, problem = options_from({name: value}, {f"CIO_{name.upper()}": "\n"})

    assert (getattr(options, name), problem) == (value, None)


@pytest.mark.parametrize("name", READ)
def test_empty_variable_is_none(name: str) -> None:
    """As shells and compose files set it for "nothing"."""
    assert options_from({}, {f"CIO_{name.upper()}": ""}) == (Options(), None)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in REFUSED.items() for value in values],
    ids=lambda part: repr(part)[:20],
)
def test_option_that_cannot_be_raises_by_name(name: str, value: Any) -> None:
    """Where the application starts, and without a word of the value."""
    with pytest.raises(ParamError) as caught:
        Pipeline(**{"site_id": "s", "api_key": "k", "app_api_key": "a", name: value})

    assert caught.value.param == name
    if isinstance(value, str) and len(value.strip()) > 1:
        assert value.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("api_key", "abc\n", "has characters that cannot be shown, such as a line break"),
        ("api_key", " ", "must not be blank"),
        ("api_key", b"abc", "must be text"),
        ("timeout", 1e308, 'must be at most 1000000000 seconds, or infinity ("inf") for no limit'),
        (
            "timeout",
            10**400,
            'must be at most 1000000000 seconds, or infinity ("inf") for no limit',
        ),
        ("max_pending", 10**400, "must be at most 1000000000000000"),
    ],
    ids=["line break", "blank", "bytes", "float", "integer", "count"],
)
def test_refusal_says_what_is_wrong(name: str, value: Any, said: str) -> None:
    """Not that a key with a line break is blank, nor that an absurd number is none."""
    with pytest.raises(ParamError) as caught:
        Options(**{name: value})

    assert str(caught.value) == f"{name}: {said}"


SECRETS = {"site_id": "s3cret-site", "api_key": "s3cret-key", "app_api_key": "s3cret-app"}
WRONG: list[dict[str, Any]] = [
    {"timeout": "soon"},
    {"regoin": "eu"},
    {"api_key": "s3cret\n"},
    {"site_id": "s3cret:site"},
    {"app_api_key": "s3crét"},
    {"track_url": "https://user:s3cret@example.com"},
    {"session": 5},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: next(iter(wrong)))
@pytest.mark.parametrize("way_in", [configure, Pipeline, CustomerIOHandler, Options])
def test_no_frame_of_ours_holds_a_secret(way_in: Callable[..., object], wrong: Any) -> None:
    """Error trackers show the local variables of each frame of a traceback."""
    if way_in is Options and not {*wrong} & {"timeout", "api_key", "session"}:
        pytest.skip("it is refused where the options are used")
    given = SimpleNamespace(options={**SECRETS, **wrong})
    with pytest.raises(ParamError) as caught:
        way_in(**given.options)

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in shown.stack if "cio_events" in frame.filename]
    assert frames
    assert not any("s3cr" in str(frame.locals) for frame in frames)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("site", "site_id"),
        ("apikey", "api_key"),
        ("flush_intervall", "flush_interval"),
        ("zzz", ""),
    ],
)
def test_unknown_option_raises_and_is_guessed(name: str, meant: str) -> None:
    """A typo must not be a setting that nobody reads."""
    with pytest.raises(ParamError) as caught:
        Pipeline(**{name: 1})

    assert caught.value.param == name
    assert meant in str(caught.value)


def test_first_variable_that_cannot_be_read_is_the_problem() -> None:
    """All others are read."""
    environ = {"CIO_TIMEOUT": "soon", "CIO_MAX_PENDING": "many", "CIO_REGION": "eu"}
    options, problem = options_from({}, environ)

    assert problem is not None
    assert problem.param == "CIO_TIMEOUT"
    assert (options.region, options.timeout) == ("eu", Options().timeout)


def test_secrets_are_in_no_repr() -> None:
    """Neither of the options nor of the pipeline, nor in a format of them."""
    options, _ = options_from(QUICK, {})
    with Pipeline(**QUICK) as pipeline:
        shown = f"{options!r} {options} {pipeline!r} {pipeline} {vars(pipeline)}"

    assert not any(secret in shown for secret in ("the-site", "the-key", "the-app-key"))


def test_options_cannot_be_changed() -> None:
    """They are the key under which a pipeline is found again."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().timeout = 5  # type: ignore[misc]


def test_environment_alone_makes_a_working_pipeline(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default pipeline is made of it when it is first needed."""
    for name, value in (("SITE_ID", "s"), ("API_KEY", "k"), ("TRACK_URL", sandbox.url)):
        monkeypatch.setenv(f"CIO_{name}", value)
    pipeline = get_pipeline()
    pipeline.track("5", "x")

    assert settled(pipeline).sent == 1
    assert get_pipeline() is pipeline is configure()
    assert names(sandbox) == ["x"]


def test_session_and_user_agent_are_used(make: MakePipeline, sandbox: Sandbox) -> None:
    """The application's session, with its headers; it stays open."""
    with requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        pipeline = make(session=session, user_agent="shop/1.0")
        pipeline.track("5", "x")
        settled(pipeline)
        pipeline.close()
        assert session.get(f"{sandbox.url}/sandbox/events", timeout=LONG).ok

    (request,) = sandbox.requests
    assert (request.headers["x-mine"], request.headers["user-agent"]) == ("yes", "shop/1.0")


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://track.customer.io"),
        ({"region": "eu"}, "https://track-eu.customer.io"),
        ({"region": "eu", "track_url": "http://127.0.0.1:1/base/"}, "http://127.0.0.1:1/base"),
    ],
)
def test_region_and_url_say_where(options: dict[str, Any], url: str) -> None:
    """A URL goes before the region, and a slash at its end is none."""
    with Pipeline(site_id="s", api_key="k", **options) as pipeline:
        assert pipeline._track is not None
        assert pipeline._track.base_url == url


def test_spool_may_be_a_path(tmp_path: Path) -> None:
    """As text it is the same option."""
    assert Options(spool=tmp_path).spool == os.fspath(tmp_path)  # type: ignore[arg-type]
    assert Options(spool=tmp_path) == Options(spool=str(tmp_path))  # type: ignore[arg-type]


# configure.


def test_same_options_give_the_same_pipeline(sandbox: Sandbox) -> None:
    """However they are written, and whatever was configured between."""
    first = configure(**QUICK, track_url=sandbox.url)
    other = configure(**QUICK, track_url=sandbox.url, max_pending=7)

    assert configure(track_url=sandbox.url, **QUICK) is first
    assert get_pipeline() is first
    assert configure(**QUICK, track_url=sandbox.url, max_pending=7) is other
    assert configure(**QUICK, track_url=sandbox.url, timeout=10) is first


def test_other_options_make_a_new_default_and_the_old_one_goes_on(sandbox: Sandbox) -> None:
    """What it has is delivered."""
    first = configure(**{**QUICK, "flush_interval": 0.05}, track_url=sandbox.url)
    first.track("5", "old")
    second = configure(**QUICK, track_url=sandbox.url, api="v1")
    second.track("5", "new")

    assert second is not first
    assert get_pipeline() is second
    assert (settled(second).sent, settled(first).sent) == (1, 1)
    assert sorted(names(sandbox)) == ["new", "old"]


def test_closed_pipeline_is_not_given_again(sandbox: Sandbox) -> None:
    """The same options then give one that works."""
    first = configure(**QUICK, track_url=sandbox.url)
    first.close()
    second = configure(**QUICK, track_url=sandbox.url)

    assert second is not first
    assert second.track("5", "x")


def test_threads_that_configure_at_once_get_one_pipeline(sandbox: Sandbox) -> None:
    """As two modules of an application do."""
    got: list[Pipeline] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        got.append(configure(**QUICK, track_url=sandbox.url))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 8
    assert len(set(map(id, got))) == 1


def test_configure_with_a_mistake_keeps_the_default(sandbox: Sandbox) -> None:
    """It raises, and nothing has changed."""
    first = configure(**QUICK, track_url=sandbox.url)
    with pytest.raises(ParamError):
        configure(regoin="eu")

    assert get_pipeline() is first
