"""The fixtures beside what others bring: plugins of pytest's, and ways to capture logs."""

from __future__ import annotations

from inspect import signature

import pytest
import structlog
from structlog.testing import capture_logs

from tests.support.effort import THOROUGH
from tests.testing.suites import WITHOUT_OTHERS, Run, run_suite

# Each takes as long to begin as all tests take.
WORKERS = "-n2" if THOROUGH else "-n1"

INI = """
[pytest]
asyncio_mode = auto
structlog_keep = CustomerIOProcessor
DJANGO_SETTINGS_MODULE = settings
"""

SETTINGS = """
SECRET_KEY = "x"
ROOT_URLCONF = "urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
"""

URLS = """
from django.db import transaction
from django.http import HttpResponse
from django.urls import path

import app

def buy(request):
    app.log.info("purchase", cio_customer="5")
    return HttpResponse("thanks")

@transaction.atomic
def order(request):
    transaction.on_commit(lambda: app.log.info("ordered", cio_customer="5"))
    return HttpResponse("thanks")

urlpatterns = [path("buy", buy), path("order", order)]
"""

APP = """
import logging

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    logger_factory=structlog.ReturnLoggerFactory(),
)
log = structlog.get_logger()
plain = logging.getLogger("shop")
plain.setLevel(logging.INFO)
plain.addHandler(cio_events.CustomerIOHandler())
"""

SUITE = """
import asyncio
import inspect

import pytest
import structlog

import app
import cio_events


def test_caplog(cio, caplog):
    app.plain.info("purchase", extra={"cio_customer": "5", "price": 13.99})
    assert cio.tracked("purchase", exactly={"price": 13.99})
    assert caplog.messages == ["purchase"]


@pytest.mark.skipif(
    "processors" not in inspect.signature(structlog.testing.capture_logs).parameters,
    reason="this structlog takes none",
)
def test_capture_logs(cio):
    processors = [cio_events.CustomerIOProcessor()]
    with structlog.testing.capture_logs(processors=processors) as logs:
        app.log.info("purchase", cio_customer="5")
    cio.tracked("purchase")
    assert logs[0]["cio_event_id"] == cio.events[0].id


def test_pytest_structlog(cio, log):
    app.log.info("purchase", cio_customer="5")
    cio.tracked("purchase")
    assert log.has("purchase")


def test_django(cio, client):
    client.post("/buy")
    cio.tracked("purchase", customer="5")


@pytest.mark.django_db
def test_django_database(cio):
    from django.contrib.auth.models import User

    User.objects.create(username="lucy")
    app.log.info("signup", cio_customer="5")
    cio.tracked("signup")


@pytest.mark.django_db
def test_django_on_commit(cio, client, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/order")
    cio.tracked("ordered", customer="5")


@pytest.mark.django_db(transaction=True)
def test_django_commits(cio, client):
    client.post("/order")
    cio.tracked("ordered", customer="5")


@pytest.mark.django_db
def test_django_rolled_back(cio, client):
    client.post("/order")
    cio.tracked("ordered", customer="5")


async def test_asyncio(cio):
    async def buy(number):
        await app.log.ainfo("purchase", cio_customer=str(number))

    await asyncio.gather(*map(buy, range(5)))
    assert len(cio.tracked("purchase", times=5)) == 5
    assert "thread.py" not in cio.summary()


async def test_asyncio_blocked():
    cio_events.configure(site_id="a", api_key="b")
    await app.log.ainfo("purchase", cio_customer="5")


@pytest.mark.parametrize("number", range(4))
def test_sandbox(cio_sandbox, number):
    app.log.info(f"purchase {number}", cio_customer="5")
    cio_sandbox.wait_for(f"purchase {number}", timeout=20)
    assert len(cio_sandbox.events) == 1
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All plugins at once, on a worker of xdist's, or on two."""
    files = {
        "pytest.ini": INI,
        "settings.py": SETTINGS,
        "urls.py": URLS,
        "app.py": APP,
        "test_suite.py": SUITE,
        "without_rich.py": "import sys; sys.modules['rich'] = None  # structlog would import it",
    }
    plugins = (
        "without_rich",
        "pytest_asyncio.plugin",
        "pytest_structlog",
        "pytest_django.plugin",
        "xdist.plugin",
    )
    arguments = [part for plugin in plugins for part in ("-p", plugin)]
    return run_suite(tmp_path_factory.mktemp("others"), files, *arguments, WORKERS)


@pytest.mark.parametrize(
    "test",
    [
        *("test_caplog", "test_pytest_structlog", "test_django"),
        *("test_django_database", "test_django_on_commit", "test_django_commits", "test_asyncio"),
        pytest.param(
            "test_capture_logs",
            marks=pytest.mark.skipif(
                "processors" not in signature(capture_logs).parameters,
                reason="this structlog's capture_logs takes no processors",
            ),
        ),
        *(f"test_sandbox[{number}]" for number in range(4)),
    ],
)
def test_it_passes(run: Run, test: str) -> None:
    """With each."""
    assert run.tests[test].outcome == "passed", run.out


def test_what_waits_for_a_commit_is_said(run: Run) -> None:
    """In a test whose transaction is rolled back."""
    result = run.tests["test_django_rolled_back"]

    assert result.outcome == "failed"
    assert "no tagged record has arrived; why that may be:" in result.text
    assert "1 function waits for a commit (transaction.on_commit, database 'default')" in (
        result.text
    )
    assert "django_capture_on_commit_callbacks(execute=True) runs them" in result.text


def test_what_an_asynchronous_method_logs_is_blocked_too(run: Run) -> None:
    """And its line is known where structlog knows it, though another thread has sent it."""
    result = run.tests["test_asyncio_blocked"]

    assert result.outcome == "failed"
    remembers = hasattr(structlog.contextvars, "_ASYNC_CALLING_STACK")
    assert ("made at test_suite.py:" in result.text) == remembers
    assert "thread.py" not in result.text


def test_without_pytests_logging_and_with_coverage(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Nothing was imported before it was measured."""
    suite = """
    import app

    def test_plain(cio):
        app.plain.info("purchase", extra={"cio_customer": "5"})
        assert cio.tracked("purchase")
    """
    run = run_suite(
        tmp_path_factory.mktemp("covered"),
        {"app.py": APP, "test_a.py": suite},
        *("-p", "no:logging", "-p", "pytest_cov", "--cov=app", "--cov=cio_events.testing"),
    )

    assert run.code == 0, run.out
    assert "previously imported" not in run.out
    (line,) = [line for line in run.out.splitlines() if line.startswith("app.py")]
    assert line.endswith("100%")
    assert "recorder.py" in run.out


def test_no_trace_of_the_plugin_where_it_is_left_out(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """``-p no:cio_events`` leaves neither fixtures nor imports, though it is installed."""
    suite = """
    import os
    import sys

    def test_nothing(request):
        assert not [name for name in sys.modules if "cio_events" in name]
        assert "CIO_ONLY_LOOPBACK" not in os.environ

    def test_fixture(cio):
        pass
    """
    run = run_suite(
        tmp_path_factory.mktemp("without"),
        {"test_a.py": suite},
        *("-p", "no:cio_events", *WITHOUT_OTHERS),
        fresh=True,
        plugin=False,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="",
    )

    assert run.tests["test_nothing"].outcome == "passed", run.out
    assert run.tests["test_fixture"].outcome == "error"
    assert "fixture 'cio' not found" in run.out
