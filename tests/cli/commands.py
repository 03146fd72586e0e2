"""Commands of `cio-events`, run without a process of their own."""

from __future__ import annotations

import inspect
import signal

from click.testing import CliRunner, Result

from cio_events._cli.main import commands

# Before click 8.2, stdout and stderr are one unless told otherwise; from then on, always two.
_OPTIONS = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}


def run(*arguments: object, charset: str = "utf-8") -> Result:
    """Run a command to its end, for such a terminal; signals are handled as before then."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return CliRunner(charset=charset, **_OPTIONS).invoke(
            commands, [str(each) for each in arguments], prog_name="cio-events"
        )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
