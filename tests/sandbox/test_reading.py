"""What scripts ask the sandbox: the stream, what became of an event, and to be told of one."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from cio_events.sandbox import Sandbox
from tests.sandbox.asking import TIMEOUT_SECONDS, Api, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = "/api/v1/customers/5/events"
ULID = "01HFV2Z4Q8J9K3M5N7P1R6T0WX"


@pytest.fixture
def api() -> Iterator[Api]:
    """A client of a sandbox that is running, `api.sandbox`."""
    with Sandbox() as sandbox, Api(sandbox) as client:
        yield client


def track(api: Api, name: str = "seen", **fields: Any) -> None:
    """Send an event."""
    api.post(EVENTS, json={"name": name, **fields})


class Stream:
    """A reader of the stream."""

    def __init__(self, api: Api, mark: str | None = None) -> None:
        headers = {} if mark is None else {"Last-Event-ID": mark}
        self._answer = api.get("/sandbox/stream", stream=True, headers=headers)
        self._lines = self._answer.iter_lines()
        assert self._answer.headers["Content-Type"].startswith("text/event-stream")

    def next(self) -> dict[str, Any]:
        """The next push; its id is its mark."""
        mark = ""
        for line in self._lines:
            if line.startswith(b"id: "):
                mark = line[4:].decode()
            if line.startswith(b"data: "):
                news: dict[str, Any] = json.loads(line[6:])
                assert news["mark"] == mark
                return news
        raise AssertionError("the stream has ended")

    def names(self, count: int) -> list[str]:
        """The names of so many events."""
        found: list[str] = []
        while len(found) < count:
            found += [i["name"] for request in self.next()["requests"] for i in request["items"]]
        return found

    def close(self) -> None:
        """Read no more."""
        self._answer.close()


def test_the_stream_tells_what_was_and_what_comes(api: Api) -> None:
    """From the beginning, then as it arrives; bodies are left to who asks for one."""
    track(api, "first")
    stream = Stream(api)
    news = stream.next()
    (request,) = news["requests"]
    assert (news["after"], request["index"], request["items"][0]["name"]) == (None, 0, "first")
    assert "body" not in request
    with Api(api.sandbox) as other:
        track(other, "second")
    assert stream.names(1) == ["second"]
    stream.close()


def test_the_stream_pushes_at_most_ten_times_a_second(api: Api) -> None:
    """However much arrives; nothing is lost of it."""
    track(api, "first")
    stream = Stream(api)
    assert stream.names(1) == ["first"]
    started, pushes, seen = time.monotonic(), 0, 0
    with ThreadPoolExecutor(1) as pool, Api(api.sandbox) as other:
        sending = pool.submit(lambda: [track(other, "more") for _ in range(80)])
        while seen < 80:
            seen += sum(len(request["items"]) for request in stream.next()["requests"])
            pushes += 1
        sending.result(TIMEOUT_SECONDS)
    assert seen == 80
    # The first may come at once, and what is read late was pushed in time.
    assert pushes <= 10 * (time.monotonic() - started) + 2
    stream.close()


def test_the_stream_has_no_gap_over_a_restart(api: Api) -> None:
    """Who comes back says what it has, and gets what follows."""
    track(api, "before")
    stream = Stream(api)
    mark = stream.next()["mark"]
    api.sandbox.stop()
    api.sandbox.start()
    with Api(api.sandbox) as other:
        track(other, "after")
        resumed = Stream(other, mark)
        news = resumed.next()
        assert news["after"] == mark
        assert [i["name"] for request in news["requests"] for i in request["items"]] == ["after"]
        resumed.close()


@pytest.mark.parametrize("mark", ["", "x", "deadbeef-3", "-", "a-b-c", "x-" + "9" * 5_000])
def test_a_mark_of_another_life_starts_anew(api: Api, mark: str) -> None:
    """All before is to be forgotten."""
    track(api)
    news = api.get("/sandbox/journal", params={"after": mark}).json()
    assert (news["after"], len(news["requests"])) == (None, 1)

    api.sandbox.clear()
    cleared = api.get("/sandbox/journal", params={"after": news["mark"]}).json()
    assert (cleared["after"], cleared["requests"]) == (None, [])


def test_readers_do_not_hold_up_the_end(api: Api) -> None:
    """Streams and waits are broken off."""
    streams = [Stream(api) for _ in range(3)]
    threads = set(threading.enumerate())
    api.sandbox.stop()
    ended = threads - set(threading.enumerate())
    assert "cio-events-sandbox" in {thread.name for thread in ended}
    for stream in streams:
        stream.close()


def test_waiting_for_an_event(api: Api) -> None:
    """It is answered when it is there, whoever's or somebody's."""
    with ThreadPoolExecutor(1) as pool, Api(api.sandbox) as other:
        waiting = pool.submit(other.get, "/sandbox/wait?event=purchase&customer=5&timeout=20")
        track(api, "other")
        track(api, "purchase", data={"price": 1})
        answer = waiting.result(TIMEOUT_SECONDS)
    assert (answer.status_code, answer.json()["data"]) == (200, {"price": 1})
    assert api.get("/sandbox/wait?event=purchase&timeout=0").status_code == 200


def test_waiting_in_vain_shows_what_is_near(api: Api) -> None:
    """The same event of somebody else, then names that are much like it."""
    track(api, "purchase")
    track(api, "purchased")
    track(api, "logout")
    answer = api.get("/sandbox/wait?event=purchase&customer=6&timeout=0")
    assert answer.status_code == 408
    near = [(event["name"], event["customer"]) for event in answer.json()["nearest"]]
    assert near == [("purchase", "5"), ("purchased", "5")]


@pytest.mark.parametrize("query", ["", "event=x&timeout=nan", "event=x&timeout=1e9", "timeout=x"])
def test_waiting_needs_to_know_for_what(api: Api, query: str) -> None:
    """And not for ever."""
    assert api.get(f"/sandbox/wait?{query}").status_code == 400


def test_what_became_of_an_event(api: Api) -> None:
    """Accepted, refused and why, repeated alone; `latest` wherever an id goes."""
    assert api.get(f"/sandbox/events/{ULID}").status_code == 404
    assert api.get("/sandbox/requests/latest").status_code == 404
    assert api.get("/sandbox/people/latest").status_code == 404
    track(api, id=ULID)
    track(api, id=ULID)
    track(api, "x" * 112, id="refused")

    assert api.get(f"/sandbox/events/{ULID}").json()["item"]["verdict"] == "accepted"
    refused = api.get("/sandbox/events/refused").json()
    assert (refused["request"], refused["item"]["verdict"]) == (2, "refused")
    assert refused["item"]["findings"][0]["limit"] == "100 bytes"
    assert api.get("/sandbox/events/latest").json() == refused
    assert api.get("/sandbox/requests/latest").json()["index"] == 2
    assert api.get("/sandbox/requests/1").json()["items"][0]["verdict"] == "repeated"
    assert api.get("/sandbox/people/latest").json()["id"] == "5"
    assert api.get("/sandbox/people/5").json()["id"] == "5"
    for missing in ("requests/7", "requests/x", "requests/" + "9" * 5_000, "people/7"):
        assert api.get(f"/sandbox/{missing}").status_code == 404


def test_attributes_know_which_request_set_them(api: Api) -> None:
    """And a merge keeps it, with the name of who was merged."""
    api.put("/api/v1/customers/5", json={"plan": "pro"})
    api.put("/api/v1/customers/6", json={"city": "Rome"})
    api.post("/api/v1/merge_customers", json={"primary": {"id": "5"}, "secondary": {"id": "6"}})

    person = api.get("/sandbox/people/5").json()
    assert person["sources"] == {"plan": 0, "city": 1}
    assert person["merged"] == ["6"]


def test_it_is_told_to_misbehave(api: Api) -> None:
    """As from Python, by a request; what is no instruction is refused."""
    fail = {"kind": "fail", "status": 429, "retry_after": 7, "times": 2, "percent": 100}
    assert api.post("/sandbox/misbehave", json=fail).status_code == 200
    answer = api.post(EVENTS, json={"name": "x"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    api.post("/sandbox/misbehave", json={"kind": "heal"})
    assert api.post(EVENTS, json={"name": "x"}).status_code == 200

    for wrong in (
        b"",
        b"[]",
        b'{"kind": "explode"}',
        b'{"kind": "fail", "status": 99}',
        b'{"kind": "fail", "percent": 0}',
        b'{"kind": "drop", "x": 1}',
    ):
        assert api.post("/sandbox/misbehave", data=wrong).status_code == 400
    assert api.post(EVENTS, json={"name": "x"}).status_code == 200


def test_a_share_of_the_requests_misbehaves(api: Api) -> None:
    """Some fail and some do not."""
    api.sandbox.fail_next(times=None, percent=50)
    statuses = [api.post(EVENTS, json={"name": "x"}).status_code for _ in range(60)]
    assert set(statuses) == {200, 503}


def test_it_can_be_reset(api: Api) -> None:
    """By a request that is no other page's."""
    track(api)
    headers = {"Origin": "http://evil.example"}
    assert raw(api.sandbox, "POST", "/sandbox/reset", b"", **headers)[0] == 403
    assert len(api.sandbox.events) == 1
    assert api.post("/sandbox/reset").status_code == 200
    assert (api.sandbox.events, api.sandbox.requests) == ([], [])


def test_the_page_has_a_strict_policy_and_is_small(api: Api) -> None:
    """No inline script, nothing from outside, at most 80 kB in all."""
    page = api.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    names = ("index.html", "style.css", "page.js", "live.js", "views.js", "dom.js")
    assets = [api.get(f"/page/{name}") for name in names]
    assert {asset.status_code for asset in assets} == {200}
    assert sum(len(asset.content) for asset in assets) < 80_000
    for asset in assets:
        assert "http://" not in asset.text
        assert "https://" not in asset.text


def test_a_messages_body_runs_nothing(api: Api) -> None:
    """It is shown by a path of its own, in a box that has neither scripts nor network."""
    who = {"to": "a@b", "from": "c@d", "subject": "s", "identifiers": {"id": "5"}}
    receipt = api.message("email", **who, body="<script>alert(1)</script>Hello").json()
    shown = api.get(f"/sandbox/messages/{receipt['delivery_id']}/body")
    assert shown.text == "<script>alert(1)</script>Hello"
    assert shown.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none';")
    assert api.get("/sandbox/messages/x/body").status_code == 404
