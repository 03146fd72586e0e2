"""
Nothing leaves the machine in a user's tests: seen in each Python, and as packets from outside.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support import outside
from tests.support.scripts import environment, run_python
from tests.testing.suites import Run, run_suite

# In each Python that starts below: who is looked up and connected to is written down.
WATCH = """
import json, os, sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        found = arguments[0]
    elif event == "socket.connect":
        found = arguments[1][0] if isinstance(arguments[1], tuple) else None
    else:
        return
    if found is not None and "WATCHED" in os.environ:
        with open(os.environ["WATCHED"], "a") as file:
            file.write(json.dumps(str(found)) + "\\n")

sys.addaudithook(watch)
"""

APP = """
import structlog
import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    logger_factory=structlog.ReturnLoggerFactory(),
)
log = structlog.get_logger()

def buy():
    log.info("purchase", cio_customer="5", secret="s3cret")
"""

SUITE = """
import multiprocessing
import os
import subprocess
import sys
import threading
import unittest
from unittest.mock import patch

import pytest
import requests

import app
import cio_events
from cio_events import NoAnswerError


def test_default_pipeline():
    app.buy()


def test_own_pipeline_with_credentials_in_code():
    pipeline = cio_events.Pipeline(site_id="a", api_key="b", region="eu", spool="spool")
    pipeline.identify("5", {"secret": "s3cret"})
    assert pipeline.flush(30)
    assert pipeline.close(30)
    assert pipeline.stats().dropped_by_reason == {"disabled": 1}


def test_message():
    cio_events.get_pipeline().send(
        cio_events.SendEmail(transactional_message_id=3, identifiers="5", to="s3cret@example.com")
    )


@pytest.mark.parametrize("options", [
    {"api": "v1"}, {"on_full": "block"}, {"before_send": lambda call: call}, {"timeout": 1}
])
def test_pipeline_with(options):
    cio_events.Pipeline(**options).track("5", "purchase")


def test_thread():
    thread = threading.Thread(target=app.buy)
    thread.start()
    thread.join()


def test_loopback_by_a_proxy_elsewhere():
    session = requests.Session()
    session.proxies = {"http": "http://proxy.example:3128"}
    cio_events.Pipeline(
        site_id="a", api_key="b", track_url="http://127.0.0.1:9", session=session
    ).track("5", "purchase")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4a"])
def test_socks_is_no_way_out(monkeypatch, variable, scheme):
    monkeypatch.setenv(variable, f"{scheme}://proxy.example:1080")
    with pytest.raises(NoAnswerError, match="to proxy.example"):
        cio_events.TrackClient("a", "b", url="http://127.0.0.1:9").delete("5")
    monkeypatch.setenv(variable, f"{scheme}://127.0.0.1:9")
    with pytest.raises(NoAnswerError, match="to track.customer.io"):
        cio_events.TrackClient("a", "b").delete("5")


def test_socks_of_a_pipeline(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5h://proxy.example:1080")
    cio_events.Pipeline(site_id="a", api_key="b", track_url="http://127.0.0.1:9").track("5", "x")


def test_socks_of_a_session():
    session = requests.Session()
    session.proxies = {"all": "socks5://203.0.113.9:1080"}
    pipeline = cio_events.Pipeline(
        site_id="a", api_key="b", track_url="http://localhost:9", session=session
    )
    pipeline.track("5", "purchase")


def test_socks_by_loopback_to_loopback(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://localhost:9")
    with pytest.raises(NoAnswerError, match="no connection"):
        cio_events.TrackClient("a", "b", url="http://127.0.0.1:9").delete("5")


@pytest.fixture
def buyer():
    app.buy()


def test_fixture(buyer):
    pass


@pytest.fixture
def late_buyer():
    yield
    app.buy()


def test_teardown(late_buyer):
    pass


class Case(unittest.TestCase):
    def test_of_unittest(self):
        app.buy()


def test_that_fails_otherwise():
    app.buy()
    assert 1 == 2


def test_client():
    with pytest.raises(NoAnswerError) as caught:
        cio_events.TrackClient("a", "b").track("5", "purchase", {"secret": "s3cret"})
    text = str(caught.value)
    assert "track \\"purchase\\"" in text and "track.customer.io" in text
    assert "test_suite.py:" in text and "s3cret" not in text
    assert not caught.value.maybe_received


def test_messages_client():
    with pytest.raises(NoAnswerError, match="send_email: a request was not sent to api"):
        cio_events.AppClient("a").send_email(
            cio_events.SendEmail(transactional_message_id=3, identifiers="5", to="a@example.com")
        )


def test_batch_and_region():
    client = cio_events.TrackClient("a", "b")
    with pytest.raises(NoAnswerError, match="a batch of 1 call.*: a request was not sent"):
        client.batch([cio_events.Track("5", "purchase")])
    with pytest.raises(NoAnswerError, match="region: a request was not sent"):
        client.region()


def test_proxy_is_no_way_out(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(NoAnswerError, match="to track.customer.io"):
        cio_events.TrackClient("a", "b").delete("5")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    with pytest.raises(NoAnswerError, match="to proxy.example"):
        cio_events.TrackClient("a", "b", url="http://127.0.0.1:9").delete("5")


def test_environment_is_emptied():
    with patch.dict(os.environ, {}, clear=True):
        with pytest.raises(NoAnswerError, match="track.customer.io"):
            cio_events.TrackClient("a", "b").delete("5")


CHILD = '''
import cio_events
pipeline = cio_events.configure(site_id="a", api_key="b", exit_timeout=0)
pipeline.track("5", "purchase")
print(pipeline.stats().dropped_by_reason)
try:
    cio_events.TrackClient("a", "b").delete("5")
except cio_events.NoAnswerError as error:
    print(error)
'''


def test_child():
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    assert "{'disabled': 1}" in child.stdout
    assert "delete: a request was not sent to track.customer.io" in child.stdout


def say(queue):
    pipeline = cio_events.Pipeline(site_id="a", api_key="b")
    pipeline.track("5", "purchase")
    queue.put(pipeline.stats().dropped_by_reason)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method):
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    process = context.Process(target=say, args=(queue,))
    process.start()
    assert queue.get() == {"disabled": 1}
    process.join()


@pytest.mark.cio_live
def test_live():
    with pytest.raises(NoAnswerError, match="no connection"):
        cio_events.TrackClient("a", "b", url="http://live.invalid").delete("5")


@pytest.mark.cio_live
@pytest.mark.skipif("SEEN" not in os.environ, reason="nobody would see it")
def test_live_address():
    with pytest.raises(NoAnswerError, match="no connection"):
        cio_events.TrackClient("a", "b", url="http://203.0.113.7:443").delete("5")


def test_behind_a_live_one():
    with pytest.raises(NoAnswerError, match="loopback alone"):
        cio_events.TrackClient("a", "b", url="http://behind.invalid").delete("5")


def test_loopback():
    from cio_events.sandbox import Sandbox

    with Sandbox() as sandbox, cio_events.Pipeline(track_url=sandbox.url) as pipeline:
        pipeline.track("5", "purchase")
        assert pipeline.flush()
        assert [event.name for event in sandbox.events] == ["purchase"]


def test_without_credentials(monkeypatch):
    monkeypatch.delenv("CIO_SITE_ID")
    pipeline = cio_events.Pipeline()
    pipeline.track("5", "purchase")
    assert pipeline.stats().dropped_by_reason == {"unconfigured": 1}


def test_recorded(cio):
    app.buy()
    assert cio.tracked("purchase")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the suite is."""
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    """The suite, watched."""
    files = {"sitecustomize.py": WATCH, "app.py": APP, "test_suite.py": SUITE}
    variables = {"WATCHED": str(home / "watched"), "RES_OPTIONS": "timeout:1 attempts:1"}
    inside = outside.namespace()
    if inside is None:
        return run_suite(home, files, fresh=True, **variables)
    inside += [sys.executable, "-m", "tests.support.outside", str(home / "seen")]
    return run_suite(home, files, inside=inside, SEEN="yes", **variables)


BLOCKED = {
    "test_default_pipeline": ('track "purchase"', "track.customer.io", "app.py:12"),
    "test_own_pipeline_with_credentials_in_code": ("identify", "track-eu.customer.io", "test_su"),
    "test_message": ("send_email", "api.customer.io", "test_suite.py:"),
    "test_pipeline_with[options0]": ('track "purchase"', "track.customer.io", "test_suite.py:"),
    "test_pipeline_with[options1]": ('track "purchase"', "track.customer.io", "test_suite.py:"),
    "test_pipeline_with[options2]": ('track "purchase"', "track.customer.io", "test_suite.py:"),
    "test_pipeline_with[options3]": ('track "purchase"', "track.customer.io", "test_suite.py:"),
    "test_thread": ('track "purchase"', "track.customer.io", "app.py:12"),
    "test_loopback_by_a_proxy_elsewhere": ('track "purchase"', "proxy.example", "test_suite.py:"),
    "test_socks_of_a_pipeline": ('track "x"', "proxy.example", "test_suite.py:"),
    "test_socks_of_a_session": ('track "purchase"', "203.0.113.9", "test_suite.py:"),
    "test_of_unittest": ('track "purchase"', "track.customer.io", "app.py:12"),
    "test_that_fails_otherwise": ("assert 1 == 2", "Customer.io calls", "app.py:12"),
}


@pytest.mark.parametrize("test", BLOCKED)
def test_a_blocked_call_fails_the_test_that_made_it(run: Run, test: str) -> None:
    """Naming the call's kind, the host and the line, and never the payload."""
    result = next(found for name, found in run.tests.items() if test.endswith(name))

    assert result.outcome == "failed"
    for part in BLOCKED[test]:
        assert part in result.text
    assert "s3cret" not in result.text


@pytest.mark.parametrize("test", ["test_fixture", "test_teardown"])
def test_so_does_one_of_a_fixture(run: Run, test: str) -> None:
    """Before and behind the test."""
    assert run.tests[test].outcome == "error"
    assert "track.customer.io" in run.tests[test].text


@pytest.mark.parametrize(
    "test",
    [
        *("test_client", "test_messages_client", "test_batch_and_region"),
        *("test_proxy_is_no_way_out", "test_environment_is_emptied", "test_child"),
        *(
            f"test_socks_is_no_way_out[{scheme}-{variable}]"
            for scheme in ("socks5", "socks5h", "socks4a")
            for variable in ("HTTP_PROXY", "ALL_PROXY")
        ),
        "test_socks_by_loopback_to_loopback",
        *("test_multiprocessing[fork]", "test_multiprocessing[spawn]"),
        *("test_live", "test_behind_a_live_one"),
        *("test_loopback", "test_without_credentials", "test_recorded"),
    ],
)
def test_the_others_pass(run: Run, test: str) -> None:
    """Clients raise, children are bound, loopback is free, and a mark lets out."""
    assert run.tests[test].outcome == "passed", run.out


def test_nobody_but_loopback_was_looked_up_or_connected_to(run: Run, home: Path) -> None:
    """But for the one test that may."""
    found = {json.loads(line) for line in (home / "watched").read_text().splitlines()}

    assert run.tests
    live = {"live.invalid", *(["203.0.113.7"] if (home / "seen").exists() else [])}
    assert found - {"127.0.0.1", "localhost", "::1"} == live
    assert not any(path.stat().st_size for path in (home / "spool").glob("*"))


def test_no_packet_went_further_than_loopback(run: Run, home: Path) -> None:
    """But those of the two tests that may: children and whatever is no Python's are seen too."""
    if not (home / "seen").exists():
        pytest.skip("no network namespace can be made here, which root can with unshare and ip")
    seen = outside.read(home / "seen")

    assert run.tests["test_live_address"].outcome == "passed"
    assert {name.partition("invalid")[0] for name in seen.names} == {"live."}, seen
    assert seen.hosts == {"203.0.113.7"}


SCRIPT = """
import os, sys
import cio_events
if sys.argv[1:]:
    from cio_events.testing import only_loopback
    only_loopback()
pipeline = cio_events.configure(site_id="a", api_key="b")
pipeline.track("5", "purchase", {"secret": "s3cret"})
print(pipeline.stats().dropped_by_reason, os.environ["CIO_ONLY_LOOPBACK"])
try:
    cio_events.TrackClient("a", "b").delete("5")
except cio_events.NoAnswerError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("arguments", "variables"), [(["call"], {}), ([], {"CIO_ONLY_LOOPBACK": "1"})]
)
def test_scripts_can_be_bound(
    arguments: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    """By a call, or by the environment."""
    out, err = run_python(
        "-W", "default", "-c", SCRIPT, *arguments, env=environment(**variables), cwd=tmp_path
    )

    assert out.splitlines()[0] == "{'disabled': 1} 1"
    assert "delete: a request was not sent to track.customer.io" in out
    assert 'a call is dropped: track "purchase" was not sent to track.customer.io' in err
    assert "s3cret" not in err
