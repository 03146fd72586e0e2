"""``python -m tests.soak``: soak, report, and say by the exit status whether all went well."""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cio_events import Pipeline
from cio_events.sandbox import Sandbox
from tests.soak.culprits import Culprits
from tests.soak.faults import FAULTS, any_fault
from tests.soak.process import CLOSE_SECONDS, THREADS
from tests.soak.report import Soak, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cio_events.sandbox import ReceivedRequest

_KILL_SECONDS = 30.0
_FAULT_SECONDS = 1.0
_CULPRIT_SECONDS = 60.0


class Soaked:
    """
    A process that logs.

    Args:
        url: Of Customer.io.

        directory: Where its spool and its notes are.

        name: What its customers are called after.
    """

    def __init__(self, url: str, directory: Path, name: str, rate: float) -> None:
        self._name = name
        self._culprits = 0
        self._notes = directory / f"{name}.notes"
        self._complaints = directory / f"{name}.complaints"
        arguments = [url, str(directory / "spool"), str(self._notes), name, str(rate)]
        with self._complaints.open("wb") as complaints:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.process", *arguments],
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.process.stdout.readline()  # before that, any signal would kill it

    def memory(self) -> int | None:
        """Its resident bytes, where the system tells."""
        try:
            statm = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii")
        except OSError:
            return None
        return int(statm.split()[1]) * resource.getpagesize()

    @property
    def next_culprit(self) -> str:
        """The customer whose the next culprit will be."""
        return f"{self._name}.culprit{self._culprits}"

    def log_culprit(self) -> None:
        """Have it log one."""
        self.process.send_signal(signal.SIGUSR1)
        self._culprits += 1

    def kill(self) -> set[str]:
        """End it at once; returns what it had accepted."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=CLOSE_SECONDS)
        return self._noted()

    def end(self) -> tuple[set[str], dict[str, Any] | str]:
        """Let it close; returns what it had accepted, and its ledger, or how it ended without."""
        self.process.send_signal(signal.SIGTERM)
        try:
            out, _ = self.process.communicate(timeout=3 * CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            # A child of its that hangs would keep what it prints to open.
            os.killpg(self.process.pid, signal.SIGKILL)
            out, _ = self.process.communicate()
        complaints = self._complaints.read_text(encoding="utf-8", errors="replace")
        how = ledger_from(out, self.process.returncode, complaints)
        return self._noted(), how if isinstance(how, dict) else f"{self._name} {how}"

    def _noted(self) -> set[str]:
        if not self._notes.exists():
            return set()
        return set(self._notes.read_text(encoding="utf-8").split())


def ledger_from(printed: str, code: int, complaints: str) -> dict[str, Any] | str:
    """The ledger that a process has *printed* last; or how it ended without, in its words."""
    if code == 0:
        # A process that ends by itself, with that code, need not have come to its last line.
        with suppress(ValueError, IndexError):
            ledger = json.loads(printed.splitlines()[-1])
            if isinstance(ledger, dict):
                return ledger
    return f"ended with {code}: {complaints.strip()[-2_000:] or 'it said nothing'}"


def soak(seconds: float, rate: float, seed: int, console: Console) -> Soak:
    """Do it."""
    result, dice = Soak(seconds), random.Random(seed)

    def count(request: ReceivedRequest) -> None:
        result.statuses[request.status] += 1

    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console
    )
    with (
        tempfile.TemporaryDirectory() as temporary,
        Sandbox(on_answer=count, bounded=False) as sandbox,
        progress,
    ):
        directory, started = Path(temporary), time.monotonic()
        shown = progress.add_task("soaking", total=seconds)
        lasting = Soaked(sandbox.url, directory, "lasting", rate)
        mortal = Soaked(sandbox.url, directory, "life0", rate)
        kill_at, culprit_at = started + _KILL_SECONDS, started + _CULPRIT_SECONDS / 6
        culprits = Culprits(sandbox, [f"lasting.{thread}" for thread in range(THREADS)])
        while (now := time.monotonic()) < started + seconds:
            memory = lasting.memory()
            if memory is not None:
                result.memory.append(memory)
            fault = any_fault(dice)
            result.faults[fault] += 1
            FAULTS[fault](sandbox)
            culprits.look()
            if now >= culprit_at:
                culprit_at += _CULPRIT_SECONDS
                result.note(culprits.end())
                # In turn of the one that lasts, and of the one that is killed with it soon.
                one = (lasting, mortal)[result.culprits.total() % 2]
                result.culprits[culprits.begin(one.next_culprit)] += 1
                one.log_culprit()
            if now >= kill_at:
                kill_at += _KILL_SECONDS
                result.accepted |= mortal.kill()
                result.kills += 1
                mortal = Soaked(sandbox.url, directory, f"life{result.kills}", rate)
            time.sleep(max(now + _FAULT_SECONDS - time.monotonic(), 0.0))
            progress.update(shown, completed=now - started, description=f"soaking ({fault})")
        result.note(culprits.end())
        progress.update(shown, completed=seconds, description="closing")
        for process in (mortal, lasting):
            accepted, ledger = process.end()
            result.accepted |= accepted
            if isinstance(ledger, str):
                result.deaths.append(ledger)
            else:
                result.ledgers.append(ledger)
        # What a process that was killed last has left to nobody.
        with Pipeline(
            site_id="site", api_key="key", track_url=sandbox.url, spool=str(directory / "spool")
        ) as pipeline:
            end = time.monotonic() + CLOSE_SECONDS
            while True:  # a child may still end
                pipeline.flush(CLOSE_SECONDS)
                result.arrived = [event.name for event in sandbox.events]
                if not result.missing or time.monotonic() > end:
                    break
                time.sleep(_FAULT_SECONDS)
            result.pending = pipeline.stats().pending
            result.dead = len(list(pipeline.failures()))
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak as long as the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="default: %(default)s")
    parser.add_argument(
        "--rate", type=float, default=20.0, help="events a second of each thread; %(default)s"
    )
    parser.add_argument(
        "--relay", action="store_true", help="the relay, in rounds, instead of a pipeline"
    )
    parser.add_argument("--rounds", type=int, default=100, help="with --relay; %(default)s")
    parser.add_argument(
        "--partitions", type=int, default=1, help="with --relay; %(default)s, or with merges more"
    )
    parser.add_argument("--seed", type=int, default=None, help="of what goes wrong when")
    options = parser.parse_args(arguments)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    console = Console()
    if options.relay:
        # Optional: it needs redis-py.
        from tests.soak import relay

        soaked = relay.soak(options.rounds, options.rate, seed, console, options.partitions)
        console.print(relay.show(soaked), f"seed {seed}")
        return 0 if all(soaked.verdicts().values()) else 1
    result = soak(options.minutes * 60, options.rate, seed, console)
    console.print(show(result), f"seed {seed}")
    return 0 if all(result.verdicts().values()) else 1


if __name__ == "__main__":
    sys.exit(main())
