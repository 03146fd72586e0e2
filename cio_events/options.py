"""
A pipeline's options: their names, defaults and reasons, from arguments or the environment.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cio_events.errors import ParamError

if TYPE_CHECKING:
    import requests

    from cio_events._calls.people import Call

# How long a call waits for company. A second is not felt in a campaign, and a busy application
# fills a batch in less.
FLUSH_INTERVAL = 1.0

# A whole request, answer included. Customer.io answers in well under a second.
TIMEOUT = 10.0

# Minutes of a busy application while Customer.io is away; at the usual size of an event about
# 30 MB.
MAX_PENDING = 100_000

# What a container of 512 MB can spare.
MAX_PENDING_BYTES = 64 * 1024 * 1024

# Customer.io lets an event of the last 72 hours trigger a campaign.
MAX_AGE = 72 * 3600.0

# How long an exit may take: orchestrators kill after 10 s or more, and a person at a terminal
# has little patience.
EXIT_TIMEOUT = 2.0

# The first retry comes within this time, each later one within twice the time of the one before,
RETRY_BASE = 0.5

# up to this: an outage is over within a minute of its end.
RETRY_CAP = 60.0

# Wrong credentials are mended by people.
HOLD_INTERVAL = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Options:
    """
    The options of one pipeline. Times are in seconds.

    Attributes:
        site_id: The workspace's site id, for all calls about people.

        api_key: The workspace's Track API key.

        app_api_key: The workspace's App API key, for transactional messages.

        region: Where the workspace lives, ``"us"`` or ``"eu"``.

        track_url: Base URL of the Track API, instead of the region's.

        app_url: Base URL of the App API, instead of the region's.

        api: ``"v2"`` sends batches, ``"v1"`` a request for each call, as go-customerio does.

        timeout: What one request may last, answer included.

        user_agent: Instead of this package's own.

        session: A `requests.Session` of yours, with its proxies and certificates.

        flush_interval: How long a call waits for others to share its request.

        max_pending: How many calls may wait.

        max_pending_bytes: How many bytes they may have together.

        on_full: ``"drop"`` gives up what does not fit, ``"block"`` makes the caller wait.

        max_age: How old a call may become before it is given up.

        exit_timeout: How long the interpreter's end may be put off to deliver what is pending.

        retry_base: The longest delay before the first retry.

        retry_cap: The longest delay before any retry.

        hold_interval: How often a destination with wrong settings is tried again.

        spool: A directory where calls wait on disk; None keeps them in memory.

        before_send: Gets each call on the caller's thread; what it returns is sent, None drops.

        strict: Raise for a record of which no call can be made.

        enabled: False drops everything.

    Raises:
        ParamError: A value cannot be; it names the option.
    """

    site_id: str | None = None
    api_key: str | None = None
    app_api_key: str | None = None
    region: Literal["us", "eu"] = "us"
    track_url: str | None = None
    app_url: str | None = None
    api: Literal["v2", "v1"] = "v2"
    timeout: float = TIMEOUT
    user_agent: str | None = None
    session: requests.Session | None = None
    flush_interval: float = FLUSH_INTERVAL
    max_pending: int = MAX_PENDING
    max_pending_bytes: int = MAX_PENDING_BYTES
    on_full: Literal["drop", "block"] = "drop"
    max_age: float = MAX_AGE
    exit_timeout: float = EXIT_TIMEOUT
    retry_base: float = RETRY_BASE
    retry_cap: float = RETRY_CAP
    hold_interval: float = HOLD_INTERVAL
    spool: str | None = None
    before_send: Callable[[Call], Call | None] | None = None
    strict: bool = False
    enabled: bool = True

    def __post_init__(self) -> None:
        for name, read in _READERS.items():
            value = getattr(self, name)
            if value is not None or name not in _MAY_BE_NONE:
                object.__setattr__(self, name, read(name, value))
        if self.before_send is not None and not callable(self.before_send):
            raise ParamError("before_send", "must be callable")
        if self.session is not None and not callable(getattr(self.session, "send", None)):
            raise ParamError("session", "must be a requests.Session")

    def __repr__(self) -> str:
        return f"<Options region={self.region!r}>"


def options_from(
    given: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> tuple[Options, ParamError | None]:
    """
    The options *given*, and for the others what ``CIO_<NAME>`` says in *environ*.

    A variable that cannot be read must not stop an application from starting, so its error is
    returned, beside the options without it.

    Raises:
        ParamError: One that was *given* cannot be, or is no option.
    """
    for name in given:
        if name not in _NAMES:
            close = difflib.get_close_matches(name, _NAMES, n=1)
            raise ParamError(name, f"is no option; is it {close[0]}?" if close else "is no option")
    values, problem = dict(given), None
    for name, read in _READERS.items():
        variable = f"CIO_{name.upper()}"
        text = environ.get(variable, "")
        if name in given or not text:
            continue
        try:
            values[name] = read(name, text)
        except ParamError as error:
            problem = problem or ParamError(variable, error.message)
    return Options(**values), problem


def _text(name: str, value: object) -> str:
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    raise ParamError(name, "must be text, and not blank")


def _seconds(name: str, value: object) -> float:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else math.nan
    except ValueError:
        number = math.nan
    # Infinity is a time: "never".
    if isinstance(value, bool) or not number >= 0:
        raise ParamError(name, "must be a number of seconds, 0 or more")
    return number


def _some_seconds(name: str, value: object) -> float:
    number = _seconds(name, value)
    if number == 0:
        raise ParamError(name, "must be a number of seconds over 0")
    return number


def _count(name: str, value: object) -> int:
    try:
        number = int(value) if isinstance(value, (int, str)) else 0
    except ValueError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise ParamError(name, "must be an integer over 0")
    return number


_SWITCH = {
    "1": True, "true": True, "yes": True, "on": True,
    "0": False, "false": False, "no": False, "off": False,
}  # fmt: skip


def _switch(name: str, value: object) -> bool:
    answer = _SWITCH.get(str(value).strip().lower()) if isinstance(value, (bool, str)) else None
    if answer is None:
        raise ParamError(name, "must be true or false")
    return answer


def _one_of(*words: str) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        if isinstance(value, str) and value.strip().lower() in words:
            return value.strip().lower()
        raise ParamError(name, "must be " + " or ".join(f'"{word}"' for word in words))

    return read


def _directory(name: str, value: object) -> str:
    if isinstance(value, Path):
        value = str(value)
    return _text(name, value)


# How each option is read that the environment can give too.
_READERS: dict[str, Callable[[str, object], object]] = {
    "site_id": _text,
    "api_key": _text,
    "app_api_key": _text,
    "region": _one_of("us", "eu"),
    "track_url": _text,
    "app_url": _text,
    "api": _one_of("v2", "v1"),
    "timeout": _some_seconds,
    "user_agent": _text,
    "flush_interval": _seconds,
    "max_pending": _count,
    "max_pending_bytes": _count,
    "on_full": _one_of("drop", "block"),
    "max_age": _some_seconds,
    "exit_timeout": _seconds,
    "retry_base": _seconds,
    "retry_cap": _seconds,
    "hold_interval": _seconds,
    "spool": _directory,
    "strict": _switch,
    "enabled": _switch,
}

_MAY_BE_NONE = frozenset(
    {"site_id", "api_key", "app_api_key", "track_url", "app_url", "user_agent", "spool"}
)

_NAMES = frozenset(field.name for field in fields(Options))
