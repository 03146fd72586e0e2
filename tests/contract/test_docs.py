"""
The documentation's word: its examples and tables, and the README's, are what the library does.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest

import cio_events
from cio_events.sandbox import Sandbox
from cio_events.signals import DroppedReason, FailedReason
from tests.contract import findings
from tests.contract.options import updated
from tests.contract.pages import PAGES, SECTIONS, blocks, table
from tests.support.nursery import Child
from tests.support.scripts import SECONDS, environment, run_code


@dataclass
class Outcome:
    """
    What Customer.io knows after a section's examples ran one after the other.

    Attributes:
        events: Whose, name and data; in order for each, since between customers there is none.

        people: Their attributes, by what they are called.

        objects: Who belongs to each, by its id.

        messages: The kind of each, and its template.
    """

    events: list[tuple[str | None, str, dict[str, Any]]] = field(default_factory=list)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, set[str]] = field(default_factory=dict)
    messages: list[tuple[str, int | str]] = field(default_factory=list)


SOCKS = {"price": 13.99}
PURCHASE = Outcome([("5", "purchase", SOCKS)], {"5": {}})

OUTCOMES = {
    "README#structlog": Outcome([("5", "purchase", SOCKS)], {"5": {"email": "lucy@example.com"}}),
    "README#logging": PURCHASE,
    "README#Credentials": Outcome(),
    "index#Your first event in two minutes": PURCHASE,
    "structlog#The name of the event": PURCHASE,
    "structlog": Outcome([("5", "purchase", SOCKS)], {"5": {"email": "lucy@example.com"}}),
    "logging": PURCHASE,
    "loguru": Outcome(
        [
            ("5", "purchase", SOCKS),
            ("5", "shipped", {"product": "socks"}),
            ("5", "purchase", {}),
            ("6", "purchase", {"price": 21.5}),
        ],
        {"5": {}, "6": {}},
    ),
    "logging#Who is asking": PURCHASE,
    "tags": Outcome(
        [
            ("5", "/pricing", {"referrer": "ad"}),
            ("5", "refund", SOCKS),
            (None, "added to cart", {"product": "socks"}),
        ],
        {"5": {}},
    ),
    "tags#What is sent": Outcome(
        [("5", "order", {"product": "socks", "cio_customer": "6"})], {"5": {}}
    ),
    "tags#Who is asking": PURCHASE,
    "calls": Outcome(
        [("5", "purchase", SOCKS), ("5", "purchase", SOCKS)],
        {"5": {}, "lucy@example.com": {"plan": "free"}},
    ),
    "calls#Objects": Outcome(people={"5": {}, "6": {}}, objects={"acme": {"5", "6"}}),
    "calls#Manual segments": Outcome(),
    "calls#What has no call yet": Outcome([("5", "purchase", {})] * 2, {"5": {}}),
    "messages": Outcome(messages=[("email", 3), ("push", "shipped")]),
    "messages#Attachments": Outcome(messages=[("email", "receipt")]),
    "clients": Outcome(
        [("5", "purchase", SOCKS), ("6", "signup", {})],
        {"5": {"email": "lucy@example.com"}},
        messages=[("email", 3)],
    ),
    "signals": Outcome(),
    "options#Filter and change calls": PURCHASE,
    "spool": PURCHASE,
    "spool#What failed for good": Outcome(),
    "relay#Publish to it": Outcome(),
    "relay#Several partitions": Outcome(),
    "deployment/index#How a process ends": Outcome(),
    "deployment/lambda": PURCHASE,
    "doctor#From code": Outcome(),
    # These assert for themselves, against sandboxes of their own.
    "testing#Without pytest's fixtures": Outcome(),
    "sandbox#From Python": Outcome(),
    "sandbox#What it explains": Outcome(),
}

# What the examples of a section may take for granted.
PRELUDE = """
import os
import structlog
import cio_events
from cio_events import Track
from cio_events._http import endpoint as http

http.TRACK_URLS["us"] = http.APP_URLS["us"] = os.environ["CIO_TRACK_URL"]

structlog.configure(
    processors=[
        cio_events.CustomerIOProcessor(),
        structlog.contextvars.merge_contextvars,
        structlog.processors.JSONRenderer(),
    ],
)
log = structlog.get_logger()
"""

# These bring all that they need.
STANDS_ALONE = {
    "README#structlog",
    "README#logging",
    "index#Your first event in two minutes",
    "structlog",
    "logging",
    "logging#Who is asking",
}


@pytest.mark.parametrize("section", OUTCOMES)
def test_the_examples_do_what_they_say(section: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """
    A section's Python, in a process of its own, leaves these events and people at Customer.io.
    """
    code = "\n".join(blocks(section, "python"))
    code = code if section in STANDS_ALONE else PRELUDE + code

    run_code(code, env=environment(sandbox), cwd=tmp_path)

    expected = OUTCOMES[section]
    found = [(event.customer, event.name, event.data) for event in sandbox.events]
    assert sorted(found, key=lambda event: str(event[0])) == expected.events
    assert {person.name: person.attributes for person in sandbox.people} == expected.people
    related = {
        one.object_id: {end.customer for end in one.relationships} for one in sandbox.objects
    }
    assert related == expected.objects
    sent = [(one.kind, one.fields["transactional_message_id"]) for one in sandbox.messages]
    assert sent == expected.messages
    assert {request.status for request in sandbox.requests} <= {200}


def test_every_example_is_run() -> None:
    """No Python of the pages is left out; suites of tests are run in ``tests/testing``."""
    run_elsewhere = {
        "testing",
        "testing#unittest",
        "testing#Django",
        "testing#A sandbox for tests",
        "README#Test it",
    }
    with_python = {section for section in SECTIONS if blocks(section, "python")}
    assert with_python == {*OUTCOMES, *run_elsewhere}


# Runs a file as a script.
FILE = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"


def test_the_quickstart_prints_what_is_shown() -> None:
    """The captured run is a run, but for the ids."""
    (shown,) = blocks("quickstart", "text")

    out, _ = run_code(FILE, "examples/quickstart.py", env=environment())

    assert re.sub(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", "01M89…", out) == shown


COMMAND = "from cio_events.__main__ import main; main()"

REFUSED = """
import cio_events
pipeline = cio_events.configure(spool="spool")
pipeline.identify(cio_events.Identifier("lucy at example.com", "email"), {"plan": "free"})
"""


def test_the_commands_of_a_spool_print_what_is_shown(sandbox: Sandbox, tmp_path: Path) -> None:
    """The captured run is a run, but for the id and the times."""
    (shown,) = blocks("spool#From the shell", "text")
    env = environment(sandbox, TZ="UTC", COLUMNS="100")
    run_code(REFUSED, env=env, cwd=tmp_path)
    varying = {
        r"\b01[0-9A-HJKMNP-TV-Z]{24}\b": "",
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "",
        r"\b\d{10}\b": "",
        # The sandbox's port is part of the workspace.
        r"\b[0-9a-f]{16}\.[0-9a-f]+": "",
        r"(?<=│ )[0-9a-f]{8}(?=  │)": "",
    }
    for pattern in varying:
        found = re.search(pattern, shown)
        assert found is not None
        varying[pattern] = found[0]

    printed, id_ = "", ""
    for line in re.findall(r"^\$ cio-events (.*)$", shown, re.MULTILINE):
        words = [id_ if word.startswith("01") else word for word in line.split()]
        out, _ = run_code(COMMAND, *words, env=env, cwd=tmp_path)
        id_ = id_ or re.findall(r"\b01\w{24}\b", out)[0]
        printed += f"$ cio-events {line}\n{out}"
    for pattern, example in varying.items():
        printed = re.sub(pattern, example, printed)
    assert printed == shown


FIRST = "index#Your first event in two minutes"


def test_the_first_event_is_sent_in_the_steps_that_are_shown(tmp_path: Path) -> None:
    """
    The sandbox of the first page prints what is shown, and the file that is to be saved uses it.
    """
    (shown,) = blocks(FIRST, "console")
    (first,) = blocks(FIRST, "python")
    (tmp_path / "first.py").write_text(first, encoding="utf-8")
    command, *lines = shown.splitlines()
    assert command == "$ cio-events sandbox"
    sandbox = Child(COMMAND, ["sandbox", "--port", "0"], env=environment())
    with sandbox:
        try:
            printed = [next(sandbox.stdout).rstrip("\n") for _ in lines]
            exported = dict(
                line.removeprefix("  export ").split("=", 1)
                for line in printed
                if "export" in line
            )
            # On a loaded machine, the exit may take longer than it has by default.
            env = environment(**exported, CIO_EXIT_TIMEOUT="20")
            _, said = run_code(FILE, "first.py", env=env, cwd=tmp_path)
        finally:
            sandbox.send_signal(signal.SIGTERM)
            heard, _ = sandbox.communicate(timeout=SECONDS)

    port = re.search(r":(\d+)", printed[0])
    assert port is not None
    assert [line.replace(port[0], ":8026") for line in printed] == lines
    (asked,) = [line for line in heard.splitlines() if "purchase" in line] or [said]
    assert "for 5" in asked


def test_the_table_of_reasons_is_complete() -> None:
    """The closed list of reasons, each as failed or dropped."""
    rows = table("signals#Reasons", "reason")
    documented = {(reason.strip("`"), kind) for reason, kind, _ in rows}

    assert documented == {
        *((reason, "failed") for reason in get_args(FailedReason)),
        *((reason, "dropped") for reason in get_args(DroppedReason)),
    }


def test_the_table_of_tags_is_complete() -> None:
    """Every tag, and every word that ``cio`` can be."""
    from cio_events._sources import fields, tags

    rows = table("tags", "tag")

    assert {tag for names, _ in rows for tag in re.findall(r"`(\w+)`", names)} == fields.TAGS
    (what,) = (meaning for names, meaning in rows if names == "`cio`")
    assert set(re.findall(r"`(\w+)`", what)) == {*tags.WORDS}


def test_the_table_of_options_is_that_of_the_code() -> None:
    """As ``python -m tests.contract.options`` writes it."""
    assert updated(PAGES["options"]) == PAGES["options"]


def test_the_findings_of_the_doctor_are_those_of_the_code() -> None:
    """As ``python -m tests.contract.findings`` writes them."""
    assert findings.updated(PAGES["doctor"]) == PAGES["doctor"]


def test_the_checks_of_the_doctor_are_all_there() -> None:
    """In the order in which they run."""
    from cio_events.doctor.examination import CHECKS

    rows = table("doctor#What it looks at", "check")

    assert [check for check, _ in rows] == [check.name for check in CHECKS]


def test_the_reference_has_all_that_is_public() -> None:
    """Each exported name, by the directive that shows it, or in words."""
    reference = PAGES["api"]
    shown = set(re.findall(r"^\.\. auto\w+:: (?:cio_events\.)?(\w+)$", reference, re.MULTILINE))
    named = shown | set(re.findall(r"`(\w+)`", reference))

    assert {*cio_events.__all__} - named == {"__version__"}


def test_names_in_the_text_exist() -> None:
    """What stands in backquotes as a name of ours is one."""
    named = {
        name for text in PAGES.values() for name in re.findall(r"`cio_events\.(?!E\d)(\w+)", text)
    }

    missing = {name for name in named if not hasattr(cio_events, name)}
    assert missing <= {"sandbox", "integrations", "testing", "doctor"}
