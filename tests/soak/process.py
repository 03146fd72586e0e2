"""
The process that is soaked: its threads log tagged records until SIGTERM, or until it is killed.

``python -m tests.soak.process URL SPOOL NOTES NAME RATE``. Each record is noted in the file
NOTES once its log call has returned: from then on it is accepted, and must arrive. For each
SIGUSR1 a customer more logs a culprit, and then an event each second. Each second it forks a
child that logs a record and ends, each by another way.
"""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import sys
import threading

from tests.soak.children import SCRIPTS, fork_one
from tests.soak.culprits import data_of
from tests.soak.records import log_one, set_up

THREADS = 8

# For what is pending in the end.
CLOSE_SECONDS = 60.0


def main(url: str, spool: str, notes: str, name: str, rate: float) -> None:
    """Log until SIGTERM, close, and print what the ledger says."""
    pipeline = set_up(url, spool)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    wanted = threading.Semaphore(0)
    signal.signal(signal.SIGUSR1, lambda *_: wanted.release())
    print("ready", flush=True)  # for signals
    threads = [
        threading.Thread(target=_log, args=(f"{name}.{thread}", rate, notes, stop))
        for thread in range(THREADS)
    ]
    threads.append(threading.Thread(target=_log_culprits, args=(name, notes, stop, wanted)))
    for thread in threads:
        thread.start()
    # On the main thread: that of a child is then its main thread, with which it may end.
    _fork_children(name, {"url": url, "spool": spool, "notes": notes}, stop)
    for thread in threads:
        thread.join()
    pipeline.close(CLOSE_SECONDS)
    print(json.dumps(dataclasses.asdict(pipeline.stats())))


def _log(who: str, rate: float, notes: str, stop: threading.Event) -> None:
    count = 0
    while not stop.wait(1 / rate):
        log_one(who, count, {"number": count, "pad": "x" * (count * 7 % 400)}, notes)
        count += 1


def _log_culprits(
    name: str, notes: str, stop: threading.Event, wanted: threading.Semaphore
) -> None:
    customers: list[str] = []
    seconds = 0
    while not stop.wait(1.0):
        seconds += 1
        for who in customers:
            log_one(who, seconds, {}, notes)
        while wanted.acquire(blocking=False):
            customers.append(f"{name}.culprit{len(customers)}")
            log_one(customers[-1], seconds, data_of(customers[-1]), notes)


def _fork_children(name: str, settings: dict[str, str], stop: threading.Event) -> None:
    number = random.randrange(len(SCRIPTS))  # one that is killed soon begins elsewhere each time
    while not stop.wait(1.0):
        fork_one(f"{name}.child{number}", number, settings)
        number += 1


if __name__ == "__main__":
    url, spool, notes, name, rate = sys.argv[1:]
    main(url, spool, notes, name, float(rate))
