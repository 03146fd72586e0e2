"""
What is measured of one side, in the process that the side has for itself.

Each measure returns figures by name; the first is the one that rows compare. Whatever a side that
delivers was given must have come to the sink by the end, counted exactly, or the measure fails: a
client that throws events away is quick.
"""

from __future__ import annotations

import gc
import math
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.event import Event, events
from tests.benchmarks.hostile import figure_of, payloads
from tests.benchmarks.relay_measures import relay_latency, relay_memory, relay_publishing
from tests.benchmarks.sides.side import Opened, Side
from tests.benchmarks.sink_control import Arrived, SinkControl

Figures = dict[str, float]

_WARM_UP = 500
_BLOCK = 250

# How many calls tell the cost at a level of `growth`.
_AT_LEVEL = 1_000

# Seconds after which a call's batch is surely on its way.
_UNDER_WAY = 1.5

# How often an import is tried. The best counts: the first has to compile, and all have to read.
_IMPORTS = 5

# How much fewer calls a side makes that sends a request for each.
_FEWER = 20


@dataclass(frozen=True, slots=True)
class Bench:
    """
    What a measure works with.

    Attributes:
        side: Which side.

        opened: The same, set up; nothing has been done with it yet.

        sink: The sink that it sends to, just reset.

        count: How many events are wanted.

        round_trip: How many seconds the sink takes to answer.

        threads: How many threads make the calls.

        held: Whether the sink holds all answers back during the calls.
    """

    side: Side
    opened: Opened
    sink: SinkControl
    count: int
    round_trip: float
    threads: int
    held: bool


def untagged(bench: Bench) -> Figures:
    """Microseconds of a record that is nobody's business."""
    return _cost_of_calls(bench.opened, _made(bench.opened, bench.count))


def tagged(bench: Bench) -> Figures:
    """
    Microseconds of a call on the caller's thread.

    While the sink holds all answers back, it is the call alone. Otherwise the side sends what was
    called before, and takes the time for it from the caller.
    """
    _warm_up(bench)
    side, count = bench.opened, _calls(bench)
    if bench.held and bench.side.delivers and bench.side.backlog:
        bench.sink.hold()
    if bench.threads == 1:
        figures = _cost_of_calls(side, _made(side, count))
    else:
        count -= count % bench.threads
        figures = _cost_in_threads(side, _made(side, count), bench.threads)
    bench.sink.release()
    side.settle()
    side.flush()
    _check_arrival(bench, count)
    return figures


def throughput(bench: Bench) -> Figures:
    """
    Events a second from the first call until all have arrived, with sending going on meanwhile.
    """
    _warm_up(bench)
    side, count = bench.opened, _calls(bench)
    made = _made(side, count)
    gc.freeze()
    started = time.monotonic_ns()
    side.run(made)
    called = time.monotonic_ns()
    side.flush()
    arrived = _check_arrival(bench, count)
    return {
        "events_per_second": count / (arrived.last_ns - started) * 1e9,
        "calls_per_second": count / (called - started) * 1e9,
    }


def draining(bench: Bench) -> Figures:
    """Events a second of a backlog, from the moment in which the server answers again."""
    _warm_up(bench)
    side, count = bench.opened, _calls(bench)
    if bench.side.backlog:
        bench.sink.hold()
        _leave_pending(side, count)
        side.settle()
        gc.collect()
        started = time.monotonic_ns()
        bench.sink.release()
    else:
        made = _made(side, count)
        started = time.monotonic_ns()
        side.run(made)
    side.flush()
    arrived = _check_arrival(bench, count)
    return {
        "events_per_second": count / (arrived.last_ns - started) * 1e9,
        "bytes_per_event": arrived.bytes / arrived.events,
        "events_per_request": arrived.events / arrived.requests,
    }


def memory(bench: Bench) -> Figures:
    """Bytes of resident memory that a pending event takes."""
    _warm_up(bench)
    bench.sink.hold()
    # The first batch gets under way, and with it what sending needs once.
    _leave_pending(bench.opened, 1)
    time.sleep(_UNDER_WAY)
    gc.collect()
    empty = _resident_bytes()
    _leave_pending(bench.opened, bench.count, start=1)
    gc.collect()
    full = _resident_bytes()
    bench.sink.release()
    bench.opened.flush()
    _check_arrival(bench, 1 + bench.count)
    return {"bytes_per_pending_event": (full - empty) / bench.count}


def growth(bench: Bench) -> Figures:
    """
    Microseconds of a call with a thousand events pending, with ten thousand, … up to the count.
    """
    _warm_up(bench)
    bench.sink.hold()
    side, figures, pending, level = bench.opened, {}, 0, 1_000
    while level <= bench.count:
        _leave_pending(side, level - pending, start=pending)
        cost = _cost_of_calls(side, _made(side, _AT_LEVEL, start=level))
        figures[f"us_at_{level}"] = cost["us"]
        pending, level = level + _AT_LEVEL, level * 10
    bench.sink.release()
    side.flush()
    _check_arrival(bench, pending)
    return figures


def hostile(bench: Bench) -> Figures:
    """Microseconds of a call with each of the payloads that cost the most, undisturbed."""
    side, clock = bench.opened, time.perf_counter_ns
    made = {
        name: side.make(Event("5", {"payload": payload})) for name, payload in payloads().items()
    }
    bench.sink.hold()
    best = dict.fromkeys(made, math.inf)
    for _ in range(bench.count):
        for name, one in made.items():
            started = clock()
            side.call(one)
            best[name] = min(best[name], (clock() - started) / 1e3)
    bench.sink.release()
    side.flush()
    _check_arrival(bench, bench.count * len(made))
    return {figure_of(name): us for name, us in best.items()}


def fill(bench: Bench) -> Figures:
    """Leave a spool full and the process as if killed; the first half of `recovery`."""
    bench.sink.hold()
    _leave_pending(bench.opened, bench.count)
    return {"pending": bench.count}


def recovery(open_bench: Callable[[], Bench]) -> Figures:
    """
    Events a second out of a spool that a killed process left, opening it included.

    Beside it, the seconds until the first had arrived, and the memory that it took at most.
    """
    before = _resident_bytes()
    started = time.monotonic_ns()
    bench = open_bench()
    opened = time.monotonic_ns()
    bench.opened.flush()
    arrived = _check_arrival(bench, bench.count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "events_per_second": bench.count / (arrived.last_ns - started) * 1e9,
        "seconds_to_open": (opened - started) / 1e9,
        "seconds_to_first": (arrived.first_ns - started) / 1e9,
        "peak_megabytes": (peak - before) / 1e6,
    }


def import_time(statement: str) -> Figures:
    """Milliseconds of an import in a fresh interpreter, without the interpreter's own start."""
    # Without rich, which structlog imports where it finds it: this benchmark needs it, an
    # application may not, and it takes longer to import than all that is compared here.
    code = (
        "import sys, time; sys.modules['rich'] = None; t = time.perf_counter(); "
        f"{statement}; print(time.perf_counter() - t)"
    )
    seconds = [
        float(
            subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                check=True,
                text=True,
                timeout=60,
            ).stdout
        )
        for _ in range(_IMPORTS)
    ]
    return {"ms": min(seconds) * 1e3}


MEASURES: dict[str, Callable[[Bench], Figures]] = {
    measure.__name__: measure
    for measure in (
        *(untagged, tagged, throughput, draining, memory, growth, hostile, fill),
        *(relay_latency, relay_memory, relay_publishing),
    )
}


def _calls(bench: Bench) -> int:
    return max(1, bench.count // _FEWER) if bench.side.request_a_call else bench.count


def _made(side: Opened, count: int, start: int = 0) -> list[Any]:
    return [side.make(event) for event in events(count, start)]


def _leave_pending(side: Opened, count: int, start: int = 0) -> None:
    """Make calls of which nothing but the side keeps anything."""
    for event in events(count, start):
        side.call(side.make(event))


def _warm_up(bench: Bench) -> None:
    """Make a few calls and have them delivered, so that what is done once is done."""
    side, count = bench.opened, _calls(replace(bench, count=_WARM_UP))
    side.run(_made(side, count))
    side.settle()
    side.flush()
    _check_arrival(bench, count)
    bench.sink.reset(bench.round_trip)


def _cost_of_calls(side: Opened, made: list[Any]) -> Figures:
    """
    Microseconds of a call: of undisturbed blocks, of all blocks, and of single calls.

    Only blocks tell what a call of less than a microsecond takes, since reading the clock takes as
    long. Their lower quartile leaves out what else the machine was busy with. Only single calls
    show the slowest ones.
    """
    half = len(made) // 2
    # What the benchmark itself holds is none of the collector's business.
    gc.collect()
    gc.freeze()
    clock, blocks = time.perf_counter_ns, []
    for first in range(0, half, _BLOCK):
        block = made[first : min(first + _BLOCK, half)]
        started = clock()
        side.run(block)
        blocks.append((clock() - started) / len(block) / 1e3)
    singles, call = [], side.call
    for one in made[half:]:
        started = clock()
        call(one)
        singles.append(clock() - started)
    blocks.sort()
    return {
        "us": blocks[len(blocks) // 4],
        "mean_us": statistics.fmean(blocks),
        **_spread(singles),
    }


def _cost_in_threads(side: Opened, made: list[Any], threads: int) -> Figures:
    """
    Microseconds of a call in several threads: the time that passed, by the number of calls.

    Single calls show how long a thread may have to wait for the others.
    """
    gc.collect()
    gc.freeze()
    singles: list[list[int]] = [[] for _ in range(threads)]
    barrier = threading.Barrier(threads + 1)

    def work(number: int) -> None:
        share, into = made[number::threads], singles[number]
        clock, call = time.perf_counter_ns, side.call
        barrier.wait()
        for one in share:
            started = clock()
            call(one)
            into.append(clock() - started)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    started = time.perf_counter_ns()
    for worker in workers:
        worker.join()
    passed = time.perf_counter_ns() - started
    return {"us": passed / len(made) / 1e3, **_spread([one for into in singles for one in into])}


def _spread(nanoseconds: list[int]) -> Figures:
    nanoseconds.sort()
    return {
        "median_us": nanoseconds[len(nanoseconds) // 2] / 1e3,
        "p99_us": nanoseconds[len(nanoseconds) * 99 // 100] / 1e3,
    }


def _check_arrival(bench: Bench, count: int) -> Arrived:
    arrived = bench.sink.arrived()
    if bench.side.delivers and arrived.events != count:
        raise RuntimeError(f"{count} events were sent and {arrived.events} have arrived")
    return arrived


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
