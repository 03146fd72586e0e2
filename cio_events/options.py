"""
A pipeline's options, one row for each: type, default, meaning, reason, and how it is read.

A new option is a row of `Options` and a line of `OptionArguments`. ``strict=True`` in code and
``CIO_STRICT=true`` in the environment then mean the same.
"""

# ruff: noqa: RUF009 - a row is a dataclasses.field

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from cio_events import _reading as reading
from cio_events._exported import exported
from cio_events._process.tracebacks import without_locals
from cio_events.errors import ParamError

if TYPE_CHECKING:
    import requests

    from cio_events._calls.call import Call

# Seconds. Direct clients and `install_signal_handlers` have these two as well.
TIMEOUT = 10.0
EXIT_TIMEOUT = 2.0

_WITHOUT_RELAY = "needs the option relay"

MOST_PARTITIONS = 64
"""Of a relay; each is led by threads of its own."""

# So many have to answer before a call is known to be stored.
_MOST_REPLICAS = 100

# How like two names are of which one is meant for the other; difflib's own is 0.6.
_NEAR = 0.8


class Row(NamedTuple):
    """
    What an option's field does not say of itself.

    Attributes:
        read: Turns a value into what it means, or refuses it.

        meaning: What the option does, for whoever sets it.

        why: Why the default is what it is.

        in_environment: Whether ``CIO_<NAME>`` can give it too.
    """

    read: reading.Read
    meaning: str
    why: str = ""
    in_environment: bool = True


def _row(
    default: object,
    read: reading.Read,
    meaning: str,
    why: str = "",
    *,
    in_environment: bool = True,
) -> Any:
    return field(
        default=default, metadata={"row": Row(read, meaning, why, in_environment=in_environment)}
    )


@exported
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Options:
    """
    The options of one pipeline. Times are in seconds; infinity means that there is no limit.

    Raises:
        ParamError: A value is invalid; it names the option.
    """

    site_id: str | None = _row(
        None, reading.text, "The workspace's site id, for all calls about people."
    )
    api_key: str | None = _row(None, reading.text, "The workspace's Track API key.")
    app_api_key: str | None = _row(
        None, reading.text, "The workspace's App API key, for transactional messages."
    )
    region: Literal["us", "eu"] = _row(
        "us", reading.one_of("us", "eu"), 'Where the workspace lives, ``"us"`` or ``"eu"``.'
    )
    track_url: str | None = _row(
        None, reading.text, "Base URL of the Track API, instead of the region's."
    )
    app_url: str | None = _row(
        None, reading.text, "Base URL of the App API, instead of the region's."
    )
    api: Literal["v2", "v1"] = _row(
        "v2",
        reading.one_of("v2", "v1"),
        '``"v2"`` sends batches, ``"v1"`` a request for each call, as go-customerio does.',
    )
    timeout: float = _row(
        TIMEOUT,
        reading.some_seconds,
        "The longest that one request may last, answer included.",
        "Customer.io answers in well under a second.",
    )
    user_agent: str | None = _row(None, reading.text, "Instead of this package's own.")
    session: requests.Session | None = _row(
        None,
        reading.session,
        "Your own `requests.Session`, with its proxies and certificates.",
        in_environment=False,
    )
    flush_interval: float = _row(
        1.0,
        reading.seconds,
        "How long a call waits for others to share its request.",
        "A second is not felt in a campaign, and a busy application fills a batch in less.",
    )
    max_pending: int = _row(
        100_000,
        reading.count,
        "How many calls may wait.",
        "Minutes of a busy application while Customer.io is away; usually about 30 MB.",
    )
    max_pending_bytes: int = _row(
        64 * 1024 * 1024,
        reading.count,
        "How many bytes they may have together.",
        "A container of 512 MB can spare them.",
    )
    on_full: Literal["drop", "block"] = _row(
        "drop",
        reading.one_of("drop", "block"),
        '``"drop"`` gives up what does not fit, ``"block"`` makes the caller wait.',
        "An application must not wait for its log.",
    )
    max_age: float = _row(
        72 * 3600.0,
        reading.some_seconds,
        "How old a call may become before it is given up.",
        "Customer.io lets an event of the last 72 hours trigger a campaign.",
    )
    exit_timeout: float = _row(
        EXIT_TIMEOUT,
        reading.seconds,
        "How long the interpreter's end may be put off to deliver what is pending.",
        "Orchestrators kill after 10 s or more, and a person at a terminal has little patience.",
    )
    retry_base: float = _row(
        0.5,
        reading.seconds,
        "The longest delay before the first retry; it doubles with each.",
        "A short fault is over within a second.",
    )
    retry_cap: float = _row(
        60.0,
        reading.seconds,
        "The longest delay before any retry.",
        "Delivery then goes on within a minute of an outage's end.",
    )
    hold_interval: float = _row(
        60.0,
        reading.some_seconds,
        "How often a destination with wrong settings is tried again.",
        "People mend wrong credentials, and people take minutes.",
    )
    spool: str | None = _row(
        None, reading.directory, "A directory where calls wait on disk; None keeps them in memory."
    )
    relay: str | None = _row(
        None,
        reading.text,
        "Redis, as a URL (``redis://``, ``rediss://``, ``unix://``): calls go there and not to "
        "Customer.io, and ``cio-events relay`` delivers them.",
    )
    relay_prefix: str = _row(
        "cio_events",
        reading.prefix,
        "What the names of all keys in Redis begin with.",
        "Several workspaces may share a server.",
    )
    relay_ack: Literal["memory", "fsync"] = _row(
        "memory",
        reading.one_of("memory", "fsync"),
        'When Redis has a call: ``"memory"``, once it has answered; ``"fsync"``, once it lies on '
        "its disk.",
        "Few Redis servers lose what they have answered, and a disk takes up to two seconds.",
    )
    relay_bytes: int = _row(
        1024**3,
        reading.count,
        "How many bytes may wait in Redis; beyond them calls wait where they are.",
        "A Redis that others use too must not fill up during an outage.",
    )
    relay_partitions: int = _row(
        1,
        reading.at_most(MOST_PARTITIONS, least=1),
        "Into how many streams calls are parted, by whom they are about; the same for all that "
        "publish to one ``relay_prefix``.",
        "With one, all calls keep their order; with more, those of each identifier as written.",
    )
    relay_replicas: int = _row(
        0,
        reading.at_most(_MOST_REPLICAS, least=0),
        "How many replicas of Redis must have a call before it is sent; until then it waits here "
        "too.",
        "Most Redis servers have none, and each adds its way there and back.",
    )
    before_send: Callable[[Call], Call | None] | None = _row(
        None,
        reading.function,
        "Gets each call on the caller's thread; what it returns is sent, None drops the call.",
        in_environment=False,
    )
    id_type: Literal["auto", "id", "email", "cio_id", "phone"] = _row(
        "auto",
        reading.one_of("auto", "id", "email", "cio_id", "phone"),
        "What a plain text, integer or UUID means as a customer, in tags and verbs.",
        '``"auto"`` reads a text by its shape, as Customer.io does: with an ``@`` an e-mail '
        "address, with the prefix ``cio_`` a cio_id, else an id.",
    )
    hidden: tuple[str, ...] = _row(
        (),
        reading.names,
        "Names of a record's keys that are never payload, or patterns such as ``debug_*``; in the "
        "environment with commas between. What ``cio_data`` holds is sent all the same.",
    )
    payload: Literal["rest", "data"] = _row(
        "rest",
        reading.one_of("rest", "data"),
        'What a record says beside its tags: ``"rest"`` is all its other keys, ``"data"`` only '
        "what ``cio_data`` holds.",
    )
    strict: bool = _row(
        False,
        reading.switch,
        "Raise for a record of which no call can be made; for tests and development.",
        "Logging must never raise into an application.",
    )
    debug: bool = _row(
        False,
        reading.switch,
        "Say of each record that has any ``cio…`` key whether it was captured or why not, and of "
        "each request what it carried and what came back: a warning each on the logger "
        "``cio_events``, without payload.",
        "It is for finding out why an event does not arrive.",
    )
    enabled: bool = _row(True, reading.switch, "False drops everything.")

    def __post_init__(self) -> None:
        for name, row in ROWS.items():
            value = getattr(self, name)
            if value is not None or _DEFAULTS[name] is not None:
                object.__setattr__(self, name, row.read(name, value))
        if self.relay is None and self.relay_partitions != 1:
            raise ParamError("relay_partitions", _WITHOUT_RELAY)

    @property
    def to(self) -> Literal["customer.io", "redis"]:
        """Where calls go, as reports say it."""
        return "customer.io" if self.relay is None else "redis"

    def __repr__(self) -> str:
        return f"<Options region={self.region!r}>"


class OptionArguments(TypedDict, total=False):
    """
    The options as keyword arguments, for type checkers and editors.

    `Options` says what each means.
    """

    site_id: str | None
    api_key: str | None
    app_api_key: str | None
    region: Literal["us", "eu"]
    track_url: str | None
    app_url: str | None
    api: Literal["v2", "v1"]
    timeout: float
    user_agent: str | None
    session: requests.Session | None
    flush_interval: float
    max_pending: int
    max_pending_bytes: int
    on_full: Literal["drop", "block"]
    max_age: float
    exit_timeout: float
    retry_base: float
    retry_cap: float
    hold_interval: float
    spool: str | os.PathLike[str] | None
    relay: str | None
    relay_prefix: str
    relay_ack: Literal["memory", "fsync"]
    relay_bytes: int
    relay_partitions: int
    relay_replicas: int
    before_send: Callable[[Call], Call | None] | None
    id_type: Literal["auto", "id", "email", "cio_id", "phone"]
    hidden: Iterable[str]
    payload: Literal["rest", "data"]
    strict: bool
    debug: bool
    enabled: bool


ROWS: dict[str, Row] = {one.name: one.metadata["row"] for one in fields(Options)}

_DEFAULTS: dict[str, object] = {one.name: one.default for one in fields(Options)}

Options.__init__ = without_locals(Options.__init__)  # type: ignore[method-assign]
Options.__doc__ = "".join(
    [
        *(Options.__doc__ or "").partition("    Raises:")[:1],
        "    Attributes:\n",
        *(f"        {name}: {' '.join(filter(None, row[1:3]))}\n\n" for name, row in ROWS.items()),
        *(Options.__doc__ or "").partition("    Raises:")[1:],
    ]
)


def variables() -> list[str]:
    """The variables of the environment that are read."""
    options = [f"CIO_{name.upper()}" for name, row in ROWS.items() if row.in_environment]
    return [*options, "CIO_ONLY_LOOPBACK"]  # which is read beside the options


def misspelt(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each variable in *environ* that nobody reads and that is nearly one of ours; and which."""
    known = variables()
    for variable in environ:
        if variable.startswith("CIO_") and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=_NEAR)
            if near and near[0] not in environ:
                yield variable, near[0]


def options_from(
    given: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> tuple[Options, ParamError | None]:
    """
    The options *given*, and for the others what ``CIO_<NAME>`` says in *environ*.

    A variable that cannot be read must not stop an application from starting, so its error is
    returned, beside the options without it.

    Raises:
        ParamError: One that was *given* is invalid, or is no option.
    """
    for name in given:
        if name not in ROWS:
            close = difflib.get_close_matches(name, ROWS, n=1)
            raise ParamError(name, f"is no option; is it {close[0]}?" if close else "is no option")
    values, problem = dict(given), None
    for name, row in ROWS.items():
        variable = f"CIO_{name.upper()}"
        text = environ.get(variable, "") if row.in_environment else ""
        if name in given or not text:
            continue
        try:
            values[name] = row.read(name, text)
        except ParamError as error:
            problem = problem or ParamError(variable, error.message, error.limit)
    without = "relay_partitions" not in given and values.get("relay") is None
    if without and values.pop("relay_partitions", 1) != 1:
        problem = problem or ParamError("CIO_RELAY_PARTITIONS", _WITHOUT_RELAY)
    return Options(**values), problem
