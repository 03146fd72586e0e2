"""
The command `cio-events doctor`: what is wrong with this set-up.

What it finds, and how, is in `cio_events.doctor`. This module imports click.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from typing import TextIO

import click
import orjson

from cio_events._process.clock import monotonic
from cio_events.doctor import application, sending
from cio_events.doctor.examination import CHECKS, Check, Result, run
from cio_events.doctor.finding import Level
from cio_events.doctor.subject import Subject
from cio_events.doctor.text import Style, as_json
from cio_events.doctor.versions import all_versions
from cio_events.errors import ParamError

_APPLICATION = "application"

_FOUND = 1
_BROKEN = 2

_FAILING: dict[str, tuple[Level, ...]] = {"warning": ("warning", "error"), "error": ("error",)}


@click.command()
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option("--app", metavar="MODULE", help="Import this first, such as shop.wsgi.")
@click.option("--django", metavar="SETTINGS", help="Set up Django first, with shop.settings.")
@click.option("--offline", is_flag=True, help="Ask nobody over the network.")
@click.option("--json", "as_json_", is_flag=True, help="As one JSON object.")
@click.option(
    "--fail-level",
    type=click.Choice(["warning", "error"]),
    default="warning",
    show_default=True,
    help="From which level on the exit code is 1.",
)
@click.option("-v", "--verbose", is_flag=True, help="With durations, and what is well in full.")
@click.option("--list", "lists", is_flag=True, help="List the checks, and run none.")
@click.option("--report", is_flag=True, help="All versions and findings, for an issue.")
@click.option("--send", is_flag=True, help="Send a test person, an event and a delete.")
@click.option("--yes", is_flag=True, help="Do not ask before --send.")
@click.pass_context
def doctor(
    context: click.Context,
    *,
    checks: tuple[str, ...],
    app: str | None,
    django: str | None,
    offline: bool,
    as_json_: bool,
    fail_level: str,
    verbose: bool,
    lists: bool,
    report: bool,
    send: bool,
    yes: bool,
) -> None:
    """
    Find out what is wrong with this set-up, and how to mend it.

    CHECK is one of those that --list lists; without any, all are run. With --app or --django it
    looks at logging and structlog too, as the application leaves them. It writes nothing, and
    sends nothing without --send.

    Exit code: 0 if all is well, 1 if something was found, 2 if the command itself failed.
    """
    chosen = _chosen(checks)
    if lists:
        _list(as_json=as_json_)
        return
    if send and (as_json_ or report):
        raise click.UsageError("--send goes with neither --json nor --report.")
    style = Style(
        colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
        encoding=sys.stdout.encoding or "ascii",
        verbose=verbose or report,
    )
    out = sys.stdout
    try:
        # What the application prints goes to standard error: the output is ours.
        with redirect_stdout(sys.stderr), application.sending_nothing():
            subject = Subject(network=not offline, has_application=bool(app or django))
            results = []
            for result in _results(chosen, subject, app, django):
                results.append(result)
                if not (as_json_ or report):
                    _print(out, style.lines(result))
            if as_json_:
                _print(out, [orjson.dumps(as_json(results), option=orjson.OPT_INDENT_2).decode()])
            elif report:
                _print(out, _report(style, results))
            else:
                _print(out, [style.end(results)])
    except click.ClickException:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the application's set-up raises
        click.echo(f"cio-events doctor itself failed: {type(error).__name__}", err=True)
        if verbose:
            # Without the values of variables, and without the text of the error.
            click.echo("".join(traceback.format_tb(error.__traceback__)), err=True, nl=False)
        context.exit(_BROKEN)
    failing = _FAILING[fail_level]
    bad = any(finding.level in failing for result in results for finding in result.findings)
    if send:
        bad |= not _send(context, subject, yes=yes)
    if bad:
        context.exit(_FOUND)


def _chosen(names: Sequence[str]) -> list[Check]:
    known = {check.name: check for check in CHECKS}
    for name in names:
        if name == _APPLICATION:
            raise click.BadParameter(
                f"{name!r} is looked at first, whenever --app or --django is given."
            )
        if name not in known:
            raise click.BadParameter(f"{name!r} is no check; --list lists them.")
    return [known[name] for name in known if not names or name in names]


def _list(*, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps([{"check": one.name, "about": one.about} for one in CHECKS]))
        return
    for check in CHECKS:
        click.echo(f"{check.name:<13}{check.about}{' (--app, --django)' * check.of_application}")


def _results(
    checks: Sequence[Check], subject: Subject, app: str | None, django: str | None
) -> Iterator[Result]:
    has_application = False
    for given, load in ((django, application.set_up_django), (app, application.imported)):
        if given is not None:
            started = monotonic()
            finding = load(given)
            yield Result(_APPLICATION, [finding], monotonic() - started)
            has_application |= finding.level == "ok"
    subject.has_application = has_application
    yield from run(checks, subject)


def _print(out: TextIO, lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line, file=out, color=True)


def _report(style: Style, results: Sequence[Result]) -> Iterator[str]:
    for name, version in all_versions().items():
        yield f"{name}: {version}"
    yield ""
    for result in results:
        yield from style.lines(result)
    yield style.end(results)


def _send(context: click.Context, subject: Subject, *, yes: bool) -> bool:
    try:
        target = sending.target(subject)
    except ParamError as error:
        click.echo(f"Nothing is sent: {error}", err=True)
        return False
    customer = sending.person()
    click.echo(f"\nA test person {customer}, an event of hers, and a delete go to {target}.")
    if not yes and not click.confirm("Send them?"):
        context.exit(_FOUND)
    accepted = True
    for name, problem in sending.send(subject, customer):
        click.echo(f"{name:<9}{'accepted' if problem is None else problem}")
        accepted &= problem is None
    return accepted
