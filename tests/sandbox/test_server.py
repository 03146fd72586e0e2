"""The sandbox runs on loopback, lets in whom it should, and shows what it knows to anybody."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from cio_events.sandbox import ReceivedRequest, Sandbox
from tests.sandbox.asking import TIMEOUT_SECONDS, Api, eventually, raw
from tests.support import garbage
from tests.support.effort import times
from tests.support.scripts import environment, run_code

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = "/api/v1/customers/5/events"
EVENT = {"name": "purchase"}
VIEWS = ("people", "events", "objects", "metrics", "messages", "requests", "left", "workspaces")


def refuses_connections(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


# Running


def test_it_listens_where_it_says_and_leaves_nothing_behind() -> None:
    """A free port, a thread of its own, and neither after leaving."""
    threads = set(threading.enumerate())
    with Sandbox() as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{sandbox.port}"
        assert not refuses_connections(sandbox.port)
        assert repr(sandbox) == f"<Sandbox on {sandbox.url}>"
        port = sandbox.port

    assert refuses_connections(port)
    assert threads.issuperset(threading.enumerate())
    assert repr(sandbox) == "<Sandbox stopped>"


def test_starting_and_stopping_twice_is_once(api: Api) -> None:
    """A second start or stop changes nothing."""
    port = api.sandbox.port
    assert api.sandbox.start() is api.sandbox
    assert api.sandbox.port == port
    api.sandbox.stop()
    api.sandbox.stop()
    assert refuses_connections(port)


def test_it_comes_back_on_the_same_port_with_what_it_knew(api: Api) -> None:
    """An outage is a stop and a start."""
    api.post(EVENTS, json=EVENT)
    url = api.sandbox.url
    for _ in range(3):
        api.sandbox.stop()
        with pytest.raises(requests.ConnectionError):
            api.post(EVENTS, json=EVENT)
        api.sandbox.start()
        assert api.sandbox.url == url
        assert api.post(EVENTS, json=EVENT).status_code == 200

    assert len(api.sandbox.events) == 4


def test_idle_connections_do_not_hold_up_the_end(api: Api) -> None:
    """Open connections, idle and half way through a request, are broken."""
    half_way = socket.create_connection(("127.0.0.1", api.sandbox.port), TIMEOUT_SECONDS)
    with half_way, ThreadPoolExecutor(8) as pool:
        half_way.sendall(
            b"PUT /api/v1/customers/5 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        list(pool.map(lambda _: api.post(EVENTS, json=EVENT), range(16)))
        api.sandbox.stop()
        half_way.settimeout(TIMEOUT_SECONDS)
        assert half_way.recv(1) == b""


def test_a_connection_of_the_last_moment_is_closed_too(api: Api) -> None:
    """One that is still being accepted when the sandbox stops leaves no socket behind."""
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", api.sandbox.port), TIMEOUT_SECONDS) as last:
            api.sandbox.stop()
            last.settimeout(TIMEOUT_SECONDS)
            with contextlib.suppress(ConnectionResetError):
                assert last.recv(1) == b""
        api.sandbox.start()
    garbage.collect()  # what was left behind warns now, and warnings are errors


def test_a_port_that_is_taken_is_an_error(api: Api) -> None:
    """It is told to whoever starts it, and nothing is left over."""
    threads = set(threading.enumerate())
    with pytest.raises(OSError, match=r"[Aa]ddress|in use"):
        Sandbox(port=api.sandbox.port).start()
    assert threads.issuperset(threading.enumerate())


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.0.2.1", "example.com", "::"])
def test_it_serves_this_machine_only(host: str) -> None:
    """An address that others could reach is refused, whatever it is called."""
    with pytest.raises(ValueError, match="loopback"):
        Sandbox(host=host)


def has_ipv6() -> bool:
    """Whether this machine has a loopback of IPv6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("host", "in_url"),
    [
        ("localhost", "localhost"),
        pytest.param("::1", "[::1]", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6")),
    ],
)
def test_loopback_has_other_names(host: str, in_url: str) -> None:
    """They serve as well."""
    with Sandbox(host=host) as sandbox, Api(sandbox) as api:
        url = f"http://{in_url}:{sandbox.port}"
        assert api.get("/api/v1/accounts/region").json()["url"] == url


def test_an_unknown_region_is_refused() -> None:
    """There are two."""
    unknown: Any = "mars"
    with pytest.raises(ValueError, match="us, eu"):
        Sandbox(region=unknown)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is a matter of POSIX")
def test_a_forked_child_does_not_stop_the_parents_sandbox(api: Api) -> None:
    """A child that leaves the `with` block leaves the parent's server alone."""
    child = os.fork()
    if child == 0:
        signal.alarm(TIMEOUT_SECONDS)
        api.sandbox.stop()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert api.post(EVENTS, json=EVENT).status_code == 200


def test_it_needs_its_extra_and_says_so() -> None:
    """Without uvicorn the names can be imported, and starting says what to install."""
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from cio_events.sandbox import Sandbox\n"
        "sandbox = Sandbox()\n"
        "try: sandbox.start()\n"
        "except ModuleNotFoundError as missing: print(missing)\n"
    )
    printed, _ = run_code(code, env=environment())
    assert "pip install 'cio-events[sandbox]'" in printed


def test_importing_it_imports_no_server() -> None:
    """Starlette and uvicorn are for those who start one."""
    code = (
        "import sys, cio_events.sandbox\n"
        "print([m for m in ('starlette', 'uvicorn', 'asyncio') if m in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    assert ended.stdout.strip() in ("[]", "['asyncio']")


def test_the_applications_uvicorn_is_left_alone() -> None:
    """The levels and handlers of uvicorn's loggers are what they were."""
    code = (
        "import logging\n"
        "names = ('uvicorn', 'uvicorn.error', 'uvicorn.access')\n"
        "def state():\n"
        "    loggers = [logging.getLogger(name) for name in names]\n"
        "    return [(x.level, x.handlers, x.propagate, x.disabled) for x in loggers]\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "before = state()\n"
        "import urllib.request\n"
        "from cio_events.sandbox import Sandbox\n"
        "with Sandbox() as sandbox:\n"
        "    urllib.request.urlopen(sandbox.url + '/sandbox/people').read()\n"
        "print(state() == before)\n"
    )
    printed, said = run_code(code, env=environment(PYTHONWARNINGS="default"))
    assert (printed.strip(), "uvicorn" in said) == ("True", False)


# Credentials


def basic(credentials: bytes) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(credentials).decode()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic \xe9",
        basic(b""),
        basic(b":"),
        basic(b"site"),
        basic(b"site:"),
        basic(b":key"),
        basic(b"\xff:\xff"),
        "Bearer app-key",
    ],
)
def test_the_track_api_wants_basic_credentials(api: Api, header: str | None) -> None:
    """Without a site id and a key it is 401, and nothing is done."""
    headers = {} if header is None else {"Authorization": header}
    for path in (EVENTS, "/api/v2/batch", "/api/v2/entity"):
        status, body = raw(api.sandbox, "POST", path, b"{}", **headers)
        assert status == 401
        assert body == b'{"meta":{"error":"Unauthorized request"}}'
    assert api.sandbox.people == []


def test_any_credentials_will_do_unless_some_were_given(api: Api) -> None:
    """Colons and other letters included, in either alphabet of Base64."""
    for credentials in ("site:key", "s:k:e:y", "sé:k✓", "???:>>>"):
        encoded = credentials.encode()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            header = "basic " + encode(encoded).decode()
            assert (
                raw(api.sandbox, "POST", EVENTS, b'{"name":"x"}', Authorization=header)[0] == 200
            )


def test_given_credentials_are_the_only_ones() -> None:
    """Each of the three is checked if it was given."""
    with Sandbox("site", "key", "app") as sandbox, Api(sandbox) as api:
        for user, key, status in (("site", "key", 200), ("site", "x", 401), ("x", "key", 401)):
            assert api.post(EVENTS, json=EVENT, auth=(user, key)).status_code == status
        for token, status in (("app", 400), ("x", 401)):
            bearer = {"Authorization": f"Bearer {token}"}
            assert raw(sandbox, "POST", "/v1/send/email", b"{}", **bearer)[0] == status
    with Sandbox(api_key="key") as sandbox, Api(sandbox) as api:
        assert api.post(EVENTS, json=EVENT, auth=("any", "key")).status_code == 200
        assert api.post(EVENTS, json=EVENT, auth=("any", "x")).status_code == 401


def test_credentials_are_never_shown() -> None:
    """
    Not in a view, a journal, a repr or an answer, right or wrong ones.

    The site id is no secret: it names the workspace.
    """
    secrets = ("s3cret-site", "s3cret-key", "s3cret-app", "s3cret-wrong", "s3cret-cookie")
    with Sandbox(*secrets[:3]) as sandbox, Api(sandbox) as api:
        tokens = [base64.b64encode(f"{s}:{k}".encode()).decode() for s in secrets for k in secrets]
        for user, key in ((secrets[0], secrets[1]), (secrets[0], secrets[3])):
            api.post(EVENTS, json=EVENT, auth=(user, key), headers={"Cookie": secrets[4]})
        for token in (secrets[2], secrets[3]):
            bearer = {"Authorization": f"Bearer {token}", "Proxy-Authorization": secrets[3]}
            raw(sandbox, "POST", "/v1/send/email", b"{}", **bearer)
        assert len(sandbox.requests) == 4
        shown = [repr(sandbox), repr(sandbox.requests), repr(vars(sandbox))]
        shown += [api.get(f"/sandbox/{view}").text for view in VIEWS]

    for text in shown:
        assert not [secret for secret in (*secrets[1:], *tokens) if secret in text]


# Reading


def test_the_journal_keeps_requests_and_answers(api: Api) -> None:
    """In order of arrival, with the raw path, the query, headers and parsed bodies."""
    api.put("/api/v1/customers/a%2Fb", json={"plan": "pro"}, headers={"X-Mine": "yes"})
    api.get("/api/v1/accounts/region?x=%20y")
    api.post(EVENTS, data=b"not json \xff")
    api.delete("/api/v1/customers/5")

    journal = api.sandbox.requests
    assert [(r.index, r.method, r.path, r.status) for r in journal] == [
        (0, "PUT", "/api/v1/customers/a%2Fb", 200),
        (1, "GET", "/api/v1/accounts/region?x=%20y", 200),
        (2, "POST", EVENTS, 400),
        (3, "DELETE", "/api/v1/customers/5", 200),
    ]
    assert [r.body for r in journal] == [{"plan": "pro"}, None, "not json \ufffd", None]
    assert journal[0].answer == {}
    assert journal[0].headers["x-mine"] == "yes"
    assert journal[1].answer["region"] == "us"
    assert journal[2].answer["meta"]["errors"][0].startswith("the body is not JSON")
    assert [r.time for r in journal] == sorted(r.time for r in journal)


def test_the_views_are_json_for_anybody(api: Api) -> None:
    """Without credentials, and reading leaves no trace in the journal."""
    api.put("/api/v1/customers/5", json={"email": "5@example.com", "plan": "pro"})
    api.put("/api/v1/customers/5/devices", json={"device": {"id": "t", "platform": "ios"}})
    api.post(EVENTS, json=EVENT)
    bodies = {view: raw(api.sandbox, "GET", f"/sandbox/{view}") for view in VIEWS}
    assert {status for status, _ in bodies.values()} == {200}
    shown = {view: api.get(f"/sandbox/{view}").json() for view in VIEWS}

    (person,) = shown["people"]
    assert person["cio_id"] == api.sandbox.people[0].cio_id
    assert person["attributes"] == {"email": "5@example.com", "plan": "pro"}
    assert person["devices"]["t"]["platform"] == "ios"
    (event,) = shown["events"]
    assert (event["name"], event["customer"], event["order"]) == ("purchase", "5", 0)
    assert [request["status"] for request in shown["requests"]] == [200, 200, 200]
    assert (shown["objects"], shown["metrics"], shown["messages"]) == ([], [], [])
    assert api.get("/sandbox").json() == [f"/sandbox/{view}" for view in VIEWS]
    assert len(api.sandbox.requests) == 3


def test_clearing_forgets_everything(api: Api) -> None:
    """People, events, repeats, journal; the numbering starts anew."""
    body = {**EVENT, "id": "01HFV2Z4Q8J9K3M5N7P1R6T0WX"}
    api.post(EVENTS, json=body)
    api.sandbox.clear()
    assert (api.sandbox.people, api.sandbox.events, api.sandbox.requests) == ([], [], [])

    api.post(EVENTS, json=body)
    assert [event.order for event in api.sandbox.events] == [0]
    assert [request.index for request in api.sandbox.requests] == [0]


def test_a_request_that_is_cleared_while_it_waits_stays_forgotten(api: Api) -> None:
    """Its late answer is not noted on another request."""
    api.sandbox.delay(3600, before=True, times=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.post, EVENTS, json=EVENT)
        assert eventually(lambda: len(api.sandbox.requests) == 1)
        api.sandbox.clear()
        with Api(api.sandbox) as other:
            other.delete("/api/v1/customers/5")
        api.sandbox.heal()
        assert waiting.result(TIMEOUT_SECONDS).status_code == 200

    assert [request.method for request in api.sandbox.requests] == ["DELETE"]


def test_each_answer_is_told() -> None:
    """`on_answer` sees every request, dropped ones too."""
    told: list[ReceivedRequest] = []
    with Sandbox(on_answer=told.append) as sandbox, Api(sandbox) as api:
        api.post(EVENTS, json=EVENT)
        sandbox.drop_next()
        with pytest.raises(requests.ConnectionError):
            api.post(EVENTS, json=EVENT)

        assert [request.status for request in told] == [200, None]
        assert told == sandbox.requests


# Many at once


def test_many_clients_at_once_lose_nothing(api: Api) -> None:
    """Threads with connections of their own write and read at the same time."""
    clients, each = 16, times(40)

    def send(client: int) -> None:
        with Api(api.sandbox) as own:
            for number in range(each):
                body = {"name": "seen", "data": {"client": client, "number": number}}
                assert own.post(EVENTS, json=body).status_code == 200
                if number % 5 == 0:
                    assert own.get("/sandbox/events").status_code == 200
                    assert len(api.sandbox.events) > number

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, range(clients)))

    events = api.sandbox.events
    assert len(events) == len(api.sandbox.requests) == clients * each
    assert [event.order for event in events] == list(range(clients * each))
    for client in range(clients):
        own_numbers = [e.data["number"] for e in events if e.data["client"] == client]
        assert own_numbers == list(range(each))
    assert len(api.sandbox.people) == 1


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_restless")
def test_a_reader_sees_a_batch_whole_or_not_at_all(api: Api) -> None:
    """No snapshot falls between two items of one batch."""
    item = {"type": "person", "identifiers": {"id": "5"}, "action": "event", "name": "seen"}
    seen: set[int] = set()
    batches = times(16)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [api.batch(*[item] * 500) for _ in range(batches)])
        while not writing.done():
            seen.add(len(api.sandbox.events))
        writing.result()

    assert len(api.sandbox.events) == 500 * batches
    assert {count % 500 for count in seen} == {0}


@pytest.mark.alone
def test_a_kept_connection_is_no_slower_than_new_ones(api: Api) -> None:
    """No answer waits for the client's acknowledgement of the one before, or of its own start."""
    count = 30
    started = time.perf_counter()
    for _ in range(count):
        with Api(api.sandbox) as fresh:
            fresh.post(EVENTS, json=EVENT)
    in_between = time.perf_counter()
    for _ in range(count):
        api.post(EVENTS, json=EVENT)

    # With such waits it is some twenty times slower.
    assert time.perf_counter() - in_between < 5 * (in_between - started)


def test_requests_down_one_connection_are_answered_in_order(api: Api) -> None:
    """Pipelined requests get their answers, large bodies included."""
    body = b'{"name": "seen", "data": {"x": "' + b"y" * 90_000 + b'"}}'
    head = (
        f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(b'a:b')}\r\n"
        f"Content-Length: {len(body)}\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", api.sandbox.port), TIMEOUT_SECONDS) as connection:
        connection.sendall(
            (head + b"\r\n" + body) * 2 + head + b"Connection: close\r\n\r\n" + body
        )
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert len(api.sandbox.events) == 3


def test_what_is_no_http_is_refused_silently(
    api: Api, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A stray client gets a 400, and nothing is printed or logged."""
    with socket.create_connection(("127.0.0.1", api.sandbox.port), TIMEOUT_SECONDS) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
