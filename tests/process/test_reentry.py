"""Records that are logged amid our own code: by finalizers, signal handlers and receivers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.process.life import ids_sent, live, names

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

# Runs the garbage collector before every so many lines of the library's own code, on each thread
# that executes it, and leaves garbage for it whose finalizer logs.
COLLECTING = """
import gc

class Garbage:
    def __init__(self):
        self.itself = self

    def __del__(self):
        global collected
        say("finalizer")
        collected += 1

finalized = 0
collected = 0
lines = 0

def trace(frame, event, argument):
    if "cio_events" not in frame.f_code.co_filename:
        return None
    return line

def line(frame, event, argument):
    global lines, finalized
    lines += 1
    if lines % EVERY == 0 and finalized < 300:
        finalized += 1
        Garbage()
        gc.collect(0)
    return line

gc.disable()

def balanced(pipeline):
    stats = pipeline.stats()
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending, stats
    return stats
"""


@pytest.mark.parametrize("every", [1, 7, 61])
def test_a_finalizer_that_logs_amid_any_line_of_ours(sandbox: Sandbox, every: int) -> None:
    """On the application's threads and on the flushing thread: it neither hangs nor is lost."""
    life = live(
        COLLECTING.replace("EVERY", str(every))
        + """
threading.settrace(trace)
pipeline = make(flush_interval=0.001)
sys.settrace(trace)
logged = 0
while finalized < 300:
    logged += 1
    say("line")
    if logged % 10 == 0:
        assert pipeline.flush(20)
    balanced(pipeline)
sys.settrace(None)
while collected < finalized:
    gc.collect()  # does nothing while another thread collects
    time.sleep(0.001)
assert pipeline.flush(20)
stats = balanced(pipeline)
print(stats.sent == logged + finalized, stats.failed, stats.dropped, finalized, logged)
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    good, failed, dropped, finalized, logged = life.out.split()
    assert (good, failed, dropped) == ("True", "0", "0")
    assert Counter(names(sandbox)) == {"line": int(logged), "finalizer": int(finalized)}
    assert set(Counter(ids_sent(sandbox)).values()) == {1}


def test_a_finalizer_that_logs_while_calls_are_sent_inline(sandbox: Sandbox) -> None:
    """Where there is no thread, it interrupts the delivery on the thread that it runs on."""
    life = live(
        COLLECTING.replace("EVERY", "31")
        + """
def refuse(self):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
logging.getLogger("cio_events").setLevel(logging.CRITICAL)
import warnings
warnings.simplefilter("ignore")
pipeline = make()
sys.settrace(trace)
logged = 0
while finalized < 300:
    logged += 1
    say("line")
    if logged % 10 == 0:
        assert pipeline.flush(20)
sys.settrace(None)
gc.collect()
assert pipeline.flush(20)
print(balanced(pipeline).sent == logged + finalized)
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["True"]


@pytest.mark.parametrize("threaded", [True, False], ids=["thread", "inline"])
@pytest.mark.parametrize("before_send", ["None", "lambda call: call"], ids=["", "before_send"])
def test_a_signal_handler_that_logs(sandbox: Sandbox, *, threaded: bool, before_send: str) -> None:
    """Again and again, while the main thread logs and delivers."""
    life = live(
        COLLECTING
        + f"""
if not {threaded}:
    def refuse(self):
        raise RuntimeError("can't start new thread")
    threading.Thread.start = refuse
    logging.getLogger("cio_events").setLevel(logging.CRITICAL)
    import warnings
    warnings.simplefilter("ignore")
"""
        + f"""
handled = 0

def handler(signum, frame):
    global handled
    handled += 1
    say("handler")

signal.signal(signal.SIGVTALRM, handler)
pipeline = make(flush_interval=0.001, before_send={before_send})
signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005, 0.0005)
logged = 0
while handled < 30:
    logged += 1
    say("line")
    if logged % 100 == 0:
        balanced(pipeline)
        assert pipeline.flush(20)
signal.setitimer(signal.ITIMER_VIRTUAL, 0, 0)
assert pipeline.flush(20)
stats = balanced(pipeline)
print(stats.sent, logged + handled, stats.received)
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    sent, logged, received = life.out.split()
    assert sent == logged == received


def test_a_signal_handler_may_flush(sandbox: Sandbox) -> None:
    """Whatever it has interrupted, it comes back."""
    life = live(
        """
        handled = 0
        handling = False

        def handler(signum, frame):
            global handled, handling
            handled += 1
            say("handler")
            if not handling:
                handling = True
                pipeline.flush(0.02)
                handling = False

        signal.signal(signal.SIGVTALRM, handler)
        pipeline = make(flush_interval=0.001)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.005, 0.005)
        logged = 0
        while handled < 30:
            logged += 1
            say("line")
        signal.setitimer(signal.ITIMER_VIRTUAL, 0, 0)
        assert pipeline.flush(20)
        print(pipeline.stats().sent == logged + handled)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["True"]


def test_receivers_that_raise_stop_nothing(sandbox: Sandbox) -> None:
    """Whatever they raise, the calls count, the others are told, and flush() is honest."""
    life = live(
        """
        errors = [ValueError("x"), SystemExit(3), RecursionError(), MemoryError()]
        told = []

        def raising(sender, report):
            told.append(report.id)
            raise errors[len(told) % 4]

        def other(sender, report):
            others.append(report.id)

        others = []
        cio_events.signals.sent.connect(raising)
        cio_events.signals.sent.connect(other)
        logging.getLogger("cio_events").setLevel(logging.CRITICAL)
        import warnings
        warnings.simplefilter("ignore")
        pipeline = make(flush_interval=0)
        for number in range(40):
            say("event")
            if number % 10 == 0:
                time.sleep(0.05)
        assert pipeline.flush(20)
        print(len(told), len(set(told)), len(others), pipeline.stats().sent)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["40 40 40 40"]


def test_a_flushing_thread_that_is_ended_is_started_again(sandbox: Sandbox) -> None:
    """By an exception that none of our code may stop, for example; nothing is lost by it."""
    life = live(
        """
        class Killed(BaseException):
            pass

        ends = []
        threading.excepthook = lambda args: ends.append(args.exc_type.__name__)

        @cio_events.signals.sent.connect
        def kill(sender, report):
            if report.call.name == "killer":
                raise Killed

        pipeline = make(flush_interval=0)
        for number in range(5):
            say("killer")
            deadline = time.monotonic() + 20
            while len(ends) <= number and time.monotonic() < deadline:
                time.sleep(0.01)
            say("event")
        assert pipeline.flush(20)
        stats = pipeline.stats()
        print(ends, stats.sent, stats.pending)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == [f"{['Killed'] * 5} 10 0"]
    assert Counter(names(sandbox)) == {"killer": 5, "event": 5}


def test_what_a_receiver_logs_is_not_taken(sandbox: Sandbox) -> None:
    """It would never end. What it sends through the pipeline itself is its own decision."""
    life = live(
        """
        @cio_events.signals.sent.connect
        def receiver(sender, report):
            say("logged in a receiver")
            if report.call.name == "event":
                pipeline.track("5", "sent in a receiver")

        pipeline = make(flush_interval=0)
        say("event")
        assert pipeline.flush(20)
        time.sleep(0.3)
        assert pipeline.flush(20)
        print(pipeline.stats().received)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["2"]
    assert names(sandbox) == ["event", "sent in a receiver"]


def test_a_receiver_may_flush_and_close(sandbox: Sandbox) -> None:
    """It cannot wait for itself, and is told so by the answer."""
    life = live(
        """
        @cio_events.signals.sent.connect
        def receiver(sender, report):
            print(pipeline.flush(40), pipeline.close(40), flush=True)
            done.set()

        done = threading.Event()
        pipeline = make(flush_interval=0, api="v1")
        say("event")
        say("event")
        assert done.wait(20)
        stats = pipeline.stats()
        print(stats.received, stats.pending)
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines[-1] == "2 0"
    assert all(line in ("False False", "True True", "False True") for line in life.lines[:-1])
