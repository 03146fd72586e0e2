"""`cio-events sandbox` runs a sandbox until it is told to end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from cio_events import __version__
from cio_events._cli.output import escaped
from cio_events.sandbox import Sandbox
from tests.cli.commands import run
from tests.sandbox.asking import TIMEOUT_SECONDS
from tests.support.nursery import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Not -X dev, in which asyncio writes of each callback that a loaded machine takes long for.
MODULE = (sys.executable, "-X", "faulthandler", "-W", "error", "-m", "cio_events")
# As a shell has it: Python buffers what it writes to a pipe.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("CIO_") and name != "PYTHONUNBUFFERED"
}


def started(*arguments: str) -> Child:
    """The command, by a process whose imports are done."""
    code = "from cio_events.__main__ import main; main()"
    return Child(code, arguments, env=ENVIRONMENT)


def started_afresh(*arguments: str) -> subprocess.Popen[str]:
    """The command, as a shell starts it."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*MODULE, *arguments], env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True
    )


@contextmanager
def running(
    *arguments: str, start: Callable[..., Child | subprocess.Popen[str]] = started
) -> Iterator[tuple[Child | subprocess.Popen[str], str, str]]:
    """A sandbox in a process of its own, its URL and its welcome."""
    with start("sandbox", "--port", "0", *arguments) as process:
        assert process.stdout is not None
        try:
            welcome = ""
            while "/sandbox/requests" not in welcome:
                line = process.stdout.readline()
                assert line, f"it ended early: {process.stderr and process.stderr.read()}"
                welcome += line
            found = re.search(r"http://\S+:\d+", welcome)
            assert found is not None
            yield process, found.group(), welcome
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "start"), [(signal.SIGINT, started_afresh), (signal.SIGTERM, started)]
)
def test_a_signal_ends_it_well(
    number: signal.Signals, start: Callable[..., Child | subprocess.Popen[str]]
) -> None:
    """
    Exit code 0, nothing on stderr, and two lines for each call.

    The welcome has the variables that point a program here, and the views.
    """
    with running(start=start) as (process, url, welcome):
        event = {"name": "purchase"}
        path = f"{url}/api/v1/customers/a%2Fb/events"
        for auth, status in ((("a", "b"), 200), (None, 401)):
            answer = requests.post(path, json=event, auth=auth, timeout=TIMEOUT_SECONDS)
            assert answer.status_code == status
        assert requests.get(f"{url}/sandbox/events", timeout=TIMEOUT_SECONDS).json()
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)

    for line in (
        "export CIO_SITE_ID=sandbox",
        "export CIO_API_KEY=sandbox",
        "export CIO_APP_API_KEY=sandbox",
        f"export CIO_TRACK_URL={url}",
        f"export CIO_APP_URL={url}",
        f"{url}/sandbox/people",
        f"{url}/sandbox/events",
    ):
        assert f"  {line}\n" in welcome
    assert (process.returncode, err) == (0, "")
    lines = [line for line in out.splitlines() if line]
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "--> POST /api/v1/customers/a%2Fb/events event purchase for a/b",
        "<-- 200 accepted",
        "--> POST /api/v1/customers/a%2Fb/events",
        "<-- 401",
    ]


def test_credentials_are_checked_and_never_printed() -> None:
    """Those given are the only ones that are let in."""
    keys = ("--site-id", "s3cret-1", "--api-key", "s3cret-2", "--app-api-key", "s3cret-3")
    with running(*keys, "--region", "eu") as (process, url, welcome):
        path = f"{url}/api/v1/accounts/region"
        right, wrong = ("s3cret-1", "s3cret-2"), ("s3cret-1", "s3cret-4")
        answer = requests.get(path, auth=right, timeout=TIMEOUT_SECONDS)
        assert (answer.status_code, answer.json()["region"]) == (200, "eu")
        assert requests.get(path, auth=wrong, timeout=TIMEOUT_SECONDS).status_code == 401
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)

    assert out.count("GET /api/v1/accounts/region") == 2
    assert "s3cret" not in welcome + out + err


def test_a_reader_that_goes_away_does_not_end_it() -> None:
    """With nobody to read the lines, requests are answered all the same."""
    with running() as (process, url, _):
        assert process.stdout is not None
        process.stdout.close()
        for _ in range(3):
            answer = requests.delete(
                f"{url}/api/v1/customers/5", auth=("a", "b"), timeout=TIMEOUT_SECONDS
            )
            assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_SECONDS) == 0


def test_a_port_that_is_taken_is_one_line() -> None:
    """Not a traceback."""
    with Sandbox() as sandbox:
        ended = run("sandbox", "--port", sandbox.port)

    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{sandbox.port}: ")
    assert "--port 0" in ended.stderr
    assert ended.stderr.count("\n") == 1
    if Path("/proc/net/tcp").exists():
        assert f"(process {os.getpid()})" in ended.stderr


def test_it_ends_at_once_while_the_page_is_read() -> None:
    """A stream that is open holds nothing up, and leaves no traceback."""
    with (
        running() as (process, url, _),
        requests.get(f"{url}/sandbox/stream", stream=True, timeout=TIMEOUT_SECONDS) as page,
    ):
        assert next(page.iter_lines())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, err) == (0, "")
    assert "Traceback" not in out


def test_tail_tells_what_came_and_what_was_answered() -> None:
    """Two lines a call, with how to mend it; or one object."""
    with Sandbox() as sandbox:
        url = f"{sandbox.url}/api/v1/customers/5/events"
        for name in ("purchase", "a\x1b[2J\n" + "x" * 112):
            requests.post(url, json={"name": name}, auth=("a", "b"), timeout=TIMEOUT_SECONDS)
        for arguments in ((), ("--json",)):
            with started("sandbox", "tail", "--url", sandbox.url, *arguments) as process:
                seen = [process.stdout.readline() for _ in range(2 if arguments else 4)]
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=TIMEOUT_SECONDS)
            assert (process.returncode, err) == (0, "")
            if arguments:
                assert [json.loads(line)["item"]["verdict"] for line in seen] == [
                    "accepted",
                    "refused",
                ]
            else:
                assert seen[0].endswith("/events event purchase for 5\n")
                assert seen[1].endswith("<-- 200 accepted\n")
                assert "a\\x1b[2J\\nxxx" in seen[2]
                assert "<-- 400 refused: name is longer than 100 bytes" in seen[3]
                assert "Log a shorter template" in seen[3]


def test_tail_without_a_sandbox_is_one_line() -> None:
    """It says where there is none."""
    with Sandbox() as sandbox:
        url = sandbox.url
    ended = run("sandbox", "tail", "--url", url)
    assert (ended.exit_code, ended.stderr) == (1, f"Error: there is no sandbox at {url}\n")


def test_run_gives_a_command_a_sandbox() -> None:
    """What it sends arrives, and its exit code is ours."""
    code = (
        "import sys, cio_events\n"
        "with cio_events.get_pipeline() as pipeline: pipeline.track('5', 'purchase')\n"
        "print('done')\n"
        "sys.exit(3)\n"
    )
    with started("sandbox", "run", "--", sys.executable, "-c", code) as process:
        out, err = process.communicate(TIMEOUT_SECONDS)
    assert (process.returncode, out) == (3, "done\n")
    assert "event purchase for 5" in err
    assert "<-- 200 accepted" in err

    failed = run("sandbox", "run", "--", "no-such-command")
    assert failed.exit_code == 1
    assert "Error: cannot run no-such-command: " in failed.stderr


def test_another_host_is_refused() -> None:
    """It serves this machine only."""
    ended = run("sandbox", "--host", "0.0.0.0")

    assert ended.exit_code == 2
    assert "'0.0.0.0' is not loopback" in ended.stderr


def test_text_from_outside_cannot_steer_a_terminal() -> None:
    """Escapes, line breaks and text that runs backwards are shown as what they are."""
    assert escaped("grün/a%2Fb") == "grün/a%2Fb"
    assert escaped("a\x1b[2J\r\nb\u202ec\x9b") == "a\\x1b[2J\\r\\nb\\u202ec\\x9b"
    assert escaped("a\u2066b\tc\n\x07\udc80", lines=True) == "a\\u2066b\tc\n\\x07\\udc80"


def test_json_from_outside_stays_json() -> None:
    """It may be copied from the terminal, and says the same."""
    text = json.dumps({"name": "grün\u2066\x7f\u202e"}, ensure_ascii=False, indent=2)
    shown = escaped(text, lines=True, as_json=True)

    assert json.loads(shown) == json.loads(text)
    assert "grün\\u2066\\u007f\\u202e" in shown


def test_the_version_is_told() -> None:
    """Under the name of the installed command."""
    assert run("--version").stdout == f"cio-events, version {__version__}\n"


def test_a_command_imports_no_other() -> None:
    """All together take most of a second."""
    code = (
        "import sys; sys.argv = ['cio-events', 'sandbox', '--help']\n"
        "from cio_events.__main__ import main\n"
        "try: main()\n"
        "finally: print(sorted(one for one in sys.modules if one.startswith('cio_events._cli')))"
    )
    with Child(code, env=ENVIRONMENT) as child:
        printed, _ = child.communicate(TIMEOUT_SECONDS)

    rooms = ("", ".main", ".output", ".sandbox", ".signals", ".tail")
    assert printed.splitlines()[-1] == str([f"cio_events._cli{room}" for room in rooms])


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        *[(missing, "sandbox") for missing in ("click", "uvicorn", "starlette")],
        *[("rich", command) for command in ("spool", "relay")],
    ],
)
def test_a_missing_extra_is_one_line(missing: str, command: str) -> None:
    """It names the extra, with exit code 2 and no traceback."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['cio-events', {command!r}]\n"
        "from cio_events.__main__ import main; main()"
    )
    with Child(code, env=ENVIRONMENT) as child:
        _, said = child.communicate(TIMEOUT_SECONDS)

    assert child.returncode == 2
    assert f"pip install 'cio-events[{command}]'" in said
    assert said.count("\n") == 1
