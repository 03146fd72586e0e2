"""
Every row of the migration tables, over real HTTP: what the vendor's function sends, so do we.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
import structlog
import trustme

import cio_events
from cio_events import (
    AnswerTimeoutError,
    APIError,
    AppClient,
    CustomerIOProcessor,
    ParamError,
    Pipeline,
    SendEmail,
    Track,
    TrackClient,
    TransactionalError,
    signals,
)
from cio_events.sandbox import Sandbox
from tests.contract.migration import GO, PYTHON, Row, Sent, markdown
from tests.contract.migration_node import NODE
from tests.contract.migration_pages import PAGES
from tests.contract.pages import DOCS, with_table
from tests.support.npm import NODE_CLIENT, installed
from tests.support.servers import Received, ScriptedServer, answer, stall

RECEIPT = answer(200, b'{"delivery_id":"abc","queued_at":1700000000}')

SENDING = [row for row in (*GO, *PYTHON, *NODE) if row.request is not None]
SENDING_PYTHON = [row for row in PYTHON if row.request is not None]

# What ``from cio_events import *`` brings.
PUBLIC = {name: getattr(cio_events, name) for name in cio_events.__all__}


def names(row: Row) -> str:
    """What a row is called in a test's name."""
    return re.split(r"[`(]", row.theirs.strip("`").removeprefix("request = "))[0]


def as_sent(received: Received) -> Sent:
    """What counts of a request."""
    parts = tuple(map(unquote, received.target.strip("/").split("/")))
    return Sent(received.method, parts, received.json if received.body else None)


def run(code: str, **known: Any) -> None:
    """Run a line of the tables."""
    exec(code, {**PUBLIC, **known})


def without_additions(sent: Sent, wanted: Sent) -> Sent:
    """*sent* without the id and the time of its own that a call of ours has."""
    body = sent.body
    if isinstance(body, dict) and isinstance(wanted.body, dict):
        extra = {"id", "timestamp", "_timestamp"} - set(wanted.body)
        body = {name: value for name, value in body.items() if name not in extra}
        if "batch" in body:
            body["batch"] = [
                {name: value for name, value in one.items() if name not in ("id", "timestamp")}
                for one in body["batch"]
            ]
    return Sent(sent.method, sent.path, body)


@pytest.mark.parametrize("row", SENDING, ids=names)
def test_the_line_for_now_sends_the_same(row: Row) -> None:
    """By method, path and body; what is different on purpose is noted."""
    assert row.request is not None
    wanted = row.ours or row.request
    with (
        ScriptedServer([RECEIPT]) as server,
        TrackClient("site", "key", url=server.url) as track,
        AppClient("key", url=server.url) as app,
    ):
        run(row.now, track=track, app=app)
    (received,) = server.requests

    assert without_additions(as_sent(received), wanted) == wanted
    assert row.ours is None or row.note


@pytest.mark.parametrize("row", SENDING, ids=names)
def test_the_line_for_the_log_sends_the_same(row: Row) -> None:
    """In the background, by the same API as theirs."""
    assert row.request is not None
    wanted = row.ours or row.request
    message = SendEmail(to="lucy@example.com", transactional_message_id=3, identifiers="5")
    message.attach("a.txt", "hi")
    with ScriptedServer([RECEIPT]) as server, logging_to(server, v1="v1" in wanted.path) as log:
        run(row.log, log=log, message=message)
    (received,) = server.requests

    assert without_additions(as_sent(received), wanted) == wanted


@contextlib.contextmanager
def logging_to(server: ScriptedServer, *, v1: bool) -> Iterator[Any]:
    """A logger whose tagged records are sent to *server* at the end of the block."""
    with Pipeline(
        site_id="site",
        api_key="key",
        app_api_key="key",
        track_url=server.url,
        app_url=server.url,
        api="v1" if v1 else "v2",
        strict=True,
    ) as pipeline:
        yield structlog.wrap_logger(
            structlog.ReturnLogger(),
            processors=[CustomerIOProcessor(pipeline), structlog.processors.JSONRenderer()],
        )
        assert pipeline.flush(20)
        assert pipeline.stats().sent == 1


@pytest.mark.parametrize("row", SENDING_PYTHON, ids=names)
def test_the_vendors_python_client_sends_what_the_table_says(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client itself is run."""
    vendor = pytest.importorskip("customerio")
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with (
        ScriptedServer([RECEIPT], tls=context) as server,
        vendor.CustomerIO("site", "key", host="localhost", port=server.port) as cio,
        vendor.APIClient("key", url=server.url) as api,
    ):
        exec(row.theirs, {**vars(vendor), "cio": cio, "api": api})
    (received,) = server.requests

    assert as_sent(received) == row.request


def test_every_function_of_the_vendors_python_client_has_a_row() -> None:
    """All that is public of both clients, and of a message."""
    vendor = pytest.importorskip("customerio")
    rows = " ".join(row.theirs for row in PYTHON)
    # Parts of the others, and of how a URL is made.
    internal = {"send_request", "setup_base_url", "is_valid_id_type", "http"}
    functions = {
        name
        for kind in (vendor.CustomerIO, vendor.APIClient, vendor.SendEmailRequest)
        for name in dir(kind)
        if not name.startswith("_") and not name.endswith("_query_string")
    } - internal
    requests_ = {name for name in vendor.__all__ if name.startswith("Send")}

    assert {name for name in functions if f".{name}(" not in rows} == set()
    assert {name for name in requests_ if name not in rows} == set()


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_have_the_tables(page: str) -> None:
    """As ``python -m tests.contract.migration_pages`` writes them."""
    text = (DOCS / page).read_text(encoding="utf-8")

    assert markdown(PAGES[page]) in text
    assert with_table(text, markdown(PAGES[page])) == text


# What go-customerio v3.5.1 exports, but for types that a function of these takes or gives.
GO_FUNCTIONS = {
    "NewTrackClient",
    "NewCustomerIO",
    "NewAPIClient",
    "WithRegion",
    "WithHTTPClient",
    "WithUserAgent",
    *(
        f"{verb}{context}"
        for verb in (
            "Identify",
            "Track",
            "TrackAnonymous",
            "Delete",
            "AddDevice",
            "DeleteDevice",
            "MergeCustomers",
        )
        for context in ("", "Ctx")
    ),
    "SendEmail",
    "SendEmailRequest.Attach",
    "SendPush",
    "NewDevice",
    "CustomerIOError",
    "TransactionalError",
    "ParamError",
}


def test_every_function_of_go_customerio_has_a_row() -> None:
    """By its name."""
    named = {name.partition("(")[0] for row in GO for name in re.findall(r"`([^`]+)`", row.theirs)}

    assert named >= GO_FUNCTIONS


def made(row_of: list[Row], theirs: str) -> Row:
    """The row of that name."""
    (row,) = (row for row in row_of if theirs in row.theirs)
    return row


def value_of(code: str, **known: Any) -> Any:
    """The value of an expression of the tables."""
    return eval(code, {**PUBLIC, **known})


@pytest.fixture
def calm_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the row."""
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith("CIO_"):
            monkeypatch.delenv(name)


ROWS_THAT_MAKE = [
    row for row in (*GO, *PYTHON, *NODE) if re.match(r"(TrackClient|AppClient)\(", row.now)
]


@pytest.mark.usefixtures("calm_environment")
@pytest.mark.parametrize("row", ROWS_THAT_MAKE, ids=names)
@pytest.mark.parametrize("way", ["now", "log"])
@pytest.mark.cio_live  # a name that is none of this machine's
def test_a_client_is_made(row: Row, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to the right host: seen by a proxy, which is asked for a tunnel there."""
    with ScriptedServer([answer(403)] * 2) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        session = requests.Session()
        session.headers["X-Mesh"] = "blue"
        maker = value_of(getattr(row, way), session=session)
        for_messages = "app" in row.now.lower().partition("(")[0]
        call = SendEmail(to="a@b.c", identifiers="5") if for_messages else Track("5", "x")
        with contextlib.suppress(cio_events.NoAnswerError):
            maker.send(call)
        if way == "log":
            maker.flush(0.5)
            maker.close(0.5)
        else:
            maker.close()
    host = ("api" if for_messages else "track") + ("-eu" if '"eu"' in row.now else "")

    assert proxy.requests[0].method == "CONNECT"
    assert proxy.requests[0].target == f"{host}.customer.io:443"


@pytest.mark.parametrize(
    ("theirs", "header", "value"),
    [
        ("`WithUserAgent`", "user-agent", "shop/1.0"),
        ("`WithHTTPClient`", "x-mesh", "blue"),
        ("`NewTrackClient`", "authorization", f"Basic {base64.b64encode(b'site:key').decode()}"),
        ("`NewAPIClient`", "authorization", "Bearer app key"),
    ],
)
def test_a_client_is_made_with_what_it_was_given(theirs: str, header: str, value: str) -> None:
    """On every request; the URL is another one here, to see it."""
    row = made(GO, theirs)
    with ScriptedServer([RECEIPT]) as server, requests.Session() as session:
        session.headers["X-Mesh"] = "blue"
        code = f"{row.now[:-1]}, url={server.url!r})"
        with value_of(code, session=session) as client:
            if isinstance(client, AppClient):
                client.send_email(SendEmail(to="a@b.c", identifiers="5"))
            else:
                client.delete("5")

    assert server.requests[0].headers[header] == value


VERBS: dict[str, Callable[[TrackClient], object]] = {
    "IdentifyCtx": lambda track: track.identify("5", timeout=0.3),
    "TrackCtx": lambda track: track.track("5", "x", timeout=0.3),
    "TrackAnonymousCtx": lambda track: track.track_anonymous("a", "x", timeout=0.3),
    "DeleteCtx": lambda track: run(made(GO, "IdentifyCtx").now, track=track),
    "AddDeviceCtx": lambda track: track.add_device("5", "t", "ios", timeout=0.3),
    "DeleteDeviceCtx": lambda track: track.delete_device("5", "t", timeout=0.3),
    "MergeCustomersCtx": lambda track: track.merge_customers("5", "6", timeout=0.3),
}


@pytest.mark.parametrize("function", VERBS)
def test_a_deadline_is_obeyed(function: str) -> None:
    """As a context's is in Go, and by deletes as well."""
    with (
        ScriptedServer([stall()]) as server,
        TrackClient("a", "b", url=server.url) as track,
        pytest.raises(AnswerTimeoutError),
    ):
        VERBS[function](track)


def test_errors_have_what_theirs_have() -> None:
    """Status, URL and body; status and what was said; the parameter."""
    steps = [answer(400, b"bad"), answer(400, b'{"meta":{"error":"bad"}}')]
    found: list[object] = []
    with ScriptedServer(steps) as server:
        track, app = TrackClient("a", "b", url=server.url), AppClient("key", url=server.url)
        for theirs, kind, act in (
            ("`CustomerIOError`", APIError, lambda: track.delete("5")),
            (
                "`TransactionalError`",
                TransactionalError,
                lambda: app.send_email(SendEmail(to="a@b.c", identifiers="5")),
            ),
            ("`ParamError`", ParamError, lambda: track.delete("")),
        ):
            clause, _, attributes = made(GO, theirs).now.partition(": ")
            assert clause == f"except {kind.__name__} as error"
            with pytest.raises(kind) as raised:
                act()
            values = value_of(attributes, error=raised.value)
            found += values if isinstance(values, tuple) else (values,)
        track.close()
        app.close()

    url = f"{server.url}/api/v1/customers/5"
    assert found == [400, url, b"bad", 400, "bad", "customer"]


def test_errors_are_told_by_a_signal() -> None:
    """In the log nothing raises."""
    told = []
    decorator = made(GO, "`ParamError`").log
    assert decorator == "@signals.failed.connect"

    def receive(_sender: object, report: cio_events.Report) -> None:
        told.append((report.reason, report.status))

    with (
        ScriptedServer([answer(400, b"bad")]) as server,
        Pipeline(site_id="a", api_key="b", track_url=server.url) as pipeline,
        signals.failed.connected_to(receive, sender=pipeline),
    ):
        pipeline.delete("")
        pipeline.delete("5")
        assert pipeline.flush(20)

    assert told == [("invalid", None), ("rejected", 400)]


def test_both_can_be_closed() -> None:
    """As theirs can."""
    row = made(PYTHON, "cio.close()")
    with ScriptedServer() as server:
        track = TrackClient("a", "b", url=server.url)
        track.delete("5")
        run(row.now, track=track)
        pipeline = Pipeline(site_id="a", api_key="b", track_url=server.url)
        pipeline.delete("6")
        run(row.log, pipeline=pipeline)

    assert len(server.requests) == 2
    assert pipeline.closed


RUN_NODE = """
const fs = require('fs');
Object.assign(globalThis, require('customerio-node'));
const [port, ca] = process.argv.slice(1);
const options = {port, ca: fs.readFileSync(ca), timeout: 20000};
const cio = new TrackClient('site', 'key', {...options, url: 'https://localhost/api/v1'});
const api = new APIClient('key', {...options, url: 'https://localhost/v1'});
let request;
(async () => {
  for (const line of JSON.parse(fs.readFileSync(0))) await eval(line);
})().catch((error) => { console.error(error); process.exit(1); });
"""


def test_the_vendors_node_client_sends_what_the_table_says(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The client itself is run, line after line."""
    modules = installed(NODE_CLIENT, pytestconfig)
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    rows = [row for row in NODE if row.request is not None]
    with ScriptedServer([RECEIPT] * len(rows), tls=context) as server:
        ended = subprocess.run(
            ["node", "-e", RUN_NODE, "--", str(server.port), str(tmp_path / "ca.pem")],
            input=json.dumps([row.theirs for row in rows]),
            env={**os.environ, "NODE_PATH": str(modules)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == 0, ended.stderr
    assert [as_sent(received) for received in server.requests] == [row.request for row in rows]


def test_both_columns_mean_the_same_person(sandbox: Sandbox) -> None:
    """By the shape of a text, as Customer.io reads it."""
    with (
        TrackClient("site", "key", url=sandbox.url) as track,
        Pipeline(site_id="site", api_key="key", track_url=sandbox.url) as pipeline,
    ):
        for who in ("lucy@example.com", "5"):
            track.identify(who, {"now": True})
            pipeline.identify(who, {"log": True})
        assert pipeline.flush(20)

    wanted = [{"now": True, "log": True}] * 2
    assert [dict(one.attributes) for one in sandbox.people] == wanted
