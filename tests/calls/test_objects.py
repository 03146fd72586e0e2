"""Objects, relationships and metrics: what they may be, and how they are sent and wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from uuid import UUID

import pytest

from cio_events import (
    AddRelationships,
    APIError,
    Call,
    DeleteObject,
    DeleteRelationships,
    Identifier,
    IdentifyObject,
    ObjectIdentifier,
    ParamError,
    Pipeline,
    Relationship,
    ReportMetric,
    TrackClient,
)
from cio_events._wire.encode import call_of, customers_of, encode
from cio_events._wire.envelope import Route, route_of
from cio_events.sandbox import Sandbox
from tests.support.servers import ScriptedServer, Step

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOW = 1_700_000_000_000

ACME = ObjectIdentifier("1", "acme")
KNOWN = ObjectIdentifier(cio_object_id="ob1")
LUCY = Identifier("lucy@example.com", "email")

CALLS: dict[str, Call] = {
    "identify": IdentifyObject(ACME, {"name": "Acme"}),
    "identify with people": IdentifyObject(ACME, {}, ["5", Relationship(LUCY, {"role": "boss"})]),
    "identify a known one": IdentifyObject(KNOWN, {"name": "Acme"}),
    "delete": DeleteObject(ACME),
    "relate an object": AddRelationships(ACME, [5, LUCY]),
    "relate a person": AddRelationships("5", [Relationship(ACME, {"role": "boss"}), KNOWN]),
    "separate an object": DeleteRelationships(ACME, ["5"]),
    "separate a person": DeleteRelationships(LUCY, [ACME]),
    "report": ReportMetric("d1", "opened", timestamp=1_600_000_000, href="https://example.com"),
}


@contextmanager
def talk(*script: Step, timeout: float = 10.0) -> Iterator[tuple[ScriptedServer, TrackClient]]:
    """A server that plays *script*, and its client."""
    with (
        ScriptedServer(script) as server,
        TrackClient("a", "b", url=server.url, timeout=timeout) as client,
    ):
        yield server, client


@pytest.fixture
def track(sandbox: Sandbox) -> Iterator[TrackClient]:
    """Its client."""
    with TrackClient("site", "key", url=sandbox.url) as client:
        yield client


def related(sandbox: Sandbox) -> set[tuple[str, str]]:
    """Which people and objects belong together."""
    return {
        (relationship.customer, relationship.object_id)
        for item in sandbox.objects
        for relationship in item.relationships
    }


class TestSentNow:
    def test_an_object_is_made_with_its_people(self, track: TrackClient, sandbox: Sandbox) -> None:
        """With what there is to say of each relationship."""
        track.identify_object(ACME, {"name": "Acme"}, ["5", Relationship("6", {"role": "boss"})])
        (made,) = sandbox.objects

        assert (made.object_type_id, made.object_id) == ("1", "acme")
        assert made.attributes == {"name": "Acme"}
        assert {one.customer: one.attributes for one in made.relationships} == {
            "5": {},
            "6": {"role": "boss"},
        }

    def test_an_object_is_changed_by_customer_ios_own_id(
        self, track: TrackClient, sandbox: Sandbox
    ) -> None:
        """Which it must know already."""
        track.identify_object(ACME, {"name": "Acme"})
        own = ObjectIdentifier(cio_object_id=sandbox.objects[0].cio_object_id)
        track.identify_object(own, {"plan": "basic"})

        assert sandbox.objects[0].attributes == {"name": "Acme", "plan": "basic"}

    def test_an_object_is_deleted(self, track: TrackClient, sandbox: Sandbox) -> None:
        """And with it what related it to people."""
        track.identify_object(ACME, {}, ["5"])
        track.delete_object(ACME)
        person = sandbox.person("5")

        assert sandbox.objects == []
        assert person is not None
        assert person.relationships == []

    def test_relationships_begin_and_end_at_either_side(
        self, track: TrackClient, sandbox: Sandbox
    ) -> None:
        """An object with people, or a person with objects."""
        track.add_relationships(ACME, ["5", "6"])
        track.add_relationships("7", [ACME, ObjectIdentifier("1", "apex")])
        assert related(sandbox) == {
            ("5", "acme"),
            ("6", "acme"),
            ("7", "acme"),
            ("7", "apex"),
        }
        track.delete_relationships(ACME, ["5"])
        track.delete_relationships("7", [ACME])

        assert related(sandbox) == {("6", "acme"), ("7", "apex")}

    def test_a_metric_is_reported(self, track: TrackClient, sandbox: Sandbox) -> None:
        """With all that v2 has no word for."""
        when = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
        track.report_metric(
            "d1", "bounced", timestamp=when, recipient="lucy@example.com", reason="no such box"
        )
        (metric,) = sandbox.metrics

        assert (metric.delivery_id, metric.metric) == ("d1", "bounced")
        assert metric.timestamp == 1_700_000_000
        assert metric.details == {"recipient": "lucy@example.com", "reason": "no such box"}

    def test_all_but_metrics_can_be_part_of_a_batch(
        self, track: TrackClient, sandbox: Sandbox
    ) -> None:
        """v2 has no operation for those."""
        calls = [IdentifyObject(ACME, {"name": "Acme"}), AddRelationships(ACME, ["5"])]
        assert track.batch(calls) == []
        assert related(sandbox) == {("5", "acme")}
        with pytest.raises(ParamError, match="batch"):
            track.batch([CALLS["report"]])

    def test_an_error_is_raised(self, track: TrackClient, sandbox: Sandbox) -> None:
        """As with all verbs."""
        sandbox.fail_next(400)
        with pytest.raises(APIError) as raised:
            track.delete_object(ACME)

        assert raised.value.status == 400
        assert raised.value.url.endswith("/api/v2/entity")

    def test_one_over_the_limit_is_refused(self) -> None:
        """There is no v1 that could take it."""
        with talk() as (server, client), pytest.raises(ParamError) as raised:
            client.identify_object(ACME, {"text": "x" * 32_000})

        assert raised.value.limit == 32_000
        assert server.connections == 0


class TestInTheBackground:
    @pytest.mark.parametrize("api", ["v2", "v1"])
    def test_they_arrive(self, sandbox: Sandbox, api: str) -> None:
        """Also where all else goes by v1, which has no word for objects."""
        options = {"site_id": "a", "api_key": "b", "track_url": sandbox.url, "api": api}
        with Pipeline(**options) as pipeline:
            assert pipeline.identify_object(ACME, {"name": "Acme"}, ["5"])
            assert pipeline.add_relationships("6", [ACME])
            assert pipeline.delete_relationships(ACME, ["5"])
            assert pipeline.report_metric("d1", "opened")
            assert pipeline.identify_object(ObjectIdentifier("1", "gone"))
            assert pipeline.delete_object(ObjectIdentifier("1", "gone"))
            assert pipeline.flush(20)
            assert pipeline.stats().sent == 6

        assert related(sandbox) == {("6", "acme")}
        assert [item.object_id for item in sandbox.objects] == ["acme"]
        assert sandbox.metrics[0].timestamp is not None

    def test_one_that_cannot_be_is_counted(self, sandbox: Sandbox) -> None:
        """A verb of a pipeline does not raise."""
        with Pipeline(site_id="a", api_key="b", track_url=sandbox.url) as pipeline:
            assert pipeline.delete_object("acme") is False
            assert pipeline.identify_object(ACME, {"text": "x" * 32_000}) is False
            assert pipeline.stats().failed_by_reason == {"invalid": 1, "too_large": 1}

    @pytest.mark.parametrize("name", CALLS)
    def test_a_call_is_made_again_of_what_waits(self, name: str) -> None:
        """As reports need it."""
        call = CALLS[name]
        waiting = encode(call, ULID, NOW, "v2")

        assert call_of(waiting) == call
        assert route_of(waiting) is (Route.SINGLE if name == "report" else Route.BATCH)

    @pytest.mark.parametrize(
        ("name", "keys"),
        [
            ("identify", {"1 acme"}),
            ("identify with people", {"1 acme", "5", "lucy@example.com"}),
            ("identify a known one", {"ob1"}),
            ("relate an object", {"1 acme", "5", "lucy@example.com"}),
            ("relate a person", {"1 acme", "ob1", "5"}),
            ("report", set()),
        ],
    )
    def test_all_whom_it_is_about_keep_their_order(self, name: str, keys: set[str]) -> None:
        """People and objects alike."""
        assert set(customers_of(encode(CALLS[name], ULID, NOW, "v2"))) == keys


class TestWhatTheyMayBe:
    def test_ids_may_be_numbers(self) -> None:
        """They are text on the wire, as the schema has it."""
        number = UUID("12345678-1234-5678-1234-567812345678")
        which = ObjectIdentifier(1, number)

        assert (which.object_type_id, which.object_id) == ("1", str(number))

    @pytest.mark.parametrize(
        ("arguments", "more", "param"),
        [
            ((), {}, "object_id"),
            (("1",), {}, "object_id"),
            ((None, "acme"), {}, "object_type_id"),
            (("", "acme"), {}, "object_type_id"),
            (("1", " "), {}, "object_id"),
            ((True, "acme"), {}, "object_type_id"),
            (("1", "x" * 151), {}, "object_id"),
            (("1", "acme"), {"cio_object_id": "ob1"}, "object_id"),
            ((), {"cio_object_id": ""}, "cio_object_id"),
        ],
    )
    def test_an_object_is_named_in_one_way(
        self, arguments: tuple[object, ...], more: dict[str, object], param: str
    ) -> None:
        """Not in none, and not in two."""
        with pytest.raises(ParamError) as raised:
            ObjectIdentifier(*arguments, **more)

        assert raised.value.param == param

    @pytest.mark.parametrize(
        ("make", "param"),
        [
            (lambda: IdentifyObject("acme"), "object"),
            (lambda: IdentifyObject(ACME, [1]), "attributes"),
            (lambda: IdentifyObject(ACME, {str(n): 1 for n in range(301)}), "attributes"),
            (lambda: IdentifyObject(ACME, {}, [KNOWN]), "relationships"),
            (lambda: IdentifyObject(ACME, {}, "56"), "relationships"),
            (lambda: DeleteObject("5"), "object"),
            (lambda: AddRelationships("5", ["6"]), "relationships"),
            (lambda: AddRelationships(ACME, [KNOWN]), "relationships"),
            (lambda: AddRelationships(ACME, []), "relationships"),
            (lambda: AddRelationships(ACME, {"5": {}}), "relationships"),
            (lambda: AddRelationships(ACME, 5), "relationships"),
            (lambda: AddRelationships(ACME, [""]), "relationships"),
            (lambda: AddRelationships("", [ACME]), "subject"),
            (lambda: DeleteRelationships("5", ["6"]), "relationships"),
            (lambda: Relationship(""), "to"),
            (lambda: Relationship("5", [1]), "attributes"),
            (lambda: ReportMetric("", "opened"), "delivery_id"),
            (lambda: ReportMetric(5, "opened"), "delivery_id"),
            (lambda: ReportMetric("d1", "eaten"), "metric"),
            (lambda: ReportMetric("d1", "opened", timestamp="now"), "timestamp"),
            (lambda: ReportMetric("d1", "opened", recipient=True), "recipient"),
            (lambda: ReportMetric("d1", "opened", reason=5), "reason"),
            (lambda: ReportMetric("d1", "opened", href=b"x"), "href"),
        ],
    )
    def test_what_cannot_be_is_refused(self, make: object, param: str) -> None:
        """With the name of the parameter."""
        with pytest.raises(ParamError) as raised:
            make()

        assert raised.value.param == param

    def test_reprs_show_nothing_personal(self) -> None:
        """Nor what may identify a person."""
        things = [*CALLS.values(), ACME, KNOWN, Relationship(LUCY, {"role": "boss"})]
        shown = " ".join(map(repr, things))

        for secret in ("lucy", "acme", "ob1", "boss", "d1", "'5'"):
            assert secret not in shown.replace("cio_object", "")
