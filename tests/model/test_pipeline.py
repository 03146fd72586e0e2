"""
The model: whatever is logged, by whomever, whatever fails, the ledger balances at every step.

At the end, Customer.io has exactly the events that were counted as sent, in order per customer,
and every message at most once. With a spool, nothing that was taken is dropped.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
import traceback
import warnings
from collections import Counter, defaultdict
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cio_events import Call, Identify, Merge, Pipeline, SendPush, Track, TrackAnonymous
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, Heard, balanced
from tests.support import threads
from tests.support.effort import times

PEOPLE = ["a", "b", "c/d", "é"]

OPTIONS = st.fixed_dictionaries(
    {
        "api": st.sampled_from(["v1", "v2", "v2"]),
        "max_pending": st.sampled_from([7, 100_000]),
        "flush_interval": st.sampled_from([0, 0.002, 3600]),
        "on_full": st.sampled_from(["drop", "block"]),
    }
)

# Until then nobody waits, and afterwards everything has come to an end.
BRIEF = 0.02


def some_are_secret(call: Call) -> Call | None:
    """A filter as applications have them."""
    return None if isinstance(call, Track) and call.data.get("secret") else call


class Logged:
    """What was handed in: each call's id, and each customer's ids in their order."""

    def __init__(self) -> None:
        self.count = 0
        self.order: defaultdict[str, list[str]] = defaultdict(list)
        self._lock = threading.Lock()

    def log(self, pipeline: Pipeline, who: str, call: Call) -> None:
        """Hand *call* in, and remember it under its customer."""
        with self._lock:
            self.count += 1
        self.order[who].append(pipeline.accept(call)[0])


class Told:
    """What signals have told, as far as the end of a life compares it."""

    def __init__(self) -> None:
        self.tracked: set[str] = set()  # events that were sent
        self.maybe: set[str] = set()  # given up after a request: nobody can know
        self.ends: Counter[str] = Counter()

    @classmethod
    def of(
        cls,
        heard: Heard,
        sent: int = 0,
        failed: int = 0,
        dropped: int = 0,
        *,
        forgotten: bool,
        left: set[str],
    ) -> Told:
        """
        What was heard after so many reports of each kind.

        Of what was accepted and *forgotten*, on a connection that was kept, even the first
        attempt is two requests: the second one may be rejected. What a closed pipeline has *left*
        may have been part of a request of its, which the next one's count does not include.
        """
        told = cls()
        given_up = [*heard.failed[failed:], *heard.dropped[dropped:]]
        for report in heard.sent[sent:]:
            if isinstance(report.call, (Track, TrackAnonymous)):
                told.tracked.add(report.id)
        for report in given_up:
            known = report.reason == "rejected" and not forgotten and report.id not in left
            if report.attempts > (1 if known else 0):
                told.maybe.add(report.id)
        told.ends.update(report.id for report in [*heard.sent[sent:], *given_up])
        return told

    def add(self, other: Told) -> None:
        """Take in what another process was told."""
        self.tracked |= other.tracked
        self.maybe |= other.maybe
        self.ends.update(other.ends)


class Machine(RuleBasedStateMachine):
    """One process's life with Customer.io."""

    sandbox: ClassVar[Sandbox]
    spool: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.sandbox.clear()
        self.heard = Heard()
        self.heard.__enter__()
        self.pipelines: list[Pipeline] = []
        self.logged = Logged()
        self.children = Told()
        self.forgotten = False
        self.left: set[str] = set()
        self.serial = 0

    def next(self) -> int:
        """A number that no call had before."""
        self.serial += 1
        return self.serial

    # The life of pipelines.

    @initialize(options=OPTIONS)
    def begin(self, options: dict[str, Any]) -> None:
        """The first pipeline."""
        self.pipeline = Pipeline(
            site_id="s",
            api_key="k",
            app_api_key="a",
            track_url=self.sandbox.url,
            app_url=self.sandbox.url,
            retry_base=0.002,
            retry_cap=0.004,
            hold_interval=0.004,
            timeout=LONG,
            before_send=some_are_secret,
            spool=self.spool,
            **options,
        )
        self.pipelines.append(self.pipeline)

    @rule(options=OPTIONS, patience=st.sampled_from([0, BRIEF, LONG]))
    def restart(self, options: dict[str, Any], patience: float) -> None:
        """Close the pipeline, with whatever it has, and go on with another one."""
        if patience == LONG:
            self.sandbox.heal()
        closed = self.pipeline.close(patience)
        assert balanced(self.pipeline).pending == 0 or self.spool
        assert closed or patience != LONG
        if not closed:
            self.left.update(*self.logged.order.values())
        # Its last request may be under way still; a new process would be no sooner.
        assert threads.all_ended(self.pipelines), threads.where_they_are(self.pipelines)
        self.begin(options)

    @rule(timeout=st.sampled_from([0, BRIEF]))
    def flush(self, timeout: float) -> None:
        """True only if nothing is left."""
        if self.pipeline.flush(timeout):
            assert self.pipeline.stats().pending == 0
            assert len(self.heard.sent) == sum(p.stats().sent for p in self.pipelines)

    # Calls.

    @rule(
        who=st.sampled_from(PEOPLE),
        size=st.sampled_from([0, 0, 0, 40_000]),
        times=st.integers(1, 30),
    )
    def track(self, who: str, size: int, times: int) -> None:
        """Some events of one customer."""
        for _ in range(times if not size else 1):
            self.logged.log(self.pipeline, who, Track(who, f"{self.next()}", {"pad": "x" * size}))

    @rule(who=st.sampled_from(PEOPLE))
    def identify(self, who: str) -> None:
        """The latest of these is what Customer.io must know in the end."""
        self.logged.log(self.pipeline, who, Identify(who, {"n": self.next()}))

    @rule()
    def track_anonymous(self) -> None:
        """An event of somebody unknown."""
        self.logged.log(self.pipeline, "anonymous", TrackAnonymous("x", f"{self.next()}"))

    @rule(who=st.sampled_from(PEOPLE))
    def send_message(self, who: str) -> None:
        """A message, which must not arrive twice."""
        message = SendPush(transactional_message_id=self.next(), identifiers=who)
        self.logged.log(self.pipeline, "messages", message)

    @rule(who=st.sampled_from(PEOPLE))
    def what_customer_io_refuses(self, who: str) -> None:
        """A call that passes the door and fails behind it."""
        bad = Identify(who, {"cio_relationships": "no list", "n": self.next()})
        self.logged.log(self.pipeline, who, bad)

    @rule(who=st.sampled_from(PEOPLE))
    def what_the_door_refuses(self, who: str) -> None:
        """Too large, filtered, and of nobody."""
        self.logged.log(self.pipeline, who, Track(who, "x", {"pad": "x" * 100_001}))
        self.logged.log(self.pipeline, who, Track(who, "x", {"secret": True}))
        self.logged.log(self.pipeline, who, "nonsense")  # type: ignore[arg-type]

    @rule(one=st.sampled_from(PEOPLE), other=st.sampled_from(PEOPLE))
    def wait_for_two_people(self, one: str, other: str) -> None:
        """A merge with a person who does not exist: it changes nobody, and ties two people."""
        call = Merge(one, f"nobody {other}")
        self.logged.log(self.pipeline, "merges", call)

    @rule(times=st.integers(1, 40))
    def log_in_threads(self, times: int) -> None:
        """Three threads at once, each with customers of its own and one of all."""

        def work(thread: int) -> None:
            for n in range(times):
                who = f"thread {thread}" if n % 3 else "everybody"
                key = who if n % 3 else f"everybody {thread}"
                name = f"{thread} {serial} {n}"
                self.logged.log(self.pipeline, key, Track(who, name))

        serial = self.next()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @precondition(lambda self: hasattr(os, "fork"))
    @rule(times=st.integers(1, 5))
    def log_in_a_forked_child(self, times: int) -> None:
        """It delivers its own calls and leaves the parent's alone."""
        names = [f"child {self.next()}" for _ in range(times)]
        read, write = os.pipe()
        with warnings.catch_warnings():
            # From Python 3.12 on, a fork beside threads is warned of; here it is the point.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            status, answer = 1, b""
            try:
                seen = len(self.heard.sent), len(self.heard.failed), len(self.heard.dropped)
                ids = [self.pipeline.accept(Track("child", name))[0] for name in names]
                assert self.pipeline.flush(LONG)
                assert balanced(self.pipeline).pending == 0
                told = Told.of(self.heard, *seen, forgotten=self.forgotten, left=self.left)
                status, answer = 0, pickle.dumps((ids, told, self.pipeline.stats()))
            except BaseException:
                answer = traceback.format_exc().encode()
            finally:
                with os.fdopen(write, "wb") as pipe:
                    pipe.write(answer)
                os._exit(status)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            answer = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code == 0, f"the child ended with {code}: {answer.decode(errors='replace')}"
        ids, told, stats = pickle.loads(answer)
        if self.spool is None:
            assert stats.received == times
        self.logged.order["child"] += ids
        self.children.add(told)

    # What goes wrong.

    @rule(
        status=st.sampled_from([301, 400, 401, 403, 408, 413, 429, 500, 503]),
        times=st.integers(1, 3),
        path=st.sampled_from([None, "/api/v2", "/api/v1", "/v1/send"]),
    )
    def fail(self, status: int, times: int, path: str | None) -> None:
        """Refuse the next requests."""
        self.sandbox.fail_next(status, times, path=path)

    @rule(times=st.integers(1, 3))
    def drop(self, times: int) -> None:
        """Break the connection, and accept nothing."""
        self.sandbox.drop_next(times)

    @rule(times=st.integers(1, 3))
    def forget(self, times: int) -> None:
        """Accept, and break the connection instead of answering."""
        self.forgotten = True
        self.sandbox.forget_next(times)

    @rule(before=st.booleans())
    def delay(self, before: bool) -> None:
        """Take some time."""
        self.sandbox.delay(BRIEF / 2, 2, before=before)

    # What always holds.

    @precondition(lambda self: self.pipelines)
    @invariant()
    def every_ledger_balances(self) -> None:
        """Each call is somewhere, and in one place."""
        stats = [balanced(pipeline) for pipeline in self.pipelines]
        assert sum(one.received for one in stats) == self.logged.count
        assert all(one.pending == 0 for one in stats[:-1])

    def teardown(self) -> None:
        """What holds in the end."""
        try:
            if self.pipelines:
                self.end()
        finally:
            self.heard.__exit__()
            for pipeline in self.pipelines:
                pipeline.close(0)
            self.sandbox.heal()
            assert threads.all_ended(self.pipelines), threads.where_they_are(self.pipelines)

    def end(self) -> None:
        """Compare what Customer.io knows with what was counted and told."""
        self.sandbox.heal()
        assert self.pipeline.flush(LONG)
        self.every_ledger_balances()
        heard = self.heard
        stats = [pipeline.stats() for pipeline in self.pipelines]
        for column, reports in (
            ("sent", heard.sent),
            ("failed", heard.failed),
            ("dropped", heard.dropped),
        ):
            assert sum(getattr(one, column) for one in stats) == len(reports)
        told = Told.of(heard, forgotten=self.forgotten, left=self.left)
        told.add(self.children)
        assert max(told.ends.values(), default=1) == 1
        maybe = told.maybe
        events = [event.id for event in self.sandbox.events]
        assert len(events) == len(set(events))
        assert told.tracked <= set(events) <= told.tracked | maybe

        place = {id_: n for n, id_ in enumerate(events)}
        for who, ids in self.logged.order.items():
            places = [place[id_] for id_ in ids if id_ in place]
            assert places == sorted(places), who
        for who in PEOPLE:
            self.knows_the_latest(who, maybe)

        messages = Counter(m.fields["transactional_message_id"] for m in self.sandbox.messages)
        assert max(messages.values(), default=1) == 1
        received = {
            r.call.transactional_message_id for r in heard.sent if isinstance(r.call, SendPush)
        }
        doubtful = {
            r.call.transactional_message_id
            for r in [*heard.failed, *heard.dropped]
            if isinstance(r.call, SendPush) and r.id in maybe
        }
        assert received <= set(messages) <= received | doubtful

    def knows_the_latest(self, who: str, maybe: set[str]) -> None:
        """The last of a person's updates that was sent is what holds."""
        updates = {
            r.id: r.call.attributes["n"] for r in self.heard.sent if isinstance(r.call, Identify)
        }
        latest = [id_ for id_ in self.logged.order[who] if id_ in updates]
        person = self.sandbox.person(who)
        if latest and person is not None and not maybe:
            assert person.attributes["n"] == updates[latest[-1]]


class SpoolMachine(Machine):
    """The same life with a spool, which closed pipelines leave their calls to."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.spool = self._directory.name

    @precondition(lambda self: self.pipelines)
    @invariant()
    def every_ledger_balances(self) -> None:
        """What a closed pipeline has left is received once more by another one, and only once."""
        stats = [balanced(pipeline) for pipeline in self.pipelines]
        received = sum(one.received for one in stats)
        left = sum(one.pending for one in stats[:-1])
        assert self.logged.count <= received <= self.logged.count + left

    def end(self) -> None:
        """Nothing that was taken is dropped."""
        super().end()
        assert {report.reason for report in self.heard.dropped} <= {"full", "before_send"}

    def teardown(self) -> None:
        """Leave nothing on the disk either."""
        try:
            super().teardown()
        finally:
            self._directory.cleanup()


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> Any:
    with Sandbox() as sandbox:
        Machine.sandbox = sandbox
        yield


_SETTINGS = settings(
    stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)

TestModel = Machine.TestCase
TestModel.settings = settings(_SETTINGS, max_examples=times(25))

TestModelWithSpool = SpoolMachine.TestCase
TestModelWithSpool.settings = settings(_SETTINGS, max_examples=times(15))
