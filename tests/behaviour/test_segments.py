"""Manual segments from a pipeline: what arrives, in which order, and what becomes of a refusal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cio_events import AddToSegment, CustomerIOHandler, Pipeline
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import QUICK, Heard, balanced, eventually, said, settled

MakePipeline = Callable[..., Pipeline]

each_api = pytest.mark.parametrize("api", ["v1", "v2"])
each_buffer = pytest.mark.parametrize("spooled", [False, True], ids=["memory", "spool"])


def where(tmp_path: Path, spooled: bool) -> dict[str, Any]:
    """The option for where calls wait."""
    return {"spool": tmp_path} if spooled else {}


def segments_of(sandbox: Sandbox, who: str) -> list[int]:
    """The manual segments that a person is in."""
    person = sandbox.person(who)
    assert person is not None
    return person.segments


@each_api
@each_buffer
def test_people_are_added_and_taken_out(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, api: str, spooled: bool
) -> None:
    """A thousand of the longest ids too; those are known who were identified just before."""
    pipeline = make(api=api, **where(tmp_path, spooled))
    many = [f"{n:0150}" for n in range(1_000)]
    taken = [
        pipeline.identify(many[-1]),
        pipeline.add_to_segment(7, many),
        pipeline.identify("5", {"email": "a@example.com"}),
        pipeline.add_to_segment(7, ["5"]),
        pipeline.add_to_segment(8, [5]),
        pipeline.remove_from_segment(7, ["5"]),
    ]
    stats = settled(pipeline)

    assert taken == [True] * 6
    assert (stats.received, stats.sent) == (6, 6)
    assert segments_of(sandbox, many[-1]) == [7]
    assert segments_of(sandbox, "5") == [8]


@each_buffer
def test_a_call_keeps_its_place_among_those_of_its_people(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, spooled: bool
) -> None:
    """It waits for what was logged before of any of them, they for it, and others for nothing."""
    sandbox.fail_next(503, times=None, text="slow")
    pipeline = make(flush_interval=0.001, retry_base=0.01, **where(tmp_path, spooled))
    pipeline.identify("5", {"pace": "slow"})
    pipeline.add_to_segment(7, ["6", "5"])
    pipeline.track("6", "after")
    assert eventually(lambda: pipeline.track("9", "other") and sandbox.events_of("9"))
    assert segments_posted(sandbox) == []
    assert sandbox.events_of("6") == []

    sandbox.heal()
    settled(pipeline)
    assert segments_of(sandbox, "5") == [7]
    assert [event.name for event in sandbox.events_of("6")] == ["after"]


def segments_posted(sandbox: Sandbox) -> list[str]:
    """The paths of the requests about segments, in their order."""
    return [one.path for one in sandbox.requests if "/segments/" in one.path]


@each_api
def test_adding_and_taking_out_by_turns_ends_as_it_was_said(
    make: MakePipeline, sandbox: Sandbox, api: str
) -> None:
    """Single requests go several at once, those of one person one by one, retries included."""
    pipeline = make(api=api)
    pipeline.identify("5")
    settled(pipeline)
    sandbox.fail_next(503, times=3)
    for n in range(12):
        pipeline.add_to_segment(7, ["5", f"x{n}"])
        pipeline.remove_from_segment(7, [f"y{n}", "5"])
    settled(pipeline)

    passed = [r for r in sandbox.requests if "/segments/" in r.path and r.status == 200]
    assert [("add" in request.path) for request in passed] == [True, False] * 12
    assert segments_of(sandbox, "5") == []


def test_what_is_refused_is_a_dead_letter_and_can_be_sent_again(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, heard: Heard, caplog: Any
) -> None:
    """The call is whole in the report and in the letter; nobody's id is in the log."""
    call = AddToSegment(7, ["lucy-the-first", "max-the-second"])
    words = {"meta": {"errors": ["no lucy-the-first in segment 7"]}}
    sandbox.fail_next(400, body=words, path="/segments/")
    pipeline = make(spool=tmp_path)
    pipeline.identify("lucy-the-first")
    assert pipeline.send(call)
    assert settled(pipeline).failed_by_reason == {"rejected": 1}

    (letter,) = pipeline.failures()
    assert (letter.call, letter.reason, letter.status) == (call, "rejected", 400)
    assert [report.call for report in heard.failed] == [call]
    (line,) = said(caplog)
    assert "add_to_segment" in line
    assert "lucy" not in line

    assert pipeline.resend() == 1
    settled(pipeline)
    assert segments_of(sandbox, "lucy-the-first") == [7]
    assert list(pipeline.failures()) == []


def test_what_waited_in_the_spool_is_delivered_by_the_next(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Behind what was logged before it of its people."""
    sandbox.fail_next(503, times=None)
    gone = Pipeline(**QUICK, track_url=sandbox.url, spool=tmp_path)
    gone.identify("5")
    gone.add_to_segment(7, ["5", *map(str, range(100, 1_000))])
    gone.close(0)
    sandbox.heal()

    assert settled(make(spool=tmp_path)).sent == 2
    assert segments_of(sandbox, "5") == [7]


def test_too_many_people_fail_at_the_door(
    make: MakePipeline, sandbox: Sandbox, caplog: Any
) -> None:
    """As every limit: counted, and said with the field and the limit."""
    pipeline = make()

    assert not pipeline.add_to_segment(7, map(str, range(1_001)))
    assert balanced(pipeline).failed_by_reason == {"too_large": 1}
    (line,) = said(caplog)
    assert "customers: has over 1000 entries" in line
    assert sandbox.requests == []


class Broken:
    """A query of an application's that fails as soon as it is asked."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("secret")


@pytest.mark.parametrize("ask", ["add_to_segment", "remove_from_segment", "add_relationships"])
def test_people_who_cannot_be_read_raise_into_nobody(
    make: MakePipeline, caplog: Any, ask: str
) -> None:
    """A verb of a pipeline does not raise, whatever it is given."""
    pipeline = make()

    assert getattr(pipeline, ask)(7, Broken()) is False
    assert balanced(pipeline).failed_by_reason == {"invalid": 1}
    (line,) = said(caplog)
    assert "cannot be read" in line
    assert "secret" not in line


@pytest.mark.parametrize("several", [list, tuple, set, iter, dict.fromkeys])
def test_a_plain_text_means_what_the_option_says(
    make: MakePipeline, sandbox: Sandbox, several: Any
) -> None:
    """In whatever iterable it stands."""
    pipeline = make(id_type="cio_id")
    who = several(["a1"])
    pipeline.add_to_segment(7, who.keys() if isinstance(who, dict) else who)
    settled(pipeline)

    assert segments_posted(sandbox) == ["/api/v1/segments/7/add_customers?id_type=cio_id"]
    assert sandbox.requests[0].body == {"ids": ["a1"]}


def test_a_log_line_carries_the_call(make: MakePipeline, sandbox: Sandbox) -> None:
    """As an object; a word is refused, and the text says which object to use."""
    pipeline = make()
    handler = CustomerIOHandler(pipeline)
    for what in (AddToSegment(7, ["5"]), "add_to_segment"):
        record = {"msg": "in", "cio": what, "cio_customer": "5"}
        handler.handle(logging.makeLogRecord(record))

    assert settled(pipeline).failed_by_reason == {"invalid": 1}
    assert segments_posted(sandbox) == ["/api/v1/segments/7/add_customers?id_type=id"]
