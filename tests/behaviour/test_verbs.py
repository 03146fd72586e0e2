"""The verbs: what each delivers and answers, and what it does with invalid arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import cio_events
from cio_events import Identifier, ParamError, Pipeline, Track, TrackClient
from cio_events._pipeline.verbs import Verbs
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import Heard, balanced, names, said, settled

MakePipeline = Callable[..., Pipeline]

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

CALL_OF_VERB = {
    "identify": cio_events.Identify,
    "track": cio_events.Track,
    "track_anonymous": cio_events.TrackAnonymous,
    "delete": cio_events.Delete,
    "suppress": cio_events.Suppress,
    "unsuppress": cio_events.Unsuppress,
    "merge_customers": cio_events.Merge,
    "add_device": cio_events.AddDevice,
    "delete_device": cio_events.DeleteDevice,
    "identify_object": cio_events.IdentifyObject,
    "delete_object": cio_events.DeleteObject,
    "add_relationships": cio_events.AddRelationships,
    "delete_relationships": cio_events.DeleteRelationships,
    "add_to_segment": cio_events.AddToSegment,
    "remove_from_segment": cio_events.RemoveFromSegment,
    "report_metric": cio_events.ReportMetric,
}
each_api = pytest.mark.parametrize("api", ["v1", "v2"])


@each_api
def test_every_verb_arrives(make: MakePipeline, sandbox: Sandbox, api: str) -> None:
    """Two people, their events, devices, a merge, a deletion, a suppression and its end."""
    pipeline = make(api=api)
    email = Identifier("b@example.com", "email")
    taken = [
        pipeline.identify("a", {"plan": "pro"}, timestamp=5),
        pipeline.identify(email, {"name": "B"}),
        pipeline.track("a", "bought", {"price": 1.5}, id=ULID, timestamp=7),
        pipeline.track("a", "/home", type="page"),
        pipeline.track(email, "home", type="screen"),
        pipeline.track_anonymous("nobody", "looked", {"at": "x"}),
        pipeline.track_anonymous("", "invited", {"recipient": "c@example.com"}),
        pipeline.add_device("a", "token", "ios", {"last_used": 9, "app": "1"}),
        pipeline.add_device("a", "other", "android"),
        pipeline.delete_device("a", "other"),
        pipeline.merge_customers("a", email),
        pipeline.identify("gone"),
        pipeline.delete("gone"),
        pipeline.suppress("quiet"),
        pipeline.suppress("loud"),
        pipeline.unsuppress("loud"),
        pipeline.identify("loud"),
    ]
    stats = settled(pipeline)

    assert taken == [True] * 17
    assert (stats.received, stats.sent) == (17, 17)
    a = sandbox.person("a")
    assert a is not None
    assert (a.attributes["plan"], a.attributes["name"]) == ("pro", "B")
    assert a.timestamps["plan"] == 5
    assert a.email == "b@example.com"
    assert {token: (d.platform, d.last_used, d.attributes) for token, d in a.devices.items()} == {
        "token": ("ios", 9, {"app": "1"})
    }
    assert sandbox.person("gone") is None
    quiet, loud = sandbox.person("quiet"), sandbox.person("loud")
    assert (quiet and quiet.suppressed, loud and loud.suppressed) == (True, False)
    events = {event.name: event for event in sandbox.events}
    assert {name: event.type for name, event in events.items()} == {
        "bought": "event",
        "/home": "page",
        "home": "screen",
        "looked": "event",
        "invited": "event",
    }
    bought = events["bought"]
    assert (bought.id, bought.timestamp, bought.data) == (ULID, 7, {"price": 1.5})
    assert (events["looked"].anonymous_id, events["looked"].customer) == ("nobody", None)
    assert events["invited"].anonymous_id is None
    assert all(request.status == 200 for request in sandbox.requests)


@each_api
@pytest.mark.parametrize(
    "who",
    ["a/b", "a?b#c", "50%", "a b+c", "é…", "%2F", "<script>", '"quoted"', "a\nb", "cafe\u0301"],
)
def test_identifier_of_any_text_arrives_as_it_is(
    make: MakePipeline, sandbox: Sandbox, api: str, who: str
) -> None:
    """Also what means something in a URL, JSON or HTML."""
    pipeline = make(api=api)
    pipeline.identify(who, {"a": 1})
    pipeline.track(who, "x")
    pipeline.add_device(who, "to/ken?", "ios")
    settled(pipeline)

    (person,) = sandbox.people
    (event,) = sandbox.events
    assert (person.id, event.customer) == (who, who)
    assert list(person.devices) == ["to/ken?"]


def test_every_verb_is_here() -> None:
    """The table of these tests names all there are."""
    assert {name for name in vars(Verbs) if not name.startswith("_")} == set(CALL_OF_VERB)


@pytest.mark.parametrize(("verb", "call"), CALL_OF_VERB.items(), ids=CALL_OF_VERB)
def test_verb_has_the_arguments_of_its_call(verb: str, call: type) -> None:
    """Help shows them, and they are the same."""
    wanted = inspect.signature(call)
    shown = inspect.signature(getattr(Pipeline, verb))

    own = [one for name, one in shown.parameters.items() if name not in ("self", "timeout")]
    assert own == list(wanted.parameters.values())
    assert getattr(Pipeline, verb).__name__ == verb
    assert call.__name__ in (getattr(Pipeline, verb).__doc__ or "")


@pytest.mark.parametrize("kind", [Pipeline, TrackClient])
def test_wrong_arguments_are_named_with_what_was_called(kind: Any) -> None:
    """And not with a class that nobody but us knows."""
    for verb in CALL_OF_VERB:
        method = getattr(kind(site_id="s", api_key="k"), verb)
        with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{verb}\(\) .* 'price'"):
            method("5", price=13.99)
        with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{verb}\(\) missing"):
            method()


def test_a_timeout_is_the_mistake_of_a_caller(make: MakePipeline) -> None:
    """Nobody waits for the answer, so that there is nothing to bound."""
    with pytest.raises(TypeError, match="have no timeout"):
        make().track("5", "bought", timeout=2.5)  # type: ignore[arg-type]


REFUSED: dict[str, tuple[Callable[[Pipeline], bool], str]] = {
    "identify": (lambda p: p.identify(""), "customer"),
    "track": (lambda p: p.track("5", ""), "name"),
    "track_anonymous": (lambda p: p.track_anonymous(None, "x"), "recipient"),
    "delete": (lambda p: p.delete(".."), "customer"),
    "suppress": (lambda p: p.suppress(True), "customer"),
    "unsuppress": (lambda p: p.unsuppress(" "), "customer"),
    "merge_customers": (lambda p: p.merge_customers("5", ""), "secondary"),
    "add_device": (lambda p: p.add_device("5", "t", "fax"), "platform"),  # type: ignore[arg-type]
    "delete_device": (lambda p: p.delete_device("5", ".."), "device_id"),
    "add_to_segment": (lambda p: p.add_to_segment(0, ["5"]), "segment_id"),
    "remove_from_segment": (lambda p: p.remove_from_segment(7, []), "customers"),
}
refused = pytest.mark.parametrize(("verb", "param"), REFUSED.values(), ids=REFUSED)


@refused
def test_verb_that_makes_no_call_answers_false(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, caplog: Any, verb: Any, param: str
) -> None:
    """It is counted, told and said once; the application goes on."""
    pipeline = make()

    assert [verb(pipeline), verb(pipeline)] == [False, False]
    stats = settled(pipeline)
    assert (stats.received, stats.failed_by_reason) == (2, {"invalid": 2})
    assert [(r.call, r.reason, r.status, r.attempts) for r in heard.failed] == [
        (None, "invalid", None, 0)
    ] * 2
    assert all(param in (report.detail or "") for report in heard.failed)
    (line,) = said(caplog)
    assert param in line
    assert sandbox.requests == []


@refused
def test_verb_that_makes_no_call_raises_when_strict(
    make: MakePipeline, verb: Any, param: str
) -> None:
    """In tests and development a mistake is seen where it is made."""
    pipeline = make(strict=True)

    with pytest.raises(ParamError) as caught:
        verb(pipeline)

    assert caught.value.param == param
    assert balanced(pipeline).received == 0


@pytest.mark.parametrize("value", [None, "x", {"cio": "track"}, object(), Track])
def test_what_is_no_call_is_counted_as_invalid(
    make: MakePipeline, heard: Heard, value: Any
) -> None:
    """A value that a record's ``cio`` happens to hold does not raise into the application."""
    pipeline = make()

    assert not pipeline.send(value)
    assert balanced(pipeline).failed_by_reason == {"invalid": 1}
    assert len(heard.failed) == 1
    with pytest.raises(ParamError):
        make(strict=True).send(value)


def test_send_says_whether_the_call_was_taken(make: MakePipeline, sandbox: Sandbox) -> None:
    """True: it is pending now. False: it is over, and the ledger says why."""
    pipeline = make(flush_interval=3600, max_pending=1)

    assert pipeline.send(Track("5", "x"))
    assert balanced(pipeline).pending == 1
    assert not pipeline.send(Track("5", "y"))
    assert balanced(pipeline).dropped_by_reason == {"full": 1}
    assert settled(pipeline).sent == 1
    assert names(sandbox) == ["x"]


def test_call_keeps_the_id_that_it_has(make: MakePipeline, sandbox: Sandbox) -> None:
    """Its own, or a new one; each is a ULID."""
    pipeline = make()
    ids = [pipeline.accept(call)[0] for call in (Track("5", "a", id=ULID), Track("5", "c"))]
    settled(pipeline)

    assert ids[0] == ULID
    assert [event.id for event in sandbox.events] == ids
    assert len(ids[1]) == 26


def test_what_is_wrong_with_a_call_is_said_with_the_line_that_makes_it(
    make: MakePipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no record by which it could be found."""
    pipeline = make()
    pipeline.track("5", "x", object())  # type: ignore[arg-type]
    pipeline.identify("5", {"bio": "x" * 1_001})
    pipeline.track("5", "x", {"a": object()})

    assert len(said(caplog)) == 3
    assert all(re.search(r" \(test_verbs\.py:\d+\)$", line) for line in said(caplog))
