"""Where the calls of a pipeline go, as its options have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urlsplit

from cio_events._buffers.workspace import Workspace, fingerprint
from cio_events._http import credentials, loopback
from cio_events._http import endpoint as http
from cio_events._process.forks import late_imports
from cio_events._process.tracebacks import without_locals
from cio_events.errors import ParamError
from cio_events.options import Options

if TYPE_CHECKING:
    from cio_events._destinations.redis_address import RedisAddress

_Where = TypeVar("_Where", http.Endpoint, "RedisAddress")


def opened(
    make: Callable[[Options], _Where],
    options: Options,
    given: Mapping[str, object],
    problem: ParamError | None,
) -> tuple[_Where | None, ParamError | None]:
    """
    The endpoint that *make* makes of *options*, or why there is none.

    Args:
        make: `track`, `app` or `relay`.

        options: All of them.

        given: Those that did not come from the environment.

        problem: What is wrong with the environment, if anything.

    Raises:
        ParamError: An option that was *given* is invalid.
    """
    if problem is not None:
        return None, problem
    try:
        return make(options), None
    except ParamError as error:
        if given.get(error.param) is not None:
            raise
        # As new: its frames hold the options, secrets included.
        return None, ParamError(error.param, error.message, error.limit)


def track(options: Options) -> http.Endpoint:
    """
    Where calls about people go.

    Raises:
        ParamError: Credentials are missing, or an option is invalid.
    """
    return http.Endpoint(
        _url("track_url", http.track_url, options.region, options.track_url),
        credentials.basic(*_needed(options, "site_id", "api_key")),
        timeout=options.timeout,
        user_agent=options.user_agent,
        session=options.session,
    )


def app(options: Options) -> http.Endpoint:
    """
    Where transactional messages go.

    Raises:
        ParamError: Credentials are missing, or an option is invalid.
    """
    return http.Endpoint(
        _url("app_url", http.app_url, options.region, options.app_url),
        credentials.bearer(*_needed(options, "app_api_key")),
        timeout=options.timeout,
        user_agent=options.user_agent,
        session=options.session,
    )


def relay(options: Options) -> RedisAddress:
    """
    Where calls go for a relay to deliver them.

    Raises:
        ParamError: The URL is invalid, or redis-py is missing.
    """
    # Not imported above: who has no relay needs nothing of Redis.
    with late_imports():
        from cio_events._destinations.redis_address import RedisAddress

    return RedisAddress(options.relay or "")


class Found(NamedTuple):
    """
    Where the calls of a pipeline with certain options go.

    Attributes:
        options: As given to `find`.

        track: Where calls about people go; None where there is no such place, or a relay.

        app: Where transactional messages go, as above.

        relay: Where all of them go.

        no_track: Why calls about people go nowhere; None where they do go somewhere.

        no_app: The same of messages.
    """

    options: Options
    track: http.Endpoint | None
    app: http.Endpoint | None
    relay: RedisAddress | None
    no_track: ParamError | None
    no_app: ParamError | None

    def workspace(self) -> Workspace:
        """
        What tells the calls of these endpoints from those of others in the same spool.

        Where this process may reach loopback alone, and the endpoints are elsewhere or are none,
        it is a workspace that no other process delivers to: what a test leaves is nobody's.
        """
        if self.relay is not None:
            theirs = _fingerprint(self.relay, self.options.relay_prefix)
            return Workspace(theirs, theirs)
        return Workspace(
            _fingerprint(self.track, self.options.site_id or ""),
            _fingerprint(self.app, self.options.app_api_key or ""),
        )


@without_locals
def find(options: Options, given: Mapping[str, object], problem: ParamError | None) -> Found:
    """
    Find where calls go, and why there is no such place where there is none.

    Args:
        options: All of them.

        given: Those that did not come from the environment.

        problem: What is wrong with the environment, if anything.

    Raises:
        ParamError: An option that was *given* is invalid.
    """
    if options.relay is not None:
        there, missing = opened(relay, options, given, problem)
        return Found(options, None, None, there, missing, missing)
    to_track, no_track = opened(track, options, given, problem)
    to_app, no_app = opened(app, options, given, problem)
    return Found(options, to_track, to_app, None, no_track, no_app)


def _fingerprint(endpoint: http.Endpoint | RedisAddress | None, key: str) -> str | None:
    if loopback.bound() and not may_be_reached(endpoint):
        return fingerprint(loopback.VARIABLE, key)
    return None if endpoint is None else fingerprint(endpoint.base_url, key)


def may_be_reached(endpoint: http.Endpoint | RedisAddress | None) -> bool:
    """Whether there is one, and this process may reach its host."""
    if endpoint is None:
        return False
    if not isinstance(endpoint, http.Endpoint):
        return not loopback.bound() or endpoint.outside() is None
    host = urlsplit(endpoint.base_url).hostname or ""
    return not loopback.bound() or loopback.is_loopback(host)


def _url(param: str, read: Callable[[str, str | None], str], region: str, url: str | None) -> str:
    try:
        return read(region, url)
    except ParamError as error:
        raise ParamError(param, error.message) from None


def _needed(options: Options, *names: str) -> list[str]:
    missing = [name for name in names if getattr(options, name) is None]
    if missing:
        first, *more = missing
        so_are = "".join(f", and so is {name}" for name in more)
        variables = " and ".join(f"CIO_{name.upper()}" for name in missing)
        raise ParamError(first, f"is missing{so_are}; give it as an option or set {variables}")
    return [getattr(options, name) for name in names]
