"""Which requests are made: batches and their sizes, what goes alone, and when they leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from cio_events import Identifier, Pipeline, Track
from cio_events._calls.limits import V2_BATCH_BYTES, V2_OPERATION_BYTES
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, Heard, balanced, eventually, names, settled
from tests.support.servers import Peer, ScriptedServer, answer

MakePipeline = Callable[..., Pipeline]


def test_backlog_leaves_in_batches_cut_by_bytes(make: MakePipeline, heard: Heard) -> None:
    """As few requests as the limit of a batch allows, none over it, and in order."""
    with ScriptedServer([answer(503, headers={"Retry-After": "300"})]) as server:
        pipeline = make(track_url=server.url, flush_interval=0)
        pipeline.track("0", "0")
        assert eventually(lambda: heard.retries)
        for n in range(1, 3_000):
            pipeline.track(f"{n % 7}", f"{n}", {"pad": "é" * (n % 500)})
        pipeline._worker._dispatcher.flights[0].pace.ready_at = 0.0  # the server is back
        assert settled(pipeline).sent == 3_000
        _, first, *requests = server.requests

    sizes = [len(request.body) for request in requests]
    assert max(sizes) <= V2_BATCH_BYTES
    assert min(sizes[:-1]) > V2_BATCH_BYTES - 2_000
    requests.insert(0, first)
    assert {(request.method, request.target) for request in requests} == {
        ("POST", "/api/v2/batch")
    }
    sent = [operation for request in requests for operation in request.json["batch"]]
    assert [operation["name"] for operation in sent] == [str(n) for n in range(3_000)]
    assert max(len(orjson.dumps(operation)) for operation in sent) <= V2_OPERATION_BYTES


def test_calls_that_come_while_one_is_sent_leave_in_full_batches(make: MakePipeline) -> None:
    """However many there are: they are taken piece by piece, and batches are not cut there."""
    go = threading.Event()

    def slow_answer(peer: Peer) -> bool:
        go.wait(LONG)
        return answer(200)(peer)

    with ScriptedServer([slow_answer]) as server:
        pipeline = make(track_url=server.url, flush_interval=0)
        pipeline.track("0", "0")
        assert eventually(lambda: server.connections)
        for n in range(1, 15_000):
            pipeline.track(f"{n % 7}", f"{n}")
        go.set()
        assert settled(pipeline).sent == 15_000
        _, *requests = server.requests

    sizes = [len(request.body) for request in requests]
    assert max(sizes) <= V2_BATCH_BYTES
    assert min(sizes[:-1]) > V2_BATCH_BYTES - 1_000
    sent = [operation for request in requests for operation in request.json["batch"]]
    assert [operation["name"] for operation in sent] == [str(n) for n in range(1, 15_000)]


def test_lone_call_goes_the_same_way(make: MakePipeline) -> None:
    """There is one way for one call and for many."""
    with ScriptedServer() as server:
        pipeline = make(track_url=server.url)
        pipeline.track("5", "x")
        settled(pipeline)
        (request,) = server.requests

    assert (request.method, request.target) == ("POST", "/api/v2/batch")
    assert [operation["name"] for operation in request.json["batch"]] == ["x"]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("cio-events/")


def test_requests_follow_each_other_on_one_connection(make: MakePipeline) -> None:
    """It is kept between batches, and between flushes."""
    with ScriptedServer() as server:
        pipeline = make(track_url=server.url)
        for n in range(5):
            pipeline.track("5", f"{n}")
            settled(pipeline)

        assert {request.connection for request in server.requests} == {0}


def test_large_events_go_by_v1_in_order_with_the_others(
    make: MakePipeline, sandbox: Sandbox
) -> None:
    """Between 32 000 and 100 000 bytes: alone, and where they belong among the customer's."""
    pipeline = make(flush_interval=3600)
    for n in range(12):
        pad = 0 if n % 3 else 60_000
        for who in "ab":
            pipeline.track(who, f"{n}", {"pad": "x" * pad})
        pipeline.identify("a", {"n": n, "pad": "x" * pad})
    assert settled(pipeline).sent == 36

    for who in "ab":
        assert [event.name for event in sandbox.events_of(who)] == [str(n) for n in range(12)]
    person = sandbox.person("a")
    assert person is not None
    assert person.attributes["n"] == 11
    ways = {request.path for request in sandbox.requests}
    assert ways == {
        "/api/v2/batch",
        "/api/v1/customers/a/events",
        "/api/v1/customers/b/events",
        "/api/v1/customers/a",
    }


def test_anonymous_events_go_by_v1(make: MakePipeline, sandbox: Sandbox) -> None:
    """V2 has no operation for them; those of known people still go in a batch."""
    pipeline = make(flush_interval=3600)
    for n in range(5):
        pipeline.track_anonymous("nobody", f"{n}")
        pipeline.track("5", f"{n}")
    pipeline.track_anonymous(None, "invite", {"recipient": "a@example.com"})
    assert settled(pipeline).sent == 11

    paths = [request.path for request in sandbox.requests]
    assert sorted(paths) == ["/api/v1/events"] * 6 + ["/api/v2/batch"]
    anonymous = [event for event in sandbox.events if event.anonymous_id == "nobody"]
    assert [event.name for event in anonymous] == [str(n) for n in range(5)]
    assert names(sandbox).count("invite") == 1


def test_v1_sends_a_request_for_each_call_as_go_customerio_does(make: MakePipeline) -> None:
    """Methods, paths and bodies, with the id and the time of the log call."""
    with ScriptedServer() as server:
        pipeline = make(track_url=server.url, api="v1")
        before = int(time.time())
        email = Identifier("a b@example.com", "email")
        pipeline.identify("1", {"plan": "pro"})
        settled(pipeline)
        pipeline.track(email, "bought", {"price": 1.5})
        settled(pipeline)
        for verb, arguments in (
            (pipeline.track_anonymous, ("anon", "looked")),
            (pipeline.delete, ("2/3",)),
            (pipeline.suppress, ("4",)),
            (pipeline.unsuppress, ("4",)),
            (pipeline.merge_customers, (email, Identifier("7", "cio_id"))),
            (pipeline.add_device, ("5", "tok/en", "ios", {"a": "b"})),
            (pipeline.delete_device, ("5", "tok/en")),
        ):
            verb(*arguments)
            settled(pipeline)
        requests = [(r.method, r.target, r.json if r.body else None) for r in server.requests]
        headers = [request.headers for request in server.requests]

    def now(value: Any) -> bool:
        return before <= value <= int(time.time())

    _, _, identified = requests[0]
    assert now(identified.pop("_timestamp"))
    for _, _, body in requests[1:3]:
        assert len(body.pop("id")) == 26
        assert now(body.pop("timestamp"))
    assert requests == [
        ("PUT", "/api/v1/customers/1", {"plan": "pro"}),
        (
            "POST",
            "/api/v1/customers/a%20b%40example.com/events",
            {"name": "bought", "data": {"price": 1.5}},
        ),
        ("POST", "/api/v1/events", {"name": "looked", "data": {}, "anonymous_id": "anon"}),
        ("DELETE", "/api/v1/customers/2%2F3", None),
        ("POST", "/api/v1/customers/4/suppress", None),
        ("POST", "/api/v1/customers/4/unsuppress", None),
        (
            "POST",
            "/api/v1/merge_customers",
            {"primary": {"email": "a b@example.com"}, "secondary": {"cio_id": "7"}},
        ),
        (
            "PUT",
            "/api/v1/customers/5/devices",
            {"device": {"id": "tok/en", "platform": "ios", "attributes": {"a": "b"}}},
        ),
        ("DELETE", "/api/v1/customers/5/devices/tok%2Fen", None),
    ]
    assert {header["user-agent"] for header in headers} == {headers[0]["user-agent"]}
    assert all(header["authorization"].startswith("Basic ") for header in headers)


@pytest.mark.alone
def test_v1_sends_several_at_once(make: MakePipeline, sandbox: Sandbox) -> None:
    """A slow answer does not hold up the calls of others, and nobody's are mixed up."""
    sandbox.delay(0.1)
    pipeline = make(api="v1", flush_interval=3600)
    for n in range(4):
        for who in "abcdefgh":
            pipeline.track(who, f"{n}")
    started = time.monotonic()
    assert settled(pipeline).sent == 32
    took = time.monotonic() - started

    assert took < 32 * 0.1 / 2
    for who in "abcdefgh":
        assert [event.name for event in sandbox.events_of(who)] == ["0", "1", "2", "3"]


def test_v1_works_where_no_helper_can_be_started(
    make: MakePipeline, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other then."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "cio_events-single":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pipeline = make(api="v1", flush_interval=3600)
    for n in range(10):
        for who in "abc":
            pipeline.track(who, f"{n}")

    assert settled(pipeline).sent == 30
    for who in "abc":
        assert [event.name for event in sandbox.events_of(who)] == [str(n) for n in range(10)]


def test_batch_leaves_at_the_interval_under_a_producer_that_never_pauses(
    make: MakePipeline, sandbox: Sandbox
) -> None:
    """Calls keep coming, and still each leaves within about one interval."""
    interval = 0.1
    pipeline, done = make(flush_interval=interval, max_pending=10**6), threading.Event()
    logged: dict[str, float] = {}

    def produce() -> None:
        n = 0
        while not done.is_set():
            logged[f"{n}"] = time.time()
            pipeline.track("5", f"{n}")
            n += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=produce)
    thread.start()
    time.sleep(interval * 12)
    done.set()
    thread.join()
    assert settled(pipeline).sent == len(logged)

    requests = sandbox.requests
    assert len(requests) > 4
    waits = [
        request.time - logged[operation["name"]]
        for request in requests
        for operation in request.body["batch"]
    ]
    # The machine may be busy with other things, but nobody waits for the producer to pause.
    assert sorted(waits)[len(waits) // 2] < interval * 3
    assert names(sandbox) == [str(n) for n in range(len(logged))]


def test_calls_wait_for_company(make: MakePipeline, sandbox: Sandbox) -> None:
    """Within an interval they share a request."""
    interval = 0.3
    pipeline = make(flush_interval=interval)
    before, after = [], []
    for n in range(10):
        before.append(time.monotonic())
        pipeline.track("5", f"{n}")
        after.append(time.monotonic())
        time.sleep(0.005)
    assert eventually(lambda: balanced(pipeline).sent == 10)

    # All ten, unless the machine took its time over these lines.
    first, *later = sandbox.requests
    shared = len(first.body["batch"])
    assert not later or after[shared] - before[0] >= interval


def test_what_comes_after_a_quiet_time_waits_too(make: MakePipeline, sandbox: Sandbox) -> None:
    """The first call that a thread has again is not sent alone."""
    pipeline = make(flush_interval=3600)
    pipeline.track("5", "before")
    assert pipeline.flush(LONG)
    assert eventually(lambda: pipeline._worker._state.value == "idle")

    for n in range(10):
        pipeline.track("5", f"{n}")
        time.sleep(0.01)  # long enough for one that does not wait
    assert pipeline.flush(LONG)

    assert [len(request.body["batch"]) for request in sandbox.requests] == [1, 10]


def test_a_flush_that_does_not_wait_hurries_what_does(make: MakePipeline) -> None:
    """Also what has only just come, after a quiet time."""
    pipeline = make(flush_interval=3600)
    pipeline.track("5", "before")
    assert pipeline.flush(LONG)
    assert eventually(lambda: pipeline._worker._state.value == "idle")

    pipeline.track("5", "x")
    pipeline.flush(0)

    assert eventually(lambda: balanced(pipeline).sent == 2)


def test_full_batch_does_not_wait(make: MakePipeline, sandbox: Sandbox) -> None:
    """What fills a request leaves at once, however long the interval is."""
    pipeline = make(flush_interval=3600)
    for n in range(20):
        pipeline.track("5", f"{n}", {"pad": "x" * 31_000})

    assert eventually(lambda: balanced(pipeline).sent >= 15)


def test_no_interval_at_all_sends_at_once(make: MakePipeline, sandbox: Sandbox) -> None:
    """Zero is an interval, and costs nothing while nothing happens."""
    pipeline = make(flush_interval=0)
    pipeline.track("5", "x")
    assert eventually(lambda: balanced(pipeline).sent == 1)
    spent = time.process_time()
    time.sleep(0.3)

    assert time.process_time() - spent < 0.15


def test_paths_of_all_identifiers_decode_to_them(make: MakePipeline) -> None:
    """With v1 too, nobody's event goes to somebody else."""
    people = ["a/b", "a%2Fb", "..a", "a?b", "a#b", "a b", "a+b", "é", "%", "a;b", "a&b=c", "a\\b"]
    with ScriptedServer() as server:
        pipeline = make(track_url=server.url, api="v1")
        for who in people:
            pipeline.send(Track(who, who))
        settled(pipeline)
        got = {unquote(r.target.split("/")[4]): r.json["name"] for r in server.requests}

    assert got == {who: who for who in people}


def test_pipelines_share_nothing(make: MakePipeline, sandbox: Sandbox) -> None:
    """Two workspaces in one process."""
    with Sandbox("other-site", "other-key") as other:
        pipelines = [
            make(),
            make(track_url=other.url, site_id="other-site", api_key="other-key"),
        ]
        for n, pipeline in enumerate(pipelines):
            for _ in range(n + 1):
                pipeline.track("5", f"{n}")
        assert [pipeline.flush(LONG) for pipeline in pipelines] == [True, True]

        assert (names(sandbox), names(other)) == (["0"], ["1", "1"])
