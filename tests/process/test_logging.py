"""Configured by logging, and configured again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.process.life import live, names
from tests.support.servers import ScriptedServer, stall

if TYPE_CHECKING:
    from pathlib import Path

    from cio_events.sandbox import Sandbox

CONFIG = """
import logging.config
CONFIG = {
    "version": 1,
    "disable_existing_loggers": True,
    "handlers": {
        "cio": {
            "class": "cio_events.CustomerIOHandler",
            "site_id": "site",
            "api_key": "key",
            "flush_interval": 0.05,
            "exit_timeout": 20,
        },
    },
    "root": {"level": "INFO", "handlers": ["cio"]},
}
logging.config.dictConfig(CONFIG)
root = logging.getLogger()

def pipeline():
    return root.handlers[0]._pipeline
"""


def test_dict_config_again_with_a_silent_server_returns_at_once_and_loses_nothing() -> None:
    """It flushes and closes the handlers under logging's own lock, with a thousand pending."""
    with ScriptedServer([stall()]) as server:
        started = time.monotonic()
        life = live(
            CONFIG.replace("20,", "0.2,")
            + """
for number in range(1000):
    root.info("event", extra={"cio_customer": "5"})
first = pipeline()
time.sleep(0.3)
times = []
for _ in range(5):
    started = time.monotonic()
    logging.config.dictConfig(CONFIG)
    times.append(time.monotonic() - started)
assert pipeline() is first
root.info("event", extra={"cio_customer": "5"})
stats = first.stats()
print(min(times) < 0.1, max(times) < 5, stats.received, stats.pending, stats.dropped)
print(sum(thread.name == "cio_events" for thread in threading.enumerate()))
""",
            server.url,
        )

    assert life.code == 0
    assert time.monotonic() - started < 30
    assert life.lines == ["True True 1001 1001 0", "1"]
    assert "1001 calls" in life.err


def test_dict_config_with_other_options_delivers_what_the_first_pipeline_has(
    sandbox: Sandbox,
) -> None:
    """The one before goes on, and both deliver at the exit."""
    life = live(
        CONFIG
        + """
root.info("first", extra={"cio_customer": "5"})
CONFIG["handlers"]["cio"]["flush_interval"] = 3600
logging.config.dictConfig(CONFIG)
root.info("second", extra={"cio_customer": "5"})
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert sorted(names(sandbox)) == ["first", "second"]


def test_a_handler_that_logs_from_the_flushing_thread_does_not_deadlock(
    sandbox: Sandbox,
) -> None:
    """urllib3 logs at DEBUG while the main thread reconfigures logging over and over."""
    life = live(
        CONFIG
        + """
CONFIG["handlers"]["console"] = {"class": "logging.FileHandler", "filename": os.devnull}
CONFIG["root"] = {"level": "DEBUG", "handlers": ["cio", "console"]}
CONFIG["disable_existing_loggers"] = False
for number in range(150):
    logging.config.dictConfig(CONFIG)
    logging.getLogger().info("event", extra={"cio_customer": "5"})
assert pipeline().flush(20)
print(pipeline().stats().sent)
""",
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["150"]


def test_what_is_said_is_heard_where_loggers_are_disabled() -> None:
    """``disable_existing_loggers`` is what dictConfig does by default."""
    life = live(
        CONFIG.replace("20,", "0.2,") + 'root.info("event", extra={"cio_customer": "5"})',
        "http://127.0.0.1:1",
    )

    assert life.code == 0
    assert "1 call could not be delivered before the exit and is lost" in life.err


def test_logging_in_a_file_and_from_there_to_customer_io(sandbox: Sandbox, tmp_path: Path) -> None:
    """The line in the file is the one that was logged, and shows the event's id."""
    file = tmp_path / "app.log"
    life = live(
        f"""
        handler = logging.FileHandler({str(file)!r})
        handler.setFormatter(logging.Formatter("%(message)s %(cio_event_id)s"))
        log.addHandler(handler)
        make()
        for number in range(3):
            say(f"event {{number}}")
        """,
        sandbox.url,
    )

    assert (life.code, life.err) == (0, "")
    assert file.read_text().splitlines() == [
        f"event {number} {event.id}" for number, event in enumerate(sandbox.events)
    ]


def test_structlog_is_left_alone(sandbox: Sandbox) -> None:
    """It takes longer to import than all of ours."""
    life = live(
        """
        make()
        say("bought")
        log.info("no call", extra={"cio_identity": "5"})
        print(any(name.startswith(("structlog", "rich")) for name in sys.modules))
        """,
        sandbox.url,
        fresh=True,
    )

    assert (life.code, life.err) == (0, "")
    assert life.lines == ["False"]
    assert names(sandbox) == ["bought"]
