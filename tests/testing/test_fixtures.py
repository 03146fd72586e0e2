"""The fixtures in suites of their own: what passes, what fails, and what is then read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.testing.suites import Run, run_suite

APP = """
import structlog
import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    logger_factory=structlog.ReturnLoggerFactory(),
    cache_logger_on_first_use=True,
)
cio_events.configure(site_id="imported", api_key="imported", hidden=["internal"])
log = structlog.get_logger()
bound = log.bind(shop="socks")
log.info("cached")
"""

SUITE = """
import pytest

import app
import cio_events
from cio_events.testing import Recorder


def test_asserts(cio):
    app.log.info("purchase", cio_customer="5", price=13.99, internal=1)
    app.bound.info("refund", cio_customer="5")
    assert cio.tracked("purchase", customer="5", exactly={"price": 13.99})
    assert cio.tracked("refund", shop="socks")
    assert cio.not_tracked("signup")


def test_starts_afresh(cio):
    assert cio.nothing()


def test_all_assertions(cio):
    app.log.info("signup", cio_customer="5")
    app.log.info("x", cio="identify", cio_customer="5", plan="free")
    app.log.info("x", cio="add_device", cio_customer="5", cio_device="t0k3n", cio_platform="ios")
    app.log.info("purchase", cio_customer="5", type="sock")
    assert [call.tag for call in cio.in_order("signup", cio_events.AddDevice, "purchase")]
    assert cio.identified("5", plan="free").attributes == {"plan": "free"}
    assert cio.called(cio_events.AddDevice, platform="ios").device_id == "t0k3n"
    assert len(cio.tracked("purchase", times=1, exactly={"type": "sock"})) == 1
    assert cio.people == {"5": {"plan": "free"}}
    assert [event.name for event in cio.events] == ["signup", "purchase"]
    cio.clear()
    assert cio.nothing()


def test_failures_and_wrong_records(cio):
    failed = []

    def note(sender, report):
        failed.append((report.call.name if report.call else None, report.reason, report.status))

    cio_events.signals.failed.connect(note)
    cio.fail_next("rejected", status=400)
    app.log.info("purchase", cio_customer="5")
    with cio.lenient():
        app.log.info("purchase", cio_customer=None)
    app.log.info("refund", cio_customer="5")
    assert failed == [("purchase", "rejected", 400), (None, "invalid", None)]
    assert [event.name for event in cio.events] == ["purchase", "refund"]


def test_snapshot(cio):
    found = []
    for _ in range(2):
        with Recorder(seed=7) as seeded:
            app.log.info("purchase", cio_customer="5")
            app.log.info("refund", cio_customer="5")
        found.append([(event.id, event.timestamp) for event in seeded.events])
    assert found[0] == found[1]
    assert found[0][0] < found[0][1]
    assert cio.nothing()


def test_out_of_order(cio):
    app.log.info("purchase", cio_customer="5")
    app.log.info("signup", cio_customer="5")
    cio.in_order("signup", "purchase")


def test_raises_at_the_line(cio):
    app.log.info("purchase", cio_customer=None)


def test_fails(cio):
    for number in range(30):
        app.log.info(f"event {number}", cio_customer="5", price=number)
    cio.tracked("purchase")


def test_fails_otherwise(cio):
    app.log.info("purchase", cio_customer="5", price=13.99)
    assert 1 == 2


def test_unasserted(cio):
    app.log.info("purchase", cio_customer="5")
    app.log.info("refund", cio_customer="5")
    cio.tracked("purchase")


def test_asked_to_be_strict(cio):
    cio.strict()
    app.log.info("purchase", cio_customer="5")


def test_sandbox(cio_sandbox):
    app.log.info("purchase", cio_customer="5", price=13.99)
    own = cio_events.Pipeline(enabled=False, flush_interval=3600)
    own.track("5", "own")
    event = cio_sandbox.wait_for("purchase", customer="5", timeout=20)
    assert event.data == {"price": 13.99}
    assert cio_sandbox.wait_for("own", timeout=20).customer == "5"


def test_sandbox_leaves_some_pending(cio_sandbox):
    cio_sandbox.fail_next(503, times=None)
    app.log.info("late", cio_customer="5")


def test_sandbox_is_a_workspace_of_its_own(cio_sandbox):
    app.log.info("other", cio_customer="5")
    cio_sandbox.wait_for("other", timeout=20)
    assert [event.name for event in cio_sandbox.events] == ["other"]


def test_sandbox_fails(cio_sandbox):
    app.log.info("purchase", cio_customer="5", price=14.99)
    cio_sandbox.wait_for("purchase", timeout=20)
    cio_sandbox.wait_for("purchase", customer="5", price=13.99, timeout=0)


def test_sandbox_refuses(cio_sandbox):
    app.log.info("x", cio=cio_events.Identify({"email": "lucy at example.com"}))
    cio_events.get_pipeline().flush(20)
    cio_sandbox.wait_for("purchase", timeout=0)


def test_sandbox_and_a_wrong_record(cio_sandbox):
    app.log.info("purchase", cio_customer=None)
    app.log.info("refund", cio_custmer="5")
    cio_sandbox.wait_for("purchase", timeout=0)


def test_sandbox_and_a_recorder(cio_sandbox, cio):
    app.log.info("purchase", cio_customer="5")
    cio_sandbox.wait_for("purchase", timeout=0)


def test_sandbox_and_no_record(cio_sandbox):
    cio_sandbox.wait_for("purchase", timeout=0)


def test_compared(cio):
    app.log.info("purchase", cio_customer="5", price=14.99)
    assert cio.calls == [cio_events.Track("5", "purchase", {"price": 13.99})]


def test_sandbox_messages(cio_sandbox):
    app.log.info("x", cio=cio_events.SendEmail(
        transactional_message_id=3, identifiers="5", to="lucy@example.com"
    ))
    assert cio_events.get_pipeline().flush(20)
    assert [message.fields["to"] for message in cio_sandbox.messages] == ["lucy@example.com"]


def test_no_fixture():
    pass


@pytest.mark.cio_live
def test_live():
    with pytest.raises(cio_events.NoAnswerError, match="may reach loopback alone"):
        cio_events.TrackClient("a", "b").delete("5")
"""

SANDBOX_SAYS = {
    "test_sandbox_and_a_wrong_record": (
        "a call is not sent: cio_customer: must not be None (record",
        'the record "refund" was not captured, since it has neither',
    ),
    "test_sandbox_and_a_recorder": ("a Recorder is open (the fixture cio is one), which takes",),
    "test_sandbox_and_no_record": ("no tagged record has arrived, though CustomerIOProcessor is",),
}

STRICT = """
[pytest]
cio_strict = true
addopts = --strict-config --strict-markers
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The suite as it is."""
    files = {"app.py": APP, "test_suite.py": SUITE}
    return run_suite(tmp_path_factory.mktemp("suite"), files, "-k", "not live")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The suite with the ini option."""
    files = {"app.py": APP, "test_suite.py": SUITE, "pytest.ini": STRICT}
    return run_suite(
        tmp_path_factory.mktemp("strict"),
        files,
        *("-v", "-k", "not sandbox"),
        CIO_ONLY_LOOPBACK="1",
    )


PASSES = (
    *("test_asserts", "test_starts_afresh", "test_unasserted", "test_no_fixture"),
    *("test_sandbox", "test_sandbox_leaves_some_pending", "test_sandbox_messages"),
    "test_sandbox_is_a_workspace_of_its_own",
    *("test_all_assertions", "test_failures_and_wrong_records", "test_snapshot"),
)


@pytest.mark.parametrize("test", PASSES)
def test_it_passes(run: Run, test: str) -> None:
    """With loggers that were cached or bound at import, and a pipeline that was made then."""
    assert run.tests[test].outcome == "passed", run.out


def test_a_wrong_record_raises_at_its_line(run: Run) -> None:
    """In the application's code."""
    result = run.tests["test_raises_at_the_line"]

    assert result.outcome == "failed"
    assert "ParamError: cio_customer: must not be None" in result.text
    assert 'app.log.info("purchase", cio_customer=None)' in result.text


def test_what_came_too_early_is_said(run: Run) -> None:
    """And in which order all came."""
    text = run.tests["test_out_of_order"].text

    assert "no call, behind tracked('signup'): tracked('purchase')" in text
    assert 'the order was: track "purchase", track "signup"' in text
    assert 'there is one before: track "purchase" of 5, at test_suite.py:' in text


def test_a_failing_assertion_points_to_the_test(run: Run) -> None:
    """And not into the recorder; the report shows calls, the text those in short."""
    text = run.tests["test_fails"].text

    assert 'cio.tracked("purchase")' in text
    assert "recorder.py" not in text
    assert '1 track "event 0"' in text
    section = text.partition("Customer.io calls")[2]
    assert section.count("track ") == 20
    assert "… and 10 more (pytest -v shows all)" in section


@pytest.mark.parametrize("test", SANDBOX_SAYS)
def test_the_sandbox_says_why_a_record_made_no_call(run: Run, test: str) -> None:
    """As a recorder does, of what this test has logged."""
    assert run.tests[test].outcome == "failed"
    for part in SANDBOX_SAYS[test]:
        assert part in run.tests[test].text


def test_calls_that_are_compared_are_shown_by_what_differs(run: Run) -> None:
    """Where pytest would show their reprs, which are the same."""
    text = run.tests["test_compared"].text

    assert "assert 1 call == 1 call" in text
    assert "[0] data.price: expected 13.99, was 14.99" in text
    assert "<Track" not in text


def test_the_report_of_any_failure_has_the_calls(run: Run) -> None:
    """Whole, with where they were made."""
    text = run.tests["test_fails_otherwise"].text

    assert re.search(
        r"-+ Customer.io calls -+\n  track \"purchase\" of 5 \{'price': 13.99\}, at test", text
    )


def test_what_is_left_unasserted_fails_where_that_is_asked_for(run: Run, strict: Run) -> None:
    """By the ini, or by a call; the calls are listed."""
    asked = run.tests["test_asked_to_be_strict"]
    assert asked.outcome == strict.tests["test_unasserted"].outcome == "failed"
    assert '1 call was not asserted:\n  track "purchase" of 5' in asked.text
    assert (
        '1 call was not asserted:\n  track "refund" of 5' in strict.tests["test_unasserted"].text
    )
    assert strict.tests["test_unasserted"].text.count("was not asserted") == 1
    assert (
        strict.tests["test_asserts"].outcome == strict.tests["test_no_fixture"].outcome == "passed"
    )


def test_the_mark_does_not_lift_what_the_environment_binds(strict: Run) -> None:
    """As a CI job has it for all that it runs."""
    assert strict.tests["test_live"].outcome == "passed", strict.out


def test_verbose_shows_all_calls(strict: Run) -> None:
    """With ``-v``."""
    text = strict.tests["test_fails"].text

    assert "all calls:" in text
    assert 'track "event 29" of 5' in text


def test_the_sandbox_says_what_is_nearest_and_what_was_refused(run: Run) -> None:
    """Where an event does not arrive."""
    near, refused = run.tests["test_sandbox_fails"], run.tests["test_sandbox_refuses"]

    assert near.outcome == refused.outcome == "failed"
    assert "not within 0 s: wait_for('purchase', customer='5', price=13.99)" in near.text
    assert "price: expected 13.99, was 14.99" in near.text
    assert "the sandbox says: identifiers.email is not" in refused.text
    title, near_section = near.text.partition("Customer.io sandbox")[1:]
    assert (title, near_section.splitlines()[1]) == (
        "Customer.io sandbox",
        '  event "purchase" of 5: accepted',
    )
    said = "identify of lucy at example.com: refused; identifiers.email is not an e-mail address"
    assert said in refused.text


COST = """
import pytest, sys, time
for _ in range(3):
    sys.modules.pop("pytest_cio_events", None)
    before = set(sys.modules)
    start = time.process_time()
    import pytest_cio_events
    took = time.process_time() - start
    print(took, sorted(set(sys.modules) - before))
"""


def test_the_entry_point_imports_pytest_alone() -> None:
    """In at most five milliseconds; the fastest of a few is what it costs."""
    from tests.support.scripts import environment, run_python

    out, _ = run_python("-c", COST, env=environment())
    runs = [line.split(maxsplit=1) for line in out.splitlines()]

    assert {found.strip() for _, found in runs} == {"['pytest_cio_events']"}
    assert min(float(took) for took, _ in runs) <= 0.005


def test_collection_imports_nothing_of_ours(tmp_path: Path) -> None:
    """And without the plugin, nothing is left of it."""
    suite = """
    import os, sys

    def test_nothing():
        assert "cio_events" not in sys.modules
        assert os.environ["CIO_ONLY_LOOPBACK"] == "pytest"

    def test_more(request):
        assert not any("structlog" in name or "requests" == name for name in sys.modules)
    """
    without = """
    import os, sys

    def test_nothing(pytestconfig):
        assert not any("cio_events" in name for name in sys.modules)
        assert "CIO_ONLY_LOOPBACK" not in os.environ
        assert not any("cio" in one for one in pytestconfig.getini("markers"))
    """
    assert run_suite(tmp_path, {"test_a.py": suite}, fresh=True).code == 0
    done = run_suite(tmp_path, {"test_a.py": without}, fresh=True, plugin=False)
    assert done.code == 0, done.out
