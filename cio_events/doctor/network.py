"""Ask Customer.io whether it knows credentials, side by side and within a time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING

import orjson

from cio_events._destinations import endpoints
from cio_events._http import endpoint as http
from cio_events._http.loopback import bound, is_loopback
from cio_events._process.clock import monotonic
from cio_events._process.suppression import without_capture
from cio_events._wire import answers
from cio_events._wire.request import Request
from cio_events.errors import NoAnswerError, ParamError
from cio_events.options import Options

if TYPE_CHECKING:
    import requests

SECONDS = 3.0
"""What one request may take."""

# All of them, the second region included, so that all checks end within five seconds.
_SECONDS_IN_ALL = 4.5

# Of more pipelines nobody has heard.
_MOST = 8

_PATH = "/api/v1/accounts/region"


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What came of one request.

    Attributes:
        host: Where it went, as far as that may be shown.

        status: The HTTP status; None if there was no answer.

        region: The region of the workspace, as the answer has it.

        is_page: Whether the answer is some page and not Customer.io's.

        cause: Why there was no answer.

        skew: How many seconds this machine's clock is ahead of the answer's.
    """

    host: str
    status: int | None = None
    region: str | None = None
    is_page: bool = False
    cause: str = ""
    skew: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What became of one pipeline's credentials.

    Attributes:
        options: The pipeline's.

        first: The answer from where its calls go; None if it did not come in time.

        other: The answer of the other region, after the first one does not know them.
    """

    options: Options
    first: Reply | None
    other: Reply | None = None


class Answers:
    """
    The answers to all credentials among these options.

    Args:
        options: Those of each pipeline.

        urls: The Track API's base URL for each region.
    """

    def __init__(self, options: Sequence[Options], urls: Mapping[str, str] | None = None) -> None:
        distinct: dict[tuple[object, ...], Options] = {}
        for one in options:
            if one.site_id and one.api_key:
                key = (one.site_id, one.api_key, one.region, one.track_url)
                distinct.setdefault(key, one)
        self._options = list(distinct.values())[:_MOST]
        self._urls = http.TRACK_URLS if urls is None else urls
        self._replies: dict[int, list[Reply]] = {}
        self._threads: list[threading.Thread] = []
        self._end = 0.0

    def __bool__(self) -> bool:
        return bool(self._options)

    def begin(self) -> None:
        """Have them asked, each by a thread of its own; a look-up of a name cannot be stopped."""
        if self._threads or not self._options or bound():
            return
        self._end = monotonic() + _SECONDS_IN_ALL
        for number in range(len(self._options)):
            self._replies[number] = []
            thread = threading.Thread(
                target=self._ask, args=(number,), name="cio_events-doctor", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def wait(self) -> list[Asked]:
        """Wait for the answers as long as there is time."""
        self.begin()
        for thread in self._threads:
            thread.join(max(0.0, self._end - monotonic()))
        found = []
        for number, options in enumerate(self._options if self._threads else ()):
            first, other, *_ = [*self._replies[number], None, None]
            found.append(Asked(options, first, other))
        return found

    def _ask(self, number: int) -> None:
        without_capture(self._ask_regions, self._options[number], self._replies[number])

    def _ask_regions(self, options: Options, replies: list[Reply]) -> None:
        url = options.track_url or self._urls[options.region]
        first = self._reply(options, url)
        replies.append(first)
        if first.status == 401 and options.track_url is None:
            (other,) = (url for region, url in self._urls.items() if region != options.region)
            replies.append(self._reply(options, other))

    def _reply(self, options: Options, url: str) -> Reply:
        host = shown_host(url)
        try:
            from_region = endpoints.track(_with_url(options, url))
        except ParamError as error:
            return Reply(host, cause=str(error))
        try:
            left = max(0.05, self._end - monotonic())
            answer = from_region.send(Request("GET", _PATH, None), timeout=min(SECONDS, left))
        except NoAnswerError as error:
            return Reply(host, cause=error.cause or "unknown")
        finally:
            from_region.close()
        reading = answers.read(answer.body, whole=answer.broken is None)
        return Reply(
            host,
            answer.status,
            _region(answer.body),
            is_page=200 <= answer.status < 300 and not reading.is_json,
            skew=_skew(answer.headers.get("Date")),
        )


def shown_host(url: str) -> str:
    """The host of *url* if it is Customer.io's or this machine's; another is not told."""
    host = url.partition("://")[2].partition("/")[0].lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "customer.io" or name.endswith(".customer.io") or is_loopback(name.strip("[]")):
        return name
    return "the host of track_url"


def _with_url(options: Options, url: str) -> Options:
    return Options(
        site_id=options.site_id,
        api_key=options.api_key,
        track_url=url,
        session=session_like(options),
        user_agent=options.user_agent,
    )


def session_like(options: Options) -> requests.Session | None:
    """
    A session as the application's; None if it has none.

    Its own may be in use, and would get an adapter more.
    """
    if options.session is None:
        return None
    # Here and not above: requests takes long to import, and there is a session of its.
    from cio_events._http.adapter import clone_session

    return clone_session(options.session)


def _region(body: bytes) -> str | None:
    try:
        region = orjson.loads(body)["region"]
    except (ValueError, LookupError, TypeError):
        return None
    return region if region in http.TRACK_URLS else None


def _skew(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    # A Date has no fractions of a second, and the answer has taken a while.
    return time() - theirs
