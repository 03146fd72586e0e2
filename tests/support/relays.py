"""`cio-events relay` in processes of their own, to be killed and frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

from tests.support.nursery import Child

if TYPE_CHECKING:
    from typing_extensions import Self

IMPORTED = ("cio_events._cli.relay", "cio_events._relay.relay", "cio_events._relay.health")

_END_SECONDS = 30.0

_RUN = """
import sys, warnings
from cio_events.__main__ import main
warnings.filters.pop(0)  # that they are errors
sys.argv[0] = "cio-events"
main()
"""


class RelayProcess:
    """
    One relay. As a context manager it is killed at the end.

    Args:
        redis_url: Where Redis is.

        customerio_url: Where it delivers to.

        arguments: More of the command line.

        log: Where what it says goes; None is where `wait_until_it` reads it.

        environment: More settings.
    """

    def __init__(
        self,
        redis_url: str,
        customerio_url: str,
        *arguments: object,
        log: IO[str] | None = None,
        **environment: str,
    ) -> None:
        known = {name: value for name, value in os.environ.items() if not name.startswith("CIO_")}
        settings = {
            "CIO_SITE_ID": "site",
            "CIO_API_KEY": "key",
            "CIO_APP_API_KEY": "app",
            "CIO_TRACK_URL": customerio_url,
            "CIO_APP_URL": customerio_url,
            "CIO_RETRY_BASE": "0.05",
            "CIO_RETRY_CAP": "0.2",
            "CIO_HOLD_INTERVAL": "0.2",
            "CIO_TIMEOUT": "5",
        }
        self.process = self._begin(
            ["relay", redis_url, *map(str, arguments)], {**known, **settings, **environment}, log
        )
        self.frozen = False

    def _begin(
        self, arguments: list[str], env: dict[str, str], log: IO[str] | None
    ) -> subprocess.Popen[str] | Child:
        return subprocess.Popen(
            [sys.executable, "-m", "cio_events", *arguments],
            env=env,
            stderr=subprocess.PIPE if log is None else log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_until_it(self, what: str) -> str:
        """Wait until it says so; returns the line."""
        assert self.process.stderr is not None
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if what in line:
                return line
        raise AssertionError("".join(seen))

    def freeze(self) -> None:
        """Have it do nothing until `thaw` (SIGSTOP)."""
        self.frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self.process.poll() is None:
            self.process.kill()
        self._wait()

    def stop(self) -> int:
        """Have it end (SIGTERM); returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        status = self.process.wait(_END_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return status


class RelayChild(RelayProcess):
    """One that begins with its imports done, which take longer than all that most tests ask."""

    def _begin(self, arguments: list[str], env: dict[str, str], log: IO[str] | None) -> Child:
        assert log is None
        return Child(_RUN, arguments, env=env, imported=IMPORTED)
