"""The findings about the way from us to Customer.io: delivery in this process, and the spool."""

from __future__ import annotations

from cio_events.doctor.finding import Row

ROWS: dict[str, Row] = {
    # Delivery.
    "I700": Row("delivery", "{summary}"),
    "S701": Row("delivery", "No pipeline has been made in this process"),
    "E702": Row(
        "delivery",
        "The default pipeline is closed",
        "Every call that it still gets is dropped as `closed`.",
        "Close it at the end of the process alone; `flush()` delivers and goes on.",
    ),
    "E703": Row(
        "delivery",
        "Delivery to {api} is held: the settings are refused",
        "Waiting: {count}, {since}. Nothing is lost yet; after max_age ({max_age}) they expire.",
        "The check credentials says what is wrong. Once it is mended, they are sent.",
    ),
    "W704": Row(
        "delivery",
        "Delivery to {api} fails for now (failures in a row: {failures})",
        "Waiting: {count}, {since}; tried again in {delay}. After max_age ({max_age}) they "
        "expire.",
        "The check credentials says whether it is the network. Otherwise wait.",
    ),
    "W705": Row(
        "delivery",
        "Dropped as `{reason}`: {count}",
        "They are gone: {meaning}.",
        "{advice}",
    ),
    "W706": Row(
        "delivery",
        "Failed as `{reason}`: {count}",
        "They are given up: {meaning}.",
        "{advice}",
    ),
    "E707": Row(
        "delivery",
        "No thread can be started in this process",
        "{reason}. Calls are sent when the pipeline is flushed, or never.",
        "uWSGI: set enable-threads = true. Elsewhere look at the limits (`ulimit -u`, pids.max).",
    ),
    "E708": Row(
        "delivery",
        "gevent has patched this process too late",
        "{reason}",
        "Call `gevent.monkey.patch_all()` before anything else is imported (gunicorn's gevent "
        "worker does so, unless the application is preloaded).",
    ),
    "E709": Row(
        "delivery",
        "This process was forked without Python's hooks",
        "The thread that delivers stayed in the parent process, and this one does not know it.",
        "Fork by `os.fork` or multiprocessing; make the pipeline in the child otherwise.",
    ),
    "W710": Row(
        "delivery",
        "uWSGI ends its workers without exit hooks",
        "{reason}: what a worker has pending is lost.",
        "Set hook-master-start = unix_signal:15 gracefully_kill_them_all, without die-on-term.",
    ),
    "W711": Row(
        "delivery",
        "A function of AWS Lambda runs without flushing()",
        "The process is frozen when the function has returned, with all that waits in it.",
        "Decorate the handler with @cio_events.flushing().",
    ),
    "W712": Row(
        "delivery",
        "exit_timeout is {seconds} s, and {supervisor} kills after {grace} s",
        "When Customer.io does not answer, the end of the process takes longer than it is given.",
        "Set exit_timeout to less than {grace} s, or give more time where the process is run.",
    ),
    "W713": Row(
        "delivery",
        "In memory alone, though there is a spool: {count}",
        "The disk is full or broken: they do not survive a crash.",
        "The check spool says what is wrong with the directory.",
    ),
    "W714": Row(
        "delivery",
        "This uvicorn is another than is known",
        "uvicorn ends itself by the signal that asked for it, and no exit hook runs then: what "
        "is pending at SIGTERM is lost.",
        "Put cio_events.integrations.asgi.DeliverAtShutdown around the application.",
    ),
    # The spool.
    "I800": Row("spool", "{summary}"),
    "S801": Row("spool", "No spool is set: calls wait in memory"),
    "E802": Row(
        "spool",
        "The directory of the spool cannot be used: {problem}",
        "Calls wait in memory, and do not survive a crash.",
        "Give a directory that belongs to the user of the application, with mode 0700, and is no "
        "link.",
    ),
    "W803": Row(
        "spool",
        "The disk of the spool has {free} left",
        "When it is full, calls wait in memory, and do not survive a crash.",
        "Make room, or give another directory.",
    ),
    "E804": Row(
        "spool",
        "The disk of the spool is full: {free} left",
        "Calls wait in memory, and do not survive a crash.",
        "Make room, or give another directory.",
    ),
    "W805": Row(
        "spool",
        "The spool is on a network file system ({kind})",
        "SQLite's locks cannot be relied on there: calls may be sent twice or be damaged.",
        "Give a directory on a local disk.",
    ),
    "W806": Row(
        "spool",
        "Waiting for another workspace: {count}",
        "They were accepted with another site id, URL or App API key; only a process with those "
        "delivers them.",
        "Start a process with the former settings once, or delete the files if nobody needs them.",
    ),
    "W807": Row(
        "spool",
        "Left by processes that are gone: {count}, the oldest {since}",
        "A process runs with this spool, and should have taken them within seconds.",
        "Look for a warning of the logger cio_events in its log.",
    ),
    "W808": Row(
        "spool",
        "Calls wait {since}, and expire after {max_age}",
        "More than half of the time is over. An event of over 72 hours triggers no campaign.",
        "Start a process with this spool and these settings.",
    ),
    "E809": Row(
        "spool",
        "Calls wait {since}, longer than max_age ({max_age})",
        "They are given up as `expired` by the next process that has this spool.",
        "Start a process with a longer max_age, if they are still wanted.",
    ),
    "W810": Row(
        "spool",
        "Failed for good as `{reason}`: {count}",
        "They lie in the spool as dead letters, the oldest {since}; after 30 days they go.",
        "`cio-events spool list {directory} --reason {reason}` shows them, `show`, `resend` and "
        "`discard` do the rest.",
    ),
    "W811": Row(
        "spool",
        "Damaged files in the spool: {count}",
        "What could be read of them was saved or will be; the rest is set aside.",
        "Look into the disk. Delete the files that end in .damaged when nobody needs them.",
    ),
}
