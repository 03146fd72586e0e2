"""
The benchmarks still run, count exactly and divide rightly; how fast anything is, is not asked.
"""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
import requests

pytest.importorskip("rich")

from tests.benchmarks import bars, measures
from tests.benchmarks.event import NAME, events
from tests.benchmarks.harness import Measured, RowResult, judge
from tests.benchmarks.rows import PEERS, ROWS
from tests.benchmarks.sides import SIDES
from tests.benchmarks.sides.side import Opened, Side
from tests.benchmarks.sink_control import SinkControl, running_sink
from tests.support.effort import THOROUGH

_ROOT = Path(__file__).parents[2]
_ROWS = {row.name: row for row in ROWS}


@pytest.fixture
def sink() -> Iterator[SinkControl]:
    """A sink of this test's own."""
    with running_sink() as running:
        yield running


def _body(count: int, **json_options: object) -> bytes:
    batch = [{"name": NAME, "data": event.properties} for event in events(count)]
    return json.dumps({"batch": batch}, **json_options).encode()  # type: ignore[arg-type]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class TestSink:
    def test_counts_the_events_of_every_form_of_body(self, sink: SinkControl) -> None:
        """Spaces or none, zipped or not: an event is one; a body without any is a request."""
        with requests.Session() as session:
            session.post(sink.url, data=_body(3))
            session.post(sink.url, data=_body(5_000, separators=(",", ":")))
            zipped = gzip.compress(_body(40))
            session.put(sink.url, data=zipped, headers={"Content-Encoding": "gzip"})
            session.post(sink.url, data=b"{}")

        arrived = sink.arrived()

        assert (arrived.events, arrived.requests) == (5_043, 4)
        assert arrived.first_ns < arrived.last_ns <= time.monotonic_ns()

    def test_counts_what_comes_over_many_connections_at_once(self, sink: SinkControl) -> None:
        """The counts of all connections add up."""
        senders = [requests.Session() for _ in range(8)]
        for sender in senders * 5:
            sender.post(sink.url, data=_body(20))
        for sender in senders:
            sender.close()

        assert sink.arrived().events == 8 * 5 * 20

    def test_answers_a_round_trip_later(self, sink: SinkControl) -> None:
        """Connecting takes one round trip, and the answer another."""
        sink.reset(round_trip=0.2)
        started = time.monotonic()

        requests.post(sink.url, data=_body(1), timeout=30)

        assert time.monotonic() - started >= 0.4  # one of them is for connecting

    def test_neither_counts_nor_answers_while_it_holds(self, sink: SinkControl) -> None:
        """A request that comes meanwhile is counted after the release."""
        sink.hold()
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(requests.post, sink.url, data=_body(1), timeout=30)
            wait([answer], timeout=0.5)
            assert not answer.done()
            assert sink.arrived().events == 0

            sink.release()

            assert answer.result(timeout=30).status_code == 200
        assert sink.arrived().events == 1

    def test_ends_with_whoever_started_it(self) -> None:
        """Also when that one is killed, so that no sink is left behind."""
        code = (
            "import time; from tests.benchmarks.sink_control import running_sink\n"
            "with running_sink() as sink: print(sink.port, flush=True); time.sleep(60)"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=_ROOT, stdout=subprocess.PIPE, text=True
        ) as starter:
            assert starter.stdout is not None
            port = int(starter.stdout.readline())
            assert SinkControl(port).arrived().events == 0

            starter.kill()

        patience = time.monotonic() + 30
        while _listens(port):
            assert time.monotonic() < patience
            time.sleep(0.05)

    def test_forgets_when_it_is_reset(self, sink: SinkControl) -> None:
        """The next side starts at zero, also with a request of the last one's still held."""
        requests.post(sink.url, data=_body(7), timeout=30)
        sink.hold()
        with ThreadPoolExecutor() as pool:
            held = pool.submit(requests.post, sink.url, data=_body(1), timeout=30)
            wait([held], timeout=0.5)

            sink.reset()

            assert held.result(timeout=30).status_code == 200
        assert sink.arrived().events == 0


class TestRatios:
    def test_are_the_median_of_the_rounds_taken_in_pairs(self) -> None:
        """Not the ratio of the medians, which a drift of the machine would bend."""
        row = _ROWS["memory"]
        result = RowResult(
            row,
            {
                "one": Measured([{row.figure: value} for value in (10.0, 30.0, 90.0)]),
                "other": Measured([{row.figure: value} for value in (10.0, 10.0, 45.0)]),
                "absent": Measured(trouble="not installed"),
            },
        )

        ratio = result.ratio("one", "other")

        assert ratio is not None
        assert (ratio.lowest, ratio.median, ratio.highest) == (1.0, 2.0, 3.0)
        assert result.ratio("one", "absent") is None

    @pytest.mark.parametrize(
        ("row", "best"), [("memory", "segment"), ("throughput", "customerio-cdp")]
    )
    def test_of_a_bar_are_with_the_best_of_the_peers(self, row: str, best: str) -> None:
        """The leanest where less is better, the fastest where more is."""
        figure = _ROWS[row].figure
        values = {"posthog": 40.0, "segment": 20.0, "customerio-cdp": 80.0}
        sides = {side: Measured([{figure: value}]) for side, value in values.items()}
        ours = {bar.side: Measured([{figure: 10.0}]) for bar in bars.BARS if bar.row == row}

        judged = judge([RowResult(_ROWS[row], {**sides, **ours})])

        assert judged
        for bar in judged:
            assert bar.against == best
            assert bar.ratio is not None
            assert bar.ratio.median == 10.0 / values[best]

    def test_cannot_be_told_without_a_peer(self) -> None:
        """Then a bar is neither reached nor missed."""
        row = _ROWS["memory"]
        absent = {side: Measured(trouble="not installed") for side in PEERS}
        ours = {"Pipeline.track": Measured([{row.figure: 10.0}])}

        (bar,) = judge([RowResult(row, {**absent, **ours})])

        assert bar.reached is None


def test_a_side_that_loses_an_event_fails_its_measure(sink: SinkControl) -> None:
    """Throwing events away is no way to be fast."""

    def lossy(event: object) -> None:
        called.append(event)
        if len(called) != 100:
            requests.post(sink.url, data=_body(1), timeout=30)

    called: list[object] = []
    side = Side("lossy", lambda _url, _dir: Opened(lossy), backlog=False, request_a_call=True)
    bench = measures.Bench(side, Opened(lossy), sink, 2_000, round_trip=0.0, threads=1, held=False)

    with pytest.raises(RuntimeError, match="100 events were sent and 99 have arrived"):
        measures.throughput(bench)


def test_every_row_and_bar_names_sides_that_there_are() -> None:
    """A side that was renamed is renamed everywhere."""
    for row in ROWS:
        assert row.reference in row.sides
        if row.measure != "import_time":
            assert set(row.sides) <= set(SIDES)
    for bar in bars.BARS:
        assert {bar.side, *bar.against} <= set(_ROWS[bar.row].sides)


# In a usual run one of ours, one of the others and what a bar compares with stand for all: each is
# a process that imports much.
_FEW = "^(Pipeline.track|ready-made bodies|structlog alone|segment)$"
_SHOWN = () if THOROUGH else ("--sides", _FEW)


def test_a_quick_run_keeps_its_figures_and_draws_its_picture(tmp_path: Path) -> None:
    """All sides that are installed run; the others are said to be missing."""
    kept, picture = tmp_path / "figures.json", tmp_path / "picture.svg"

    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks", "--quick", "--rounds", "1"),
            *("--rows", "tagged,draining"),
            *_SHOWN,
            *("--json", str(kept), "--svg", str(picture)),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    result = json.loads(kept.read_text())
    for name in ("tagged", "draining"):
        for side, measured in result["rows"][name]["sides"].items():
            if SIDES[side].missing():
                assert measured == {"trouble": "not installed"}
            else:
                assert "trouble" not in measured, (side, measured)
                (figures,) = measured["rounds"]
                assert figures[result["rows"][name]["figure"]] > 0
    assert {bar["title"] for bar in result["bars"]} == {
        bar.title for bar in bars.BARS if bar.row in ("tagged", "draining")
    }
    words = [text.text for text in ET.parse(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert "Pipeline.track, the event alone" in words
    assert "a tagged record" in ran.stdout
