"""What the commands that look into Redis have in common: which one, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from cio_events._redis.keys import PREFIX, Keys
from cio_events.errors import ParamError
from cio_events.options import ROWS

if TYPE_CHECKING:
    from cio_events._relay.link import Link

_Command = TypeVar("_Command", bound=Callable[..., object])


class WrongSettingError(click.ClickException):
    """A setting is wrong, or an extra is not installed."""

    exit_code = 2


def _as_option(_context: click.Context, _param: click.Parameter, prefix: str) -> str:
    try:
        return str(ROWS["relay_prefix"].read("relay_prefix", prefix))
    except ParamError as error:
        raise click.BadParameter(error.message) from None


def of_prefix(command: _Command) -> _Command:
    """The option that says which stream is meant."""
    prefix = click.option(
        "--prefix",
        envvar="CIO_RELAY_PREFIX",
        default=PREFIX,
        show_default=True,
        callback=_as_option,
        help="How the keys begin: the option relay_prefix.",
    )
    return prefix(command)


def of_redis(command: _Command) -> _Command:
    """The options that say which Redis is meant, and which stream."""
    url = click.option(
        "--url", envvar="CIO_RELAY", required=True, help="Where Redis is, or CIO_RELAY."
    )
    return url(of_prefix(command))


@contextmanager
def understood() -> Iterator[None]:
    """
    Have errors end the command with a line.

    Raises:
        click.ClickException: There was one.
    """
    try:
        # Optional: redis-py comes with the extra that has these commands.
        from cio_events._relay.link import ERRORS
    except ModuleNotFoundError as missing:
        raise WrongSettingError(
            f"cio-events relay needs {missing.name}: pip install 'cio-events[relay]'"
        ) from None
    try:
        yield
    except ParamError as error:
        raise WrongSettingError(str(error)) from None
    except ERRORS as error:
        raise click.ClickException(f"Redis cannot be used: {words_of(error)}") from None


def words_of(error: Exception) -> str:
    """What an error of Redis means, without anything that is secret."""
    from cio_events._redis.connection import problem_of  # as above

    return problem_of(error).detail


def link_to(url: str, prefix: str) -> Link:
    """The stream, to be used where errors are `understood`."""
    from cio_events._relay.link import Link  # as above

    return Link(url, Keys(prefix))
