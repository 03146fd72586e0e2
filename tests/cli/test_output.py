"""What becomes of a command whose reader has left: `cio-events … | head -1`."""

from __future__ import annotations

import json
import os

import pytest

from tests.support.scripts import environment, run_code

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX processes")

COMMANDS = {
    "help": ["--help"],
    "doctor": ["doctor", "versions", "settings", "--offline"],
    "doctor --json": ["doctor", "versions", "--offline", "--json"],
    "doctor --list": ["doctor", "--list"],
    "spool list": ["spool", "list", "SPOOL"],
    "spool stats": ["spool", "stats", "SPOOL"],
    "spool stats --json": ["spool", "stats", "SPOOL", "--json"],
    "relay": ["relay", "status", "--help"],
}

# Each in a child, whose imports are done, with a standard output that nobody reads.
SCRIPT = """
import json, logging, os, sys
import cio_events
from cio_events.__main__ import main
import cio_events._cli.doctor, cio_events._cli.relay, cio_events._cli.spool
logging.getLogger("cio_events").addHandler(logging.NullHandler())
spool, commands = sys.argv[1], json.loads(sys.argv[2])
with cio_events.Pipeline(
    site_id="site", api_key="key", track_url="http://127.0.0.1:1", spool=spool, exit_timeout=0
) as pipeline:
    pipeline.track("5", "bought")
    pipeline.close(0)
ended = {}
for name, arguments in commands.items():
    ours, theirs = os.pipe()
    said, saying = os.pipe()
    os.close(ours)  # before there is a child, which may be quick
    pid = os.fork()
    if not pid:
        os.dup2(theirs, 1)
        os.dup2(saying, 2)
        sys.argv = ["cio-events", *(spool if one == "SPOOL" else one for one in arguments)]
        main()
    for descriptor in (theirs, saying):
        os.close(descriptor)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ended[name] = [code, os.read(said, 65536).decode()]
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """The exit code of each, and what it said."""
    printed, _ = run_code(
        SCRIPT,
        str(tmp_path_factory.mktemp("spool")),
        json.dumps(COMMANDS),
        env=environment(PYTHONWARNINGS="default"),
    )
    found: dict[str, list[object]] = json.loads(printed)
    return found


@pytest.mark.parametrize("command", list(COMMANDS))
def test_it_ends_without_a_word(ended: dict[str, list[object]], command: str) -> None:
    """As by SIGPIPE: it has found nothing, and nothing is wrong with it."""
    assert ended[command] == [141, ""]
