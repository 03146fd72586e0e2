"""What became of this process's calls, and what will keep it from delivering them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cio_events._delivery.condition import DestinationCondition
from cio_events._delivery.ledger import Stats
from cio_events._process.diagnostics import calls, shown
from cio_events._process.servers import is_known
from cio_events.doctor.finding import Finding
from cio_events.doctor.set_up import SetUp
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found
from cio_events.doctor.words import since, span

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline

# What is dropped or failed for a reason: its meaning, and what to do.
_DROPPED = {
    "full": (
        "more waited than max_pending or max_pending_bytes allow",
        "See whether Customer.io is reached; raise the two, or use a spool.",
    ),
    "unconfigured": (
        "credentials are missing, or a setting cannot be read",
        "The check settings says which.",
    ),
    "disabled": ("the option enabled is off", "Set enabled to true where they are wanted."),
    "before_send": ("before_send returned None, or raised", "Look into before_send."),
    "closed": ("the pipeline was closed before", "Close it at the end of the process alone."),
    "exit": (
        "the process ended before they were delivered",
        "Raise exit_timeout, or use a spool.",
    ),
    "damaged": ("they could not be read in the spool any more", "Look into the disk."),
}
_FAILED = {
    "invalid": (
        "what was logged makes no call",
        "The logger cio_events tells which record and field.",
    ),
    "rejected": (
        "Customer.io refused them",
        "The logger cio_events has Customer.io's words, and so has `cio-events spool list`.",
    ),
    "too_large": (
        "they were over a limit of size",
        "The logger cio_events tells which record and limit.",
    ),
    "expired": (
        "they were older than max_age before Customer.io could be reached",
        "Look at the check credentials; raise max_age, or use a spool.",
    ),
    "ambiguous": (
        "a message may have arrived or not, and is not sent twice",
        "Look at Customer.io whether it was sent.",
    ),
}

# How long a process gets to end, by what runs it: what tells so, its name, seconds.
_SUPERVISORS = (
    ("K_SERVICE", "Cloud Run", 10),
    ("DYNO", "Heroku", 30),
    ("SUPERVISOR_ENABLED", "supervisord", 10),
    ("ECS_CONTAINER_METADATA_URI_V4", "ECS", 30),
    ("KUBERNETES_SERVICE_HOST", "Kubernetes", 30),
    ("INVOCATION_ID", "systemd", 90),
)
_DOCKER = ("/.dockerenv", "Docker", 10)


def look(subject: Subject) -> Iterator[Finding]:
    """Look at each pipeline, and at what runs this process."""
    findings = [*_of_process(subject)]
    pipelines = [one.pipeline for one in subject.set_ups if one.pipeline is not None]
    for pipeline in pipelines:
        findings += _of_pipeline(pipeline)
    yield from findings
    if not pipelines:
        yield found("S701")
    elif not findings:
        stats = [pipeline.stats() for pipeline in pipelines]
        yield found("I700", summary=_summary(stats))


def _summary(stats: list[Stats]) -> str:
    sent, pending = sum(one.sent for one in stats), sum(one.pending for one in stats)
    if not sent and not pending:
        return "Nothing is wrong; nothing was sent by this process yet"
    return f"{calls(sent)} sent and {pending} pending in this process"


def _of_pipeline(pipeline: Pipeline) -> Iterator[Finding]:
    stats, condition = pipeline.stats(), pipeline.condition()
    if pipeline.closed:
        yield found("E702")
    for one in condition.destinations:
        yield from _of_destination(one, pipeline)
    if condition.thread == "lost":
        yield found("E709")
    elif condition.thread == "refused":
        yield found("E707", reason="The system, or uWSGI, refuses it")
    if condition.before_patch:
        yield found("E708", reason="The thread that delivers was started before.")
    for reason, count in stats.dropped_by_reason.items():
        meaning, advice = _DROPPED.get(reason, ("as the page about signals says", ""))
        yield found("W705", count=calls(count), reason=reason, meaning=meaning, advice=advice)
    for reason, count in stats.failed_by_reason.items():
        meaning, advice = _FAILED.get(reason, ("as the page about signals says", ""))
        yield found("W706", count=calls(count), reason=reason, meaning=meaning, advice=advice)
    if stats.in_memory:
        yield found("W713", count=calls(stats.in_memory))


def _of_destination(one: DestinationCondition, pipeline: Pipeline) -> Iterator[Finding]:
    if not one.failures:
        return
    facts = {
        "api": shown(one.name),
        "count": calls(one.waiting),
        "since": "none" if one.oldest is None else since(one.oldest),
        "max_age": span(pipeline.options.max_age),
    }
    if one.held:
        yield found("E703", **facts)
    else:
        yield found("W704", failures=one.failures, delay=span(one.delay), **facts)


def _of_process(subject: Subject) -> Iterator[Finding]:
    yield from _of_uwsgi()
    yield from _of_gevent()
    yield from _of_lambda(subject)
    yield from _of_uvicorn(subject)
    for one in subject.set_ups:
        finding = _of_grace(one, subject.environ)
        if finding is not None:
            yield finding
            return


def _of_uwsgi() -> Iterator[Finding]:
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    options = getattr(uwsgi, "opt", {})
    if not (options.get("enable-threads") or options.get("threads")):
        yield found("E707", reason="uWSGI runs without threads")
    if options.get("die-on-term"):
        yield found("W710", reason="With die-on-term, SIGTERM ends a busy worker at once")
    elif b"gracefully_kill_them_all" not in _bytes(options.get("hook-master-start")):
        yield found("W710", reason="Without the hook, SIGTERM starts uWSGI again")


def _bytes(value: Any) -> bytes:
    values = value if isinstance(value, (list, tuple)) else [value]
    return b" ".join(
        one if isinstance(one, bytes) else str(one).encode("utf-8", "replace") for one in values
    )


def _of_gevent() -> Iterator[Finding]:
    monkey: Any = sys.modules.get("gevent.monkey")
    ssl: Any = sys.modules.get("ssl")
    theirs: Any = sys.modules.get("urllib3.util.ssl_")
    if monkey is None or ssl is None or not monkey.is_module_patched("ssl"):
        return
    if theirs is not None and getattr(theirs, "SSLContext", None) not in (None, ssl.SSLContext):
        yield found(
            "E708",
            reason="urllib3 was imported before, and keeps the old ssl: requests end in a "
            "RecursionError.",
        )


def _of_lambda(subject: Subject) -> Iterator[Finding]:
    if not subject.has_application or not subject.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return
    room: Any = sys.modules.get("cio_events._pipeline.flushing")
    if room is None or not room.flushing.made:
        yield found("W711")


def _of_uvicorn(subject: Subject) -> Iterator[Finding]:
    server: Any = sys.modules.get("uvicorn.server")
    asgi: Any = sys.modules.get("cio_events.integrations.asgi")
    if server is None or is_known(getattr(getattr(server, "Server", None), "shutdown", None)):
        return
    has_line = asgi is not None and asgi.DeliverAtShutdown.made
    if not has_line and any(one.options.spool is None for one in subject.set_ups):
        yield found("W714")


def _of_grace(one: SetUp, environ: Mapping[str, str]) -> Finding | None:
    seconds = one.options.exit_timeout
    supervisors = [(name, grace) for variable, name, grace in _SUPERVISORS if variable in environ]
    path, docker, grace = _DOCKER
    if not supervisors and Path(path).exists():
        supervisors = [(docker, grace)]
    for name, grace in supervisors:
        if seconds > grace:
            told = "without limit" if math.isinf(seconds) else f"{seconds:g}"
            return found("W712", seconds=told, supervisor=name, grace=grace)
    return None
