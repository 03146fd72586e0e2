"""
The process that is soaked: its threads log tagged records until SIGTERM, or until it is killed.

``python -m tests.soak.process URL SPOOL NOTES NAME RATE``. Each record is noted in the file
NOTES once its log call has returned: from then on it is accepted, and must arrive. For each
SIGUSR1 a customer more logs a culprit, and then an event each second.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import sys
import threading

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


def _log_one(who: str, number: int, data: dict[str, object], noted: int) -> None:
    event = f"{who}.{number}"
    logger.info(event, extra={"cio_customer": who, "cio_data": data})
    # Neither buffered nor locked: a kill between two lines loses no note of what was logged.
    os.write(noted, f"{event}\n".encode())


if __name__ == "__main__":
    url, spool, notes, name, rate = sys.argv[1:]
    main(url, spool, notes, name, float(rate))
