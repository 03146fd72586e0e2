"""The command `cio-events doctor`: its output, its exit codes, and what it never shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from cio_events._cli import doctor as command
from cio_events._cli.main import commands
from cio_events._http import loopback
from cio_events._process import forks
from cio_events.options import ROWS
from tests.cli.commands import run
from tests.support.servers import ScriptedServer, answer

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

KEYS = {"CIO_SITE_ID": "f82ad78f695bd32f9d99", "CIO_API_KEY": "1a621ef65edfe6d3b6ae"}
OFFLINE = ("doctor", "versions", "settings", "spool", "--offline")
CANARY = "kanarienvogel7"


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Good credentials, and no pipelines of other tests."""
    monkeypatch.setattr(forks, "watched", list)
    monkeypatch.setattr(loopback, "_bound", False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def test_all_is_well() -> None:
    """A line for each check, one sentence at the end, and 0."""
    done = run(*OFFLINE)

    assert done.exit_code == 0, done.output
    marks = [line[0] for line in done.stdout.splitlines() if line and line[0] != " "]
    assert marks[:3] == ["✓", "✓", "\u2013"]
    assert done.stdout.endswith("\nNothing is wrong, as far as was looked.\n")


def test_what_is_wrong_comes_with_why_and_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 80 columns, without colours for a pipe, and 1."""
    monkeypatch.delenv("CIO_API_KEY")
    monkeypatch.setenv("CIO_REGOIN", "eu")

    done = run(*OFFLINE)

    assert done.exit_code == 1
    assert "✗ settings     Missing: CIO_API_KEY [E101]\n" in done.stdout
    assert "    → Set CIO_API_KEY in the environment" in done.stdout
    assert done.stdout.endswith("\n1 error and 1 warning: begin with E101.\n")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout


def test_warnings_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --fail-level error; an error does not."""
    monkeypatch.setenv("CIO_REGOIN", "eu")
    assert run(*OFFLINE).exit_code == 1
    assert run(*OFFLINE, "--fail-level", "error").exit_code == 0

    monkeypatch.delenv("CIO_API_KEY")
    assert run(*OFFLINE, "--fail-level", "error").exit_code == 1


def test_the_json_stays() -> None:
    """These keys, whatever comes beside them."""
    done = run(*OFFLINE, "--json")
    told = json.loads(done.stdout)

    assert done.exit_code == 0
    assert {*told} >= {"format", "findings", "counts", "seconds"}
    assert told["format"] == 1
    keys = {"check", "id", "level", "title", "why", "fix", "where"}
    assert all({*one} >= keys for one in told["findings"])
    assert told["counts"] == {"ok": 2, "warning": 0, "error": 0, "skipped": 1}
    assert [*told["seconds"]] == ["versions", "settings", "spool"]


def test_checks_are_listed_and_chosen() -> None:
    """In their order, not that of the arguments; one that there is not is bad usage."""
    listed = [line.split()[0] for line in run("doctor", "--list").stdout.splitlines()]
    assert listed[:2] == ["versions", "settings"]
    assert len(json.loads(run("doctor", "--list", "--json").stdout)) == len(listed)

    told = json.loads(run("doctor", "spool", "settings", "--json").stdout)
    assert [*told["seconds"]] == ["settings", "spool"]
    assert run("doctor", "weather").exit_code == 2


def test_without_an_application_its_checks_are_skipped() -> None:
    """And --app is told."""
    told = json.loads(run("doctor", "structlog", "logging", "probe", "--json").stdout)

    assert {one["id"] for one in told["findings"]} == {"S002"}


@pytest.mark.parametrize(
    ("source", "told", "place"),
    [
        ("import nothing_like_it", "ModuleNotFoundError (nothing_like_it)", "broken_shop.py:1"),
        (f"\nraise KeyError('{CANARY}')", "KeyError", "broken_shop.py:2"),
        ("def", "SyntaxError", "broken_shop.py:1"),
        ("raise SystemExit('no settings')", "SystemExit", "broken_shop.py:1"),
    ],
)
def test_an_application_that_cannot_be_imported_is_a_finding(
    source: str, told: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the place, and no text of the error but a module's name; the others are run."""
    (tmp_path / "broken_shop.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    done = run(*OFFLINE, "--app", "broken_shop", "--json")
    first, *others = json.loads(done.stdout)["findings"]

    assert done.exit_code == 1
    assert first["id"] == "E004"
    assert first["title"].endswith(f"cannot be imported: {told}")
    assert first["where"] == place
    assert len(others) == 3
    assert CANARY not in done.output


def test_an_application_that_logs_and_has_a_spool_leaves_no_trace(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events while it is imported are not sent, and the spool is neither made nor adopted."""
    (tmp_path / "logging_shop.py").write_text(
        "import cio_events\n"
        f"pipeline = cio_events.Pipeline(track_url={sandbox.url!r}, spool='spool')\n"
        "pipeline.track('5', 'purchase')\n"
        "stats = pipeline.stats()\n"
        "assert pipeline.flush()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {path.name for path in tmp_path.iterdir()}

    done = run(*OFFLINE, "--app", "logging_shop", "--json")

    first = json.loads(done.stdout)["findings"][0]
    assert first["id"] == "I003", first
    assert sandbox.requests == []
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == before


def test_a_fault_of_its_own_is_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the text of the error, which may hold anything."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(command, "run", broken)
    done = run(*OFFLINE, "-v")

    assert done.exit_code == 2
    assert "cio-events doctor itself failed: ZeroDivisionError" in done.stderr
    assert CANARY not in done.output


def _variables(group: click.Group) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        assert each is not None
        if isinstance(each, click.Group):
            yield from _variables(each)
        for parameter in each.params:
            if isinstance(parameter.envvar, str):
                yield parameter.envvar


def test_the_variables_of_all_commands_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is said to be misspelt."""
    names = {*_variables(commands)}
    for name in names:
        monkeypatch.setenv(name, "1")

    found = json.loads(run("doctor", "settings", "--json").stdout)["findings"]

    assert "CIO_RELAY" in names
    assert [one["title"] for one in found if one["id"] == "W110"] == []


def test_it_can_be_shown_anywhere() -> None:
    """Also on a terminal that knows ASCII alone, and with colours."""
    from cio_events.doctor import text
    from cio_events.doctor.examination import Result
    from cio_events.doctor.table import found

    result = Result("probe", [found("E602", "   a\n─▶ b", entrance="x", reason="y")], 0.1)
    plain = text.Style(colour=False, encoding="ascii", verbose=True)
    colours = text.Style(colour=True, encoding="utf-8", verbose=False)

    lines = list(plain.lines(result))
    assert all(line.isascii() for line in lines)
    assert "    => b" in lines
    assert "(100 ms)" in "\n".join(lines)
    assert any(line.startswith("\x1b[31m✗\x1b[0m probe") for line in colours.lines(result))


def test_a_canary_in_every_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In no form of the output, though the server repeats it."""
    words = f'{{"meta":{{"error":"{CANARY}"}}}}'.encode()
    with ScriptedServer([answer(401, words)] * 8) as server:
        for name, row in ROWS.items():
            if row.in_environment and name not in ("region", "api", "track_url"):
                monkeypatch.setenv(f"CIO_{name.upper()}", CANARY)
        for name in ("track_url", "app_url"):
            monkeypatch.setenv(f"CIO_{name.upper()}", server.url)
        monkeypatch.setenv("HTTP_PROXY", "")
        for form in ("-v", "--json", "--report"):
            done = run("doctor", form)
            assert done.exit_code == 1, done.output
            assert CANARY not in done.output
        assert server.requests


def test_send_makes_a_person_an_event_and_a_delete(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After asking, and shows each answer."""
    monkeypatch.setenv("CIO_SITE_ID", "site")
    monkeypatch.setenv("CIO_TRACK_URL", sandbox.url)

    asked = run("doctor", "versions", "--send")
    assert "Send them? [y/N]" in asked.stdout
    assert sandbox.requests == []

    done = run("doctor", "versions", "--send", "--yes")

    assert done.exit_code == 0, done.output
    assert [line.split() for line in done.stdout.splitlines()[-3:]] == [
        ["identify", "accepted"],
        ["event", "accepted"],
        ["delete", "accepted"],
    ]
    assert [request.status for request in sandbox.requests] == [200, 200, 200]
    assert [*sandbox.people] == []  # she is gone again


def test_send_shows_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what cannot be sent at all."""
    with ScriptedServer([answer(401, b'{"meta":{"error":"Unauthorized"}}')]) as server:
        monkeypatch.setenv("CIO_TRACK_URL", server.url)
        refused = run("doctor", "versions", "--send", "--yes")
    assert refused.exit_code == 1
    assert "identify" in refused.stdout
    assert "accepted" not in refused.stdout

    monkeypatch.delenv("CIO_API_KEY")
    assert run("doctor", "versions", "--send", "--yes").exit_code == 1


def test_the_application_is_no_check_of_its_own() -> None:
    """Though its row is the first of the output: the message says what it is."""
    done = run("doctor", "application")

    assert done.exit_code == 2
    assert "--app or --django" in done.stderr


def test_the_lines_of_an_application_show_ids_of_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they do elsewhere, though nothing is sent."""
    (tmp_path / "shop_that_logs.py").write_text(
        "import cio_events\n"
        "fields = {'event': 'purchase', 'cio_customer': '5'}\n"
        "print(cio_events.CustomerIOProcessor()(None, 'info', fields), flush=True)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    done = run(*OFFLINE, "--app", "shop_that_logs")

    assert "'cio_event_id': '01" in done.stderr
    assert "0" * 26 not in done.output


def test_a_sandbox_is_not_taken_for_customer_io(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lets everybody in: what it says of credentials says nothing of Customer.io's."""
    monkeypatch.setenv("CIO_TRACK_URL", sandbox.url)

    done = run("doctor", "credentials", "relay")

    assert "127.0.0.1 takes the credentials, and is not Customer.io" in " ".join(
        done.stdout.split()
    )
    assert "Customer.io knows" not in done.stdout
    assert "go to Customer.io" not in done.stdout
