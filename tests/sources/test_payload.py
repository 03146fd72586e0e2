"""What of a record is payload, through each source."""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.processors import CallsiteParameter, CallsiteParameterAdder, add_log_level

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources import fields
from cio_events._sources.fields import Shapes
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, Arrivals
from tests.sources.ways import SOURCES, Log, by_logging, by_structlog, by_structlog_merged

# What structlog itself can find out: of a function's whole name, Python 3.10 tells nothing.
CALL_SITE = [
    parameter
    for parameter in CallsiteParameter
    if parameter.value != "qual_name" or sys.version_info >= (3, 11)
]

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
Source = Callable[[Pipeline], Log]


def fresh(text: str) -> str:
    """An object of its own, that equals *text*."""
    return "".join([text[:1], text[1:]])


@each_source
def test_the_rest_of_the_line_is_sent(
    source: Source, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Without tags, and without what begins with an underscore."""
    source(pipeline)("purchase", cio_customer="5", price=1, _private=2)

    assert arrivals.event().data == {"price": 1}


@each_source
def test_what_the_vendor_reads_is_kept(
    source: Source, pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """Although it begins as tags and private names do."""
    source(pipeline)(
        "topics",
        cio="identify",
        cio_customer="5",
        _timestamp=1714521600,
        **{"cio_subscription_preferences.topics.topic_1": True},
    )

    assert arrivals.balance() == (1, 0, 0)
    person = arrivals.sandbox.person("5")
    assert person is not None
    assert person.attributes["cio_subscription_preferences"] == {"topics": {"topic_1": True}}
    assert caplog.messages == []


@each_source
def test_what_the_vendor_reads_arrives(
    source: Source, pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """Among the attributes of a person, each where Customer.io looks for it."""
    related = {"identifiers": {"object_type_id": "1", "object_id": "acme"}}
    theirs = {"action": "add_relationships", "relationships": [related]}
    log = source(pipeline)
    log("seen", cio="identify", cio_customer="5", plan="pro", _update=True)
    log("joined", cio="identify", cio_customer="5", plan="pro", cio_relationships=theirs)

    assert arrivals.balance() == (2, 0, 0)
    seen, joined = arrivals.operations()
    assert seen["attributes"] == {"plan": "pro", "_update": True}
    assert joined["cio_relationships"] == theirs  # by v1, whose request is the attributes
    assert caplog.messages == []


@pytest.mark.parametrize("key", ["_timestamp", "_update", "cio_relationships"])
@pytest.mark.parametrize("dotted", ["", ".topics.topic_1"])
def test_these_are_the_vendors(key: str, dotted: str) -> None:
    """Each of them is payload; private and unknown names beside them are not."""
    keys = (key, f"cio_subscription_preferences{dotted}", "_x", "cio_nothing")

    assert Shapes()[keys].payload == keys[:2]


@each_source
def test_cio_data_is_exactly_what_is_sent(
    source: Source, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Also what would be left out otherwise; and it asks for nothing."""
    data = {"level": 3, "_x": 1, "cio_customer": "6", "cio": "identify", "trace_id": "t"}
    source(pipeline)("it", cio_customer="5", cio_data=data, price=1)

    event = arrivals.event()
    assert (event.customer, event.data) == ("5", data)


@each_source
def test_options_hide_keys(source: Source, sandbox: Sandbox) -> None:
    """By name or pattern, but never what cio_data holds."""
    with Pipeline(
        **CREDENTIALS, track_url=sandbox.url, flush_interval=0, hidden=["tenant", "debug_*"]
    ) as pipeline:
        log = source(pipeline)
        log("it", cio_customer="5", tenant="t", debug_sql="x", debugged=1)
        log("it", cio_customer="5", cio_data={"tenant": "t"})

        datas = [event.data for event in Arrivals(sandbox, pipeline).events()]
        assert datas == [{"debugged": 1}, {"tenant": "t"}]


@each_source
def test_an_option_sends_only_cio_data(source: Source, sandbox: Sandbox) -> None:
    """So that nobody has to know what a line may hold."""
    with Pipeline(
        **CREDENTIALS, track_url=sandbox.url, flush_interval=0, payload="data"
    ) as pipeline:
        log = source(pipeline)
        log("it", cio_customer="5", price=1)
        log("it", cio_customer="5", price=1, cio_data={"price": 2})

        assert [event.data for event in Arrivals(sandbox, pipeline).events()] == [{}, {"price": 2}]


@each_source
@pytest.mark.parametrize("tag", ["cio_customer", "cio_identity"])
def test_an_option_says_what_a_plain_customer_is(
    source: Source, tag: str, sandbox: Sandbox
) -> None:
    """In every call that a line can ask for; a tag of its own says otherwise."""
    with Pipeline(
        **CREDENTIALS, track_url=sandbox.url, flush_interval=0, id_type="id"
    ) as pipeline:
        log = source(pipeline)
        log("it", cio="page", **{tag: "a@b.c"})
        log("it", cio="page", cio_id_type="email", **{tag: "d@b.c"})

        assert Arrivals(sandbox, pipeline).balance() == (2, 0, 0)
        operations = [one for request in sandbox.requests for one in _identifiers(request)]
        assert operations == [{"id": "a@b.c"}, {"email": "d@b.c"}]


def _identifiers(request: Any) -> list[Any]:
    return [one["identifiers"] for one in request.body.get("batch", [request.body])]


@each_source
def test_a_misspelt_tag_is_said_once(
    source: Source, pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """And not sent: whoever wrote it would look for it in vain."""
    log = source(pipeline)
    for _ in range(3):
        log("it", cio_customer="5", cio_custmer="6")

    assert [event.data for event in arrivals.events()] == [{}] * 3
    (message,) = caplog.messages
    assert message.startswith("cio_custmer is no tag (is it cio_customer?) and is not sent")


def test_made_up_tags_are_said_a_few_times_only_and_escaped(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be made up for each record, by somebody else."""
    for number in range(200):
        log("it", cio_customer="5", **{f"cio_{number}\n\x1b[31m{'x' * 500}": 1})

    assert 0 < len(caplog.messages) < 30
    assert all(message.isprintable() and len(message) < 300 for message in caplog.messages)


class TestContext:
    """What is bound to the context of a request is no marketing data."""

    @each_source
    def test_what_is_bound_is_left_out(
        self, source: Source, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """And the line's own value of the same name is sent."""
        log = source(pipeline)
        with bound_contextvars(request_id=fresh("r1"), plan=fresh("free")):
            log("it", cio_customer="5", plan=fresh("pro"))

        assert arrivals.event().data == {"plan": "pro"}

    @pytest.mark.parametrize("source", [by_structlog, by_structlog_merged, by_logging])
    def test_what_the_line_says_is_sent_though_the_same_object_is_bound(
        self, source: Source, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """A middleware may have bound it."""
        log, plan = source(pipeline), fresh("free")
        with bound_contextvars(plan=plan, request_id=fresh("r1")):
            log("it", cio_customer="5", plan=plan)

        assert arrivals.event().data == {"plan": "free"}

    def test_what_bind_has_bound_is_sent(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """It is part of what the line says."""
        log = structlog.wrap_logger(
            structlog.testing.CapturingLogger(),
            processors=[merge_contextvars, CustomerIOProcessor(pipeline)],
        )
        with bound_contextvars(request_id=fresh("r1")):
            log.bind(shop="main").info("it", cio_customer="5")

        assert arrivals.event().data == {"shop": "main"}

    @pytest.mark.parametrize("source", [by_structlog, by_structlog_merged, by_logging])
    @pytest.mark.parametrize("bound", [{"cio_customer": "5"}, {"cio": "identify"}], ids=str)
    def test_a_bound_trigger_makes_no_call(
        self, source: Source, bound: dict[str, Any], pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """Every line would become one, wherever the processor stands."""
        log = source(pipeline)
        with bound_contextvars(**bound, ip="10.0.0.1"):
            line = log("request started", cio_identity="6")
            log("purchase", cio="track", cio_identity="6", price=1)

        assert "cio_event_id" not in line
        event = arrivals.event()
        assert (event.customer, event.name, event.data) == ("6", "purchase", {"price": 1})

    def test_a_bound_trigger_is_said_once(
        self, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Naming what can be bound."""
        log = by_structlog_merged(pipeline)
        with bound_contextvars(cio_customer="5"):
            log("a")
            log("b")

        (message,) = caplog.messages
        assert "cio_identity" in message

    def test_loguru_s_context(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """As structlog's: left out, and no trigger."""
        loguru = pytest.importorskip("loguru")
        log = SOURCES[-1](pipeline)
        with loguru.logger.contextualize(cio_customer="7", ip=fresh("10.0.0.1")):
            log("request started")
            log("purchase", cio="track", cio_identity="6", price=1)

        event = arrivals.event()
        assert (event.customer, event.data) == ("6", {"price": 1})


class TestAboutLogging:
    def test_what_structlog_s_processors_write_is_left_out(
        self, pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Behind them, and nothing is said of it."""
        log = structlog.wrap_logger(
            structlog.testing.CapturingLogger(),
            processors=[
                add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                CallsiteParameterAdder(CALL_SITE),
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                CustomerIOProcessor(pipeline),
            ],
        )
        try:
            raise ValueError
        except ValueError:
            log.exception("it", cio_customer="5", price=1, stack_info=True)

        assert arrivals.event().data == {"price": 1}
        assert caplog.messages == []

    def test_arguments_of_the_log_call_are_left_out(
        self, pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Also those that a processor behind ours would have taken."""
        arguments = {"exc_info": True, "stack_info": True, "stacklevel": 2}
        event_dict = {"event": "it", "cio_customer": "5", "price": 1, "positional_args": (1, "x")}
        CustomerIOProcessor(pipeline)(None, "info", {**event_dict, **arguments})
        app = logging.Logger("on no tree", logging.DEBUG)
        app.addHandler(CustomerIOHandler(pipeline))
        app.info("it %s %s", 1, "x", extra={"cio_customer": "5", "price": 1}, **arguments)  # type: ignore[arg-type]

        assert [event.data for event in arrivals.events()] == [{"price": 1}] * 2
        assert caplog.messages == []

    def test_behind_filter_by_level(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """What is filtered there makes no call; the rest is as if the processor came first."""
        app = logging.Logger("on no tree", logging.INFO)
        log = structlog.wrap_logger(
            app,
            processors=[
                structlog.stdlib.filter_by_level,
                CustomerIOProcessor(pipeline),
                merge_contextvars,
                structlog.stdlib.render_to_log_kwargs,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        plan = fresh("free")
        with bound_contextvars(request_id=fresh("r1"), plan=plan, cio_customer="7"):
            log.debug("filtered", cio_customer="5")
            log.info("untagged")
            log.bind(shop="main").info("it", cio_customer="5", plan=plan)

        event = arrivals.event()
        assert (event.customer, event.data) == ("5", {"shop": "main", "plan": "free"})

    @pytest.mark.parametrize(
        "said", [{"level": 12}, {"module": "billing"}, {"timestamp": {}}, {"logger": 5}], ids=str
    )
    def test_a_hidden_name_with_a_value_of_the_line_is_said_once(
        self,
        said: dict[str, Any],
        pipeline: Pipeline,
        arrivals: Arrivals,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """No processor writes it, so somebody will look for it."""
        log = by_structlog(pipeline)
        log("it", cio_customer="5", **said)
        log("it", cio_customer="5", **said)

        assert [event.data for event in arrivals.events()] == [{}, {}]
        (message,) = caplog.messages
        assert message.startswith(next(iter(said)))
        assert "cio_data" in message

    def test_names_of_log_records_are_data_in_structlog(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """A name, say."""
        data = {"name": "Lucy", "args": 1, "msg": "hello", "message": "x"}
        by_structlog(pipeline)("it", cio_customer="5", **data)

        assert arrivals.event().data == data

    def test_each_parameter_of_the_call_site_is_hidden(self) -> None:
        """Whatever structlog adds to them."""
        keys = tuple(parameter.value for parameter in CallsiteParameter)

        assert Shapes()[keys].payload == ()


class TestRecordFactory:
    @pytest.fixture(autouse=True)
    def _factory(self) -> Iterator[None]:
        before = logging.getLogRecordFactory()
        yield
        logging.setLogRecordFactory(before)

    def test_what_it_adds_is_left_out(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """Only what extra gives is the line's."""
        before = logging.getLogRecordFactory()

        def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = before(*args, **kwargs)
            record.host = "web-1"
            return record

        logging.setLogRecordFactory(factory)
        by_logging(pipeline)("it", cio_customer="5", price=1)

        assert arrivals.event().data == {"price": 1}

    def test_one_that_raises_is_nobody_s_loss(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """For it may want more than a record's arguments."""
        before = logging.getLogRecordFactory()

        def factory(name: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
            if name == "cio_events":
                raise LookupError
            return before(name, *args, **kwargs)

        logging.setLogRecordFactory(factory)
        by_logging(pipeline)("it", cio_customer="5", price=1)

        assert arrivals.event().data == {"price": 1}


class TestLimits:
    @each_source
    def test_too_many_entries_are_refused(self, source: Source, pipeline: Pipeline) -> None:
        """As too large."""
        line = source(pipeline)("it", cio_customer="5", **{f"k{i}": i for i in range(301)})

        assert line["cio_refused"] == "too_large"

    @pytest.mark.parametrize("data", [{"a": 1}, OrderedDict(a=1), MappingProxyType({"a": 1}), {}])
    @pytest.mark.parametrize("cio", ["track", "page", "screen"])
    def test_cio_data_is_any_mapping(
        self, cio: str, data: Any, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """An empty one, too."""
        by_structlog(pipeline)("it", cio=cio, cio_customer="5", cio_data=data, price=1)

        assert arrivals.event().data == dict(data)

    @pytest.mark.parametrize("data", [None, "", [], [("a", 1)], 5, "text"])
    def test_cio_data_that_is_no_mapping_is_refused(
        self, data: object, pipeline: Pipeline
    ) -> None:
        """By its tag."""
        line = by_structlog(pipeline)("it", cio_customer="5", cio_data=data)

        assert line["cio_refused"] == "invalid"


class TestShapes:
    def test_records_with_the_same_keys_have_each_their_own_payload(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """What is remembered of a line is which keys it has, and never a value."""
        log = by_structlog_merged(pipeline)
        for price in (1001, 1002):
            log("it", cio_customer="5", _hidden=1, price=price)
            with bound_contextvars(price=price):
                log("it", cio_customer="5", _hidden=1)

        datas = [event.data for event in arrivals.events()]
        assert datas == [{"price": 1001}, {}, {"price": 1002}, {}]

    def test_a_table_does_not_grow_without_end(self) -> None:
        """Names may be made up by the million, and right all the same."""
        shapes = Shapes()
        for number in range(5_000):
            assert shapes[f"k{number}", f"_k{number}", "level"].payload == (f"k{number}",)

        assert 0 < len(shapes) <= fields._SHAPES_REMEMBERED

    def test_a_table_keeps_nothing_large(self) -> None:
        """Nor what an application made up as a key."""
        shapes = Shapes()
        for odd in [("k" * 151,), (5,), (("a",),), tuple(map(str, range(301)))]:
            assert shapes[odd].payload == odd

        assert len(shapes) == 0

    def test_keys_need_not_be_text(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """A processor may have put anything in."""
        odd: dict[Any, object] = {"event": "it", "cio_customer": "5", 5: 1, None: 2}
        CustomerIOProcessor(pipeline)(None, "info", odd)

        assert arrivals.event().data == {"5": 1, "null": 2}
