"""
The README's word: its commands, examples and tables are what the library does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import pytest

import cio_events
from cio_events.options import Options
from cio_events.sandbox import Sandbox
from cio_events.signals import DroppedReason, FailedReason
from tests.support.scripts import ROOT, environment, run_python

README = (ROOT / "README.md").read_text(encoding="utf-8")

# Heading → text, for every heading from the second level on.
_parts = re.split(r"^##+ (.+)\n", README, flags=re.MULTILINE)
SECTIONS = dict(zip(_parts[1::2], _parts[2::2], strict=True))


def blocks(section: str, language: str) -> list[str]:
    """
    The code blocks of that language in a section.
    """
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[section], re.M | re.S)


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

OUTCOMES = {
    "structlog": Outcome([("5", "purchase", SOCKS)], {"5": {"email": "lucy@example.com"}}),
    "logging": Outcome([("5", "purchase", SOCKS)], {"5": {}}),
    "Tags": Outcome(
        [
            ("5", "/pricing", {"referrer": "ad"}),
            ("5", "refund", SOCKS),
            (None, "added to cart", {"product": "socks"}),
        ],
        {"5": {}},
    ),
    "Who is asking": Outcome([("5", "purchase", SOCKS)], {"5": {}}),
    "Typed calls": Outcome(
        [("5", "purchase", SOCKS), ("5", "purchase", SOCKS)],
        {"5": {}, "lucy@example.com": {"plan": "free"}},
    ),
    "Objects": Outcome(people={"5": {}, "6": {}}, objects={"acme": {"5", "6"}}),
    "Messages": Outcome(messages=[("email", 3), ("email", "receipt"), ("push", "shipped")]),
    "Direct clients": Outcome(
        [("5", "purchase", SOCKS), ("6", "signup", {})],
        {"5": {"email": "lucy@example.com"}},
        messages=[("email", 3)],
    ),
    "Signals": Outcome(),
    "Options": Outcome([("5", "purchase", SOCKS)], {"5": {}}),
    "Spool": Outcome([("5", "purchase", SOCKS)], {"5": {}}),
    "Frameworks": Outcome([("5", "purchase", SOCKS)], {"5": {}}),
    # Asserts for itself, against a sandbox of its own.
    "Testing": Outcome(),
}

# What the examples of one section may take for granted from those before.
PRELUDE = """
import os
import structlog
import cio_events
from cio_events import Track
from cio_events._http import endpoint as http

http.TRACK_URLS["us"] = http.APP_URLS["us"] = os.environ["CIO_TRACK_URL"]

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        cio_events.CustomerIOProcessor(),
        structlog.processors.JSONRenderer(),
    ],
)
log = structlog.get_logger()
"""

STANDS_ALONE = {"structlog", "logging"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """
    A Customer.io that has heard of nobody.
    """
    with Sandbox() as running:
        yield running


@pytest.mark.parametrize("section", OUTCOMES)
def test_the_examples_do_what_they_say(section: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """
    A section's Python, in a process of its own, leaves these events and people at Customer.io.
    """
    code = "\n".join(blocks(section, "python"))
    code = code if section in STANDS_ALONE else PRELUDE + code

    run_python("-c", code, env=environment(sandbox), cwd=tmp_path)

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
    """
    No Python in the README is left out.
    """
    assert {section for section in SECTIONS if blocks(section, "python")} == {*OUTCOMES}


def test_the_first_line_is_the_promise() -> None:
    """
    The one-line example stands before everything else, and is the one in the recipes.
    """
    first = re.search(r"```text\n(.*)\n```", README)
    assert first is not None

    assert README.index(first[0]) < README.index("## ")
    assert first[1] in SECTIONS["structlog"]


def test_two_commands_do_all_the_set_up() -> None:
    """
    Each makes a virtual environment of its own; .ci/run runs these very lines.
    """
    commands = [block.strip() for block in blocks("Try it", "sh")]

    assert re.findall(r"^python3 -m venv .*$", README, re.MULTILINE) == commands
    quickstart, tests = commands
    assert quickstart.endswith("python examples/quickstart.py")
    assert tests.endswith("python -m pytest -q")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'grep -E "^python3 -m venv .*$1" README.md' in script
    assert re.findall(r"^readme_command (\w+)$", script, re.MULTILINE) == ["pytest", "quickstart"]


def test_the_quickstart_prints_what_is_shown() -> None:
    """
    The captured run is a run, but for the ids.
    """
    (shown,) = blocks("Try it", "text")

    out, _ = run_python("examples/quickstart.py", env=environment())

    assert re.sub(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", "01M89…", out) == shown


REFUSED = """
import cio_events
pipeline = cio_events.configure(spool="spool")
pipeline.identify(cio_events.Identifier("lucy at example.com", "email"), {"plan": "free"})
"""


def test_the_commands_of_a_spool_print_what_is_shown(sandbox: Sandbox, tmp_path: Path) -> None:
    """
    The captured run is a run, but for the id and the times.
    """
    (shown,) = blocks("Spool", "text")
    env = environment(sandbox, TZ="UTC", COLUMNS="100")
    run_python("-c", REFUSED, env=env, cwd=tmp_path)
    varying = {
        r"\b01[0-9A-HJKMNP-TV-Z]{24}\b": "",
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "",
        r"\b\d{10}\b": "",
    }
    for pattern in varying:
        found = re.search(pattern, shown)
        assert found is not None
        varying[pattern] = found[0]

    printed, id_ = "", ""
    for line in re.findall(r"^\$ cio-events (.*)$", shown, re.MULTILINE):
        words = [id_ if word.startswith("01") else word for word in line.split()]
        out, _ = run_python("-m", "cio_events", *words, env=env, cwd=tmp_path)
        id_ = id_ or re.findall(r"\b01\w{24}\b", out)[0]
        printed += f"$ cio-events {line}\n{out}"
    for pattern, example in varying.items():
        printed = re.sub(pattern, example, printed)
    assert printed == shown


def table(section: str, first: str) -> list[list[str]]:
    """
    The rows of the table in a section whose first column has that heading.
    """
    lines = SECTIONS[section].splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_table_of_options_has_every_option_and_its_default() -> None:
    """
    Names, order and defaults are those of the code.
    """
    documented = {}
    for names, default, _ in table("Options", "option"):
        for name in re.findall(r"`(\w+)`", names):
            documented[name] = default.strip("`")

    defaults = {one.name: one.default for one in fields(Options)}
    assert MISSING not in defaults.values()
    assert [*documented] == [*defaults]
    for name, default in defaults.items():
        if isinstance(default, str):
            assert documented[name] == f'"{default}"'
        elif default is None:
            assert documented[name] == ""
        else:
            assert repr(ast.literal_eval(documented[name])) == repr(default)


def test_the_table_of_reasons_is_complete() -> None:
    """
    The closed list of reasons, each as failed or dropped.
    """
    documented = {(reason.strip("`"), kind) for reason, kind, _ in table("Signals", "reason")}

    assert documented == {
        *((reason, "failed") for reason in get_args(FailedReason)),
        *((reason, "dropped") for reason in get_args(DroppedReason)),
    }


def test_the_table_of_tags_is_complete() -> None:
    """
    Every tag, and every word that ``cio`` can be.
    """
    from cio_events._sources import fields, tags

    rows = table("Tags", "tag")

    assert {tag for names, _ in rows for tag in re.findall(r"`(\w+)`", names)} == fields.TAGS
    (what,) = (meaning for names, meaning in rows if names == "`cio`")
    assert set(re.findall(r"`(\w+)`", what)) == {*tags.WORDS}


def test_names_in_the_text_exist() -> None:
    """
    What stands in backquotes as a name of ours is one.
    """
    named = set(re.findall(r"`cio_events\.(\w+)", README))

    assert {name for name in named if not hasattr(cio_events, name)} == set()


def test_links_inside_the_page_lead_somewhere() -> None:
    """
    Each anchor is a heading's, and each file is there.
    """
    anchors = {re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in SECTIONS}
    targets = re.findall(r"\]\(([^)]+)\)", README)

    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors
        elif "://" not in target:
            assert (ROOT / target).exists(), target
