"""structlog's source, in the chains that applications have."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import OrderedDict
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, merge_contextvars
from structlog.processors import EventRenamer, JSONRenderer, TimeStamper, add_log_level
from structlog.testing import capture_logs

from cio_events._calls.call import Identifier
from cio_events._calls.messages import SendEmail
from cio_events._calls.objects import (
    AddRelationships,
    DeleteObject,
    DeleteRelationships,
    IdentifyObject,
    ObjectIdentifier,
    Relationship,
)
from cio_events._calls.people import AddDevice, Delete, Merge, Suppress, Track, Unsuppress
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.structlog import CustomerIOProcessor
from tests.sources.arrivals import Arrivals
from tests.sources.records import FilteringLogger, logger_with

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from cio_events.sandbox import Sandbox


class TestTakes:
    def test_the_log_line_is_the_event(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """The line shows the id by which Customer.io knows the event."""
        log, lines = logger_with(
            merge_contextvars,
            add_log_level,
            TimeStamper(fmt="iso"),
            CustomerIOProcessor(pipeline),
            JSONRenderer(),
        )

        log.info("purchase", cio_customer="5", price=13.99)

        event = arrivals.event()
        assert (event.customer, event.name, event.data) == ("5", "purchase", {"price": 13.99})
        line = json.loads(lines.calls[0].args[0])
        assert line.pop("timestamp")
        assert line == {
            "event": "purchase",
            "level": "info",
            "cio_customer": "5",
            "price": 13.99,
            "cio_event_id": event.id,
        }

    def test_an_untagged_event_passes_untouched(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """Even one that is about identities."""
        processor = CustomerIOProcessor(pipeline)
        event_dict = {"event": "hello", "cio_identity": "5", "cio_event": "x", "cio_data": "y"}

        assert processor(None, "info", event_dict) is event_dict
        assert event_dict == {
            "event": "hello",
            "cio_identity": "5",
            "cio_event": "x",
            "cio_data": "y",
        }
        assert arrivals.balance() == (0, 0, 0)

    @pytest.mark.parametrize(
        "method_name", ["info", "msg", "exception", "warn", "fatal", "log", "", "whatever"]
    )
    @pytest.mark.parametrize("logger", [None, object(), logging.getLogger("x")])
    def test_it_needs_nothing_but_the_tag(
        self, pipeline: Pipeline, arrivals: Arrivals, method_name: str, logger: object
    ) -> None:
        """Neither a logger, nor a level, a time or a message; and hands back the same object."""
        event_dict = {"cio_customer": "5", "cio": "identify", "plan": "pro"}

        assert CustomerIOProcessor(pipeline)(logger, method_name, event_dict) is event_dict
        assert type(event_dict["cio_event_id"]) is str
        assert arrivals.balance() == (1, 0, 0)
        person = arrivals.sandbox.person("5")
        assert person is not None
        assert person.attributes["plan"] == "pro"

    def test_any_kind_of_context_will_do(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """Such as an OrderedDict."""
        log, lines = logger_with(CustomerIOProcessor(pipeline), context_class=OrderedDict)

        log.bind(plan="pro").info("signup", cio_customer="5")

        event = arrivals.event()
        assert event.data == {"plan": "pro"}
        assert lines.calls[0].kwargs["cio_event_id"] == event.id

    def test_a_call_object_is_sent_and_replaced_by_tags(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """Which any renderer can print, and which tell no device token."""
        log, lines = logger_with(CustomerIOProcessor(pipeline), JSONRenderer())
        lucy = Identifier("lucy@example.com", "email")

        log.info("an order", cio=Track(lucy, "purchase", {"price": 1}), ignored=True)
        log.info("a phone", cio=AddDevice(lucy, "the-token", "ios"))

        assert arrivals.balance() == (2, 0, 0)
        (event,) = arrivals.sandbox.events
        assert (event.customer, event.name, event.data) == (
            "lucy@example.com",
            "purchase",
            {"price": 1},
        )
        first, second = (json.loads(call.args[0]) for call in lines.calls)
        assert first == {
            "event": "an order",
            "cio": "track",
            "cio_customer": "lucy@example.com",
            "cio_id_type": "email",
            "cio_event": "purchase",
            "cio_event_id": event.id,
            "ignored": True,
        }
        assert second["cio"] == "add_device"
        assert "the-token" not in lines.calls[1].args[0]

    def test_every_thread_has_its_own_customer(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """One processor serves them all, and keeps nothing of a call."""
        log, _ = logger_with(CustomerIOProcessor(pipeline))

        def work(who: int) -> None:
            for number in range(50):
                log.info("step", cio_customer=who, who=str(who), number=number)

        threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        events = arrivals.events()
        assert len(events) == 400
        assert all(event.data["who"] == event.customer for event in events)
        for who in range(8):
            numbers = [event.data["number"] for event in events if event.customer == str(who)]
            assert numbers == list(range(50))

    def test_what_is_changed_later_is_not_sent(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """The values count as they were at the log call."""
        log, _ = logger_with(CustomerIOProcessor(pipeline))
        cart, data = ["tea"], {"nested": {"a": 1}}

        log.info("purchase", cio_customer="5", cart=cart)
        log.info("purchase", cio_customer="5", cio_data=data)
        cart.append("coffee")
        data["nested"]["a"] = 2

        assert [event.data for event in arrivals.events()] == [
            {"cart": ["tea"]},
            {"nested": {"a": 1}},
        ]


class TestOtherCalls:
    """What is no event, in the log and at Customer.io."""

    @pytest.fixture
    def log(self, pipeline: Pipeline) -> Any:
        """A logger with the processor."""
        return logger_with(CustomerIOProcessor(pipeline))[0]

    def test_people(self, log: Any, arrivals: Arrivals) -> None:
        """Made, merged and deleted."""
        log.info("signup", cio="identify", cio_customer="5", plan="pro")
        log.info("signup", cio="identify", cio_customer="6", age=42)
        log.info("signup", cio="identify", cio_customer="7")
        log.info("same person", cio=Merge("5", "6"))
        log.info("gone", cio=Delete("7"))
        log.info("blocked", cio=Suppress("8"))

        assert arrivals.balance() == (6, 0, 0)
        person = arrivals.sandbox.person("5")
        assert person is not None
        assert (person.attributes["plan"], person.attributes["age"]) == ("pro", 42)
        assert arrivals.sandbox.person("7") is None
        blocked = arrivals.sandbox.person("8")
        assert blocked is not None
        assert blocked.suppressed
        log.info("forgiven", cio=Unsuppress("8"))
        log.info("signup", cio="identify", cio_customer="8")
        assert arrivals.balance() == (8, 0, 0)
        forgiven = arrivals.sandbox.person("8")
        assert forgiven is not None
        assert not forgiven.suppressed

    def test_devices(self, log: Any, arrivals: Arrivals) -> None:
        """Added with attributes, and taken away."""
        device = {"cio_customer": "5", "cio_device": "t1", "cio_platform": "ios"}
        log.info("phone", cio="add_device", **device, last_used=1714521600, model="x")
        log.info("phone", cio="add_device", **(device | {"cio_device": "t2"}))
        log.info("phone", cio="delete_device", cio_customer="5", cio_device="t2")

        assert arrivals.balance() == (3, 0, 0)
        person = arrivals.sandbox.person("5")
        assert person is not None
        (phone,) = person.devices.values()
        assert (phone.token, phone.platform, phone.last_used) == ("t1", "ios", 1714521600)
        assert phone.attributes == {"model": "x"}

    def test_somebody_unknown(self, log: Any, arrivals: Arrivals) -> None:
        """An anonymous event, and an invite."""
        log.info("visit", cio="page", cio_anonymous="a1", ref="x")
        log.info("invited", cio="track", cio_anonymous="", recipient="a@b.c")

        # They travel side by side: no order is promised between two customers.
        events = {event.name: event for event in arrivals.events()}
        assert (events["visit"].anonymous_id, events["visit"].type) == ("a1", "page")
        assert (events["invited"].anonymous_id, events["invited"].type) == (None, "event")
        assert events["invited"].data == {"recipient": "a@b.c"}

    def test_objects(self, log: Any, arrivals: Arrivals) -> None:
        """Made, and related to a person."""
        acme = ObjectIdentifier(1, "acme")
        log.info("company", cio=IdentifyObject(acme, {"size": 3}))
        log.info("hired", cio=AddRelationships("5", [Relationship(acme, {"role": "owner"})]))

        assert arrivals.balance() == (2, 0, 0)
        (found,) = arrivals.sandbox.objects
        assert (found.object_id, found.attributes) == ("acme", {"size": 3})
        (related,) = found.relationships
        assert (related.customer, related.attributes) == ("5", {"role": "owner"})

        log.info("fired", cio=DeleteRelationships("5", [acme]))
        assert arrivals.balance() == (3, 0, 0)
        assert arrivals.sandbox.objects[0].relationships == []
        log.info("dissolved", cio=DeleteObject(acme))
        assert arrivals.balance() == (4, 0, 0)
        assert arrivals.sandbox.objects == []

    def test_messages(self, sandbox: Sandbox) -> None:
        """The line of a message that is given as a call shows nothing of its body."""
        with Pipeline(app_api_key="the-key", app_url=sandbox.url, flush_interval=0) as pipeline:
            log, lines = logger_with(CustomerIOProcessor(pipeline), JSONRenderer())
            email = SendEmail(
                identifiers="5",
                to="lucy@example.com",
                transactional_message_id=4,
                body="the body",
            )
            email.attach("a.txt", b"the attachment")
            log.info("a mail", cio=email)

            assert Arrivals(sandbox, pipeline).balance() == (1, 0, 0)

        (second,) = sandbox.messages
        assert second.attachments == {"a.txt": b"the attachment"}
        line = json.loads(lines.calls[0].args[0])
        assert line.keys() == {"event", "cio", "cio_customer", "cio_event_id"}


class TestChains:
    def test_a_renamed_message_after_it(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """The usual order: the message is renamed just before it is rendered."""
        log, lines = logger_with(
            CustomerIOProcessor(pipeline), EventRenamer("message"), JSONRenderer()
        )

        log.info("purchase", cio_customer="5")

        assert arrivals.event().name == "purchase"
        assert json.loads(lines.calls[0].args[0])["message"] == "purchase"

    def test_a_renamed_message_before_it(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """With its new key, which is then no payload; the old one may be."""
        log, _ = logger_with(
            EventRenamer("message", replace_by="_event"),
            CustomerIOProcessor(pipeline, event_key="message"),
        )

        log.info("purchase", cio_customer="5", _event="of the user")

        event = arrivals.event()
        assert (event.name, event.data) == ("purchase", {"event": "of the user"})

    def test_async_methods(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """They run the chain on another thread, which knows the context of the caller."""
        log, _ = logger_with(CustomerIOProcessor(pipeline))

        async def work() -> None:
            bind_contextvars(cio_identity="5", request_id="r1")
            await log.ainfo("first", cio_customer="6")
            await log.ainfo("second", cio="track", a=1)
            await log.awarning("untagged")

        asyncio.run(work())

        assert [(event.customer, event.name, event.data) for event in arrivals.events()] == [
            ("6", "first", {}),
            ("5", "second", {"a": 1}),
        ]

    def test_cached_loggers(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """A logger made at import, before the configuration, and cached at first use."""
        log: FilteringBoundLogger = structlog.get_logger()
        structlog.configure(
            processors=[merge_contextvars, CustomerIOProcessor(pipeline), JSONRenderer()],
            logger_factory=structlog.ReturnLoggerFactory(),
            wrapper_class=FilteringLogger,
            cache_logger_on_first_use=True,
        )

        for number in range(3):
            log.info("purchase", cio_customer="5", number=number)

        assert [event.data["number"] for event in arrivals.events()] == [0, 1, 2]

    def test_capture_logs(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """It takes every processor away, so that tests of an application send nothing."""
        structlog.configure(
            processors=[CustomerIOProcessor(pipeline), JSONRenderer()],
            logger_factory=structlog.ReturnLoggerFactory(),
            wrapper_class=FilteringLogger,
        )

        with capture_logs() as entries:
            structlog.get_logger().info("purchase", cio_customer="5")

        assert [entry["event"] for entry in entries] == ["purchase"]
        assert arrivals.balance() == (0, 0, 0)

    @pytest.mark.skipif(
        "processors" not in signature(capture_logs).parameters, reason="structlog before 25.5"
    )
    def test_capture_logs_with_processors(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """Unless it is asked to keep ours."""
        log: FilteringBoundLogger = structlog.wrap_logger(None, wrapper_class=FilteringLogger)

        with capture_logs(processors=[CustomerIOProcessor(pipeline)]) as entries:
            log.info("signup", cio_customer="5", plan="pro")

        event = arrivals.event()
        assert (event.name, event.data) == ("signup", {"plan": "pro"})
        assert entries == [
            {
                "event": "signup",
                "cio_customer": "5",
                "plan": "pro",
                "cio_event_id": event.id,
                "log_level": "info",
            }
        ]

    def test_the_name_is_the_template_where_it_can_be_had(
        self, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """structlog.stdlib keeps it; a filtering bound logger has formatted it before."""
        std, _ = logger_with(
            CustomerIOProcessor(pipeline), wrapper_class=structlog.stdlib.BoundLogger
        )
        filtering, _ = logger_with(CustomerIOProcessor(pipeline))

        std.info("bought %s", "tea", cio_customer="5")
        filtering.info("bought %s", "tea", cio_customer="5")
        filtering.info("bought %s", "tea", cio_customer="5", cio_event="bought")

        assert [(event.name, event.data) for event in arrivals.events()] == [
            ("bought %s", {}),
            ("bought tea", {}),
            ("bought", {}),
        ]

    @pytest.mark.parametrize(
        "rendered", ["text cio_customer", b"cio", bytearray(b"x"), (("x",), {}), None, 5]
    )
    def test_what_is_rendered_already_passes_as_it_is(
        self,
        pipeline: Pipeline,
        arrivals: Arrivals,
        caplog: pytest.LogCaptureFixture,
        rendered: Any,
    ) -> None:
        """One warning says where the processor belongs."""
        processor = CustomerIOProcessor(pipeline)

        assert processor(None, "info", rendered) is rendered
        assert processor(None, "info", rendered) is rendered
        (message,) = caplog.messages
        assert "before the processor that renders" in message
        assert arrivals.balance() == (0, 0, 0)


class TestIdentity:
    def test_a_bound_identity_makes_no_event(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """A request's own lines, as a web framework's middleware logs them."""
        log, lines = logger_with(merge_contextvars, CustomerIOProcessor(pipeline), JSONRenderer())

        with bound_contextvars(request_id="r1", ip="10.0.0.1", cio_identity=7):
            log.info("request_started", request="GET /checkout", user_agent="x")
            for number in range(10):
                log.bind(view="checkout").info("line", number=number)
            log.info("request_finished", code=200)

        assert len(lines.calls) == 12
        assert arrivals.balance() == (0, 0, 0)

    def test_a_bound_identity_names_who(self, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """Bound to the context or the logger, and the rest of the context is not sent."""
        log, _ = logger_with(merge_contextvars, CustomerIOProcessor(pipeline))

        with bound_contextvars(request_id="r1", ip="10.0.0.1", cio_identity=7):
            log.info("checkout", cio="track", total=3)
            log.info("checkout", cio_customer="8", total=4)
        log.bind(cio_identity="9").info("checkout", cio="page", total=5)

        assert [(event.customer, event.type, event.data) for event in arrivals.events()] == [
            ("7", "event", {"total": 3}),
            ("8", "event", {"total": 4}),
            ("9", "page", {"total": 5}),
        ]
