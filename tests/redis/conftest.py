"""Redis servers, and pipelines to them whose ledgers must balance in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from cio_events import Pipeline
from tests.behaviour.watching import Heard, balanced
from tests.support.redis_server import PROGRAM, RedisServer

MakePipeline: TypeAlias = Callable[..., Pipeline]


@pytest.fixture(scope="session")
def _running() -> Iterator[RedisServer]:
    if PROGRAM is None:
        pytest.skip("there is no redis-server")
    with RedisServer(tcp=True) as server:
        yield server


@pytest.fixture
def server(_running: RedisServer) -> Iterator[RedisServer]:
    """A server that nobody kills, without any data, as it was configured."""
    _running.do("FLUSHALL")
    yield _running
    for name, value in (("maxmemory", "0"), ("maxmemory-policy", "noeviction")):
        _running.do("CONFIG", "SET", name, value)
    _running.do("REPLICAOF", "NO", "ONE")


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server that keeps what it has answered when it is killed."""
    if PROGRAM is None:
        pytest.skip("there is no redis-server")
    with RedisServer(appendonly="yes") as server:
        yield server


@pytest.fixture
def publish() -> Iterator[MakePipeline]:
    """Makes pipelines with a relay, with short times unless others are given."""
    made: list[Pipeline] = []

    def make_pipeline(relay: str, **options: Any) -> Pipeline:
        quick = {"flush_interval": 0.01, "retry_base": 0.02, "retry_cap": 0.02}
        made.append(Pipeline(relay=relay, **{**quick, "hold_interval": 0.05, **options}))
        return made[-1]

    yield make_pipeline
    for pipeline in made:
        pipeline.close(0)
        balanced(pipeline)


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What all signals have told since the test began."""
    with Heard() as heard:
        yield heard
