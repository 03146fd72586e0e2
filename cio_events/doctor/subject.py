"""What is examined: the pipelines of this process, or what the environment would make of one."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from cio_events._pipeline import default
from cio_events._process import forks
from cio_events.doctor.network import Answers
from cio_events.doctor.readings import Readings
from cio_events.doctor.records import Records
from cio_events.doctor.set_up import SetUp
from cio_events.options import options_from

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline


class Subject:
    """
    What is examined.

    Args:
        network: Whether Customer.io and Redis may be asked.

        has_application: Whether this process is set up as the application's is.

        environ: The environment; None is this process's.

    Attributes:
        network: As given.

        has_application: As given.

        environ: As given.
    """

    def __init__(
        self,
        *,
        network: bool,
        has_application: bool,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.network = network
        self.has_application = has_application
        self.environ: Mapping[str, str] = os.environ if environ is None else environ

    @cached_property
    def set_ups(self) -> list[SetUp]:
        """The pipelines there are, or will be once a call comes; the default one is the first."""
        found = [SetUp(one.options, None, one) for one in _pipelines()]
        options, problem = options_from({}, self.environ)
        if problem is not None:
            name = problem.param.removeprefix("CIO_").lower()
            found = [
                # What is given in code does not ask the environment.
                one._replace(problem=problem) if one.has_default(name) else one
                for one in found
            ]
        somewhere = options.site_id or options.api_key or options.app_api_key or options.relay
        counts = not found or (bool(somewhere) and _environment_counts())
        if counts and all(one.options != options for one in found):
            found.append(SetUp(options, problem, None))
        return found

    @cached_property
    def answers(self) -> Answers:
        """What Customer.io says to the credentials; asked when it is first looked at."""
        return Answers([one.options for one in self.set_ups])

    @cached_property
    def readings(self) -> Readings:
        """How each relay's Redis is; asked when it is first looked at."""
        return Readings(self.set_ups)

    @cached_property
    def records(self) -> Records:
        """The ways by which records come in."""
        return Records()

    def ask(self, checks: Collection[str]) -> None:
        """Begin to ask Customer.io and Redis for what these *checks* need, if that may be."""
        if self.network and "relay" in checks:
            self.readings.begin()
        if self.network and not {"credentials", "clock"}.isdisjoint(checks):
            self.answers.begin()


def _pipelines() -> Iterator[Pipeline]:
    # Not imported above: a process without pipelines does not need it.
    from cio_events._pipeline.pipeline import Pipeline

    first = default.process.default
    if first is not None:
        yield first
    for one in forks.watched():
        if isinstance(one, Pipeline) and one is not first and not one.closed:
            yield one


def _environment_counts() -> bool:
    """Whether the default pipeline is still to be made of the environment."""
    return default.process.default is None and not default.process.handlers
