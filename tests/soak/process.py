"""
The process that is soaked: its threads log tagged records until SIGTERM, or until it is killed.

``python -m tests.soak.process URL SPOOL NOTES NAME RATE``. Each record is noted in the file
NOTES once its log call has returned: from then on it is accepted, and must arrive. For each
SIGUSR1 a customer more logs a culprit, and then an event each second. Each second it forks a
child that logs one record and ends by a way that no hook sees.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

import cio_events
from tests.soak.culprits import data_of

THREADS = 8

# For what is pending in the end.
CLOSE_SECONDS = 60.0

logger = logging.getLogger("soaked")


def main(url: str, spool: str, notes: str, name: str, rate: float) -> None:
    """Log until SIGTERM, close, and print what the ledger says."""
    pipeline = cio_events.configure(
        site_id="site",
        api_key="key",
        track_url=url,
        spool=spool,
        flush_interval=0.2,
        timeout=5.0,
        retry_base=0.1,
        retry_cap=1.0,
        hold_interval=0.5,
        exit_timeout=CLOSE_SECONDS,
    )
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(cio_events.CustomerIOHandler(pipeline))
    # What the package has to say of an outage each second is of no use here.
    logging.getLogger("cio_events").addHandler(logging.NullHandler())
    logging.getLogger("cio_events").propagate = False
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    wanted = threading.Semaphore(0)
    signal.signal(signal.SIGUSR1, lambda *_: wanted.release())
    print("ready", flush=True)  # for signals
    noted = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    threads = [
        threading.Thread(target=_log, args=(f"{name}.{thread}", rate, noted, stop))
        for thread in range(THREADS)
    ]
    threads.append(threading.Thread(target=_log_culprits, args=(name, noted, stop, wanted)))
    threads.append(threading.Thread(target=_fork_children, args=(name, noted, stop)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipeline.close(CLOSE_SECONDS)
    print(json.dumps(dataclasses.asdict(pipeline.stats())))


def _log(who: str, rate: float, noted: int, stop: threading.Event) -> None:
    count = 0
    while not stop.wait(1 / rate):
        _log_one(who, count, {"number": count, "pad": "x" * (count * 7 % 400)}, noted)
        count += 1


def _log_culprits(
    name: str, noted: int, stop: threading.Event, wanted: threading.Semaphore
) -> None:
    customers: list[str] = []
    seconds = 0
    while not stop.wait(1.0):
        seconds += 1
        for who in customers:
            _log_one(who, seconds, {}, noted)
        while wanted.acquire(blocking=False):
            customers.append(f"{name}.culprit{len(customers)}")
            _log_one(customers[-1], seconds, data_of(customers[-1]), noted)


def _fork_children(name: str, noted: int, stop: threading.Event) -> None:
    """Each second, fork a child that logs one event and ends by a way that no hook sees."""
    number = 0
    while not stop.wait(1.0):
        pid = os.fork()
        if not pid:
            try:
                _log_one(f"{name}.child{number}", 0, {}, noted)
                _ENDINGS[number % len(_ENDINGS)]()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        number += 1


def _end_by(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.pause()


_ENDINGS: tuple[Callable[[], None], ...] = (
    lambda: os._exit(0),
    lambda: _end_by(signal.SIGTERM),
    lambda: os.kill(os.getpid(), signal.SIGKILL),
    lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
)


def _log_one(who: str, number: int, data: dict[str, object], noted: int) -> None:
    event = f"{who}.{number}"
    logger.info(event, extra={"cio_customer": who, "cio_data": data})
    # Neither buffered nor locked: a kill between two lines loses no note of what was logged.
    os.write(noted, f"{event}\n".encode())


if __name__ == "__main__":
    url, spool, notes, name, rate = sys.argv[1:]
    main(url, spool, notes, name, float(rate))
