"""The findings about the way from a log call to us: structlog, logging, and the probe."""

from __future__ import annotations

from cio_events.doctor.finding import Row

_FIRST = (
    "Make CustomerIOProcessor() the first of the processors (behind filter_by_level, where that "
    "is used)."
)
_LEVEL = (
    "{setter}, or log events at a level that passes; `pipeline.track(...)` knows no levels at all."
)

ROWS: dict[str, Row] = {
    # structlog.
    "I400": Row("structlog", "A tagged event of structlog is captured"),
    "S401": Row("structlog", "structlog is not configured here"),
    "S415": Row("structlog", "structlog hands its events to logging; see there"),
    "E402": Row(
        "structlog",
        "structlog's chain has no CustomerIOProcessor",
        "structlog renders its events before anything of ours sees them: no tagged event of "
        "structlog is captured.",
        _FIRST,
    ),
    "W403": Row(
        "structlog",
        "structlog's chain has no CustomerIOProcessor; only logging is captured",
        "There is a CustomerIOHandler, but structlog renders its events before the handler sees "
        "them: what is logged by structlog is not captured.",
        _FIRST + " If nothing tagged is logged by structlog, all is well.",
    ),
    "E404": Row(
        "structlog",
        "CustomerIOProcessor stands behind {processor}, which renders the event",
        "The event is text there, and its tags cannot be read: no event is captured.",
        _FIRST,
    ),
    "W405": Row(
        "structlog",
        "CustomerIOProcessor stands behind {processor}",
        "What is bound to the context has to be told from what the line says, by a look at the "
        "call that logs. It takes time, and where there is no such call to see, it is a guess.",
        _FIRST,
    ),
    "E406": Row(
        "structlog",
        "CustomerIOProcessor stands behind {processor}, which takes the event's name away",
        "The name is looked for in the key {key!r}, and is not there any more: the call is "
        "`invalid`.",
        _FIRST + " Or, if the other must come first, tell it the new key: "
        'CustomerIOProcessor(event_key="message").',
    ),
    "W407": Row(
        "structlog",
        "CustomerIOProcessor stands behind {processor}, which formats exceptions",
        "Tracebacks are formatted for each event before it is captured, and what comes of them "
        "may be taken for payload.",
        _FIRST,
    ),
    "W408": Row(
        "structlog",
        "CustomerIOProcessor stands behind {processor}, which can drop events",
        "What it drops is not captured: a sample of the log is a sample of the events.",
        _FIRST,
    ),
    "E409": Row(
        "structlog",
        "structlog's wrapper class filters info",
        "It lets {level} through and what is above; log.info() does nothing at all there.",
        _LEVEL.format(setter="Make it with make_filtering_bound_logger(logging.INFO)"),
    ),
    "E410": Row(
        "structlog",
        "The logger {logger} was bound or cached before structlog was configured",
        "It keeps the chain of that time, which has no CustomerIOProcessor "
        "(cache_logger_on_first_use, or a bind() at import). What it logs is not captured.",
        "Configure structlog before that module is imported or logs, or make its logger later.",
    ),
    "W411": Row(
        "structlog",
        "CustomerIOProcessor is {count} times in structlog's chain",
        "Each event is captured once, by the first; the others only look at it.",
        "Leave the first, and take the others away.",
    ),
    "W412": Row(
        "structlog",
        "What other processors add becomes payload: {keys}",
        "CustomerIOProcessor stands behind {processor}, and cannot tell what the line says from "
        "what it adds. Customer.io gets it with each event.",
        _FIRST + " Or name the keys in the option hidden.",
    ),
    "E413": Row(
        "structlog",
        "{processor} keeps tagged events from CustomerIOProcessor",
        "It {does} before CustomerIOProcessor sees the event: it is not captured.",
        _FIRST,
    ),
    "E414": Row(
        "structlog",
        "The chain fails behind CustomerIOProcessor, at {processor}",
        "The event is captured, and the log call raises {error} in the application.",
        "End the chain with a renderer that fits the logger: JSONRenderer or ConsoleRenderer, or "
        "ProcessorFormatter.wrap_for_formatter for logging.",
    ),
    "E416": Row(
        "structlog",
        "log.info() of structlog itself raises {error}",
        "The wrapper class has no such method, or it fails before the first processor: nothing "
        "that is logged so is captured.",
        "Give structlog a wrapper_class that has info(), such as "
        "make_filtering_bound_logger(logging.INFO), with a logger_factory that fits it.",
    ),
    "E417": Row(
        "structlog",
        "structlog's chain has CustomerIOProcessor without parentheses",
        "It is the class and not a processor: each log call raises TypeError in the application.",
        "Write CustomerIOProcessor() in the list of processors.",
    ),
    # logging.
    "I500": Row("logging", "A tagged record of {what} is captured"),
    "S501": Row("logging", "No CustomerIOHandler is on any logger; see structlog"),
    "E502": Row(
        "logging",
        "No CustomerIOHandler is on any logger",
        "structlog has no CustomerIOProcessor either: no tagged record of anybody is captured.",
        'Add the handler {{"class": "cio_events.CustomerIOHandler"}} to root in the dictConfig; '
        "with structlog, make CustomerIOProcessor() the first of its processors.",
    ),
    "E503": Row(
        "logging",
        "The CustomerIOHandler on {logger} has level {level}",
        "log.info() with a tag does not get through: its event is lost without a word.",
        _LEVEL.format(setter="Leave the level away, or set it to INFO"),
    ),
    "E504": Row(
        "logging",
        "{logger} has level {level}, above INFO",
        "log.info() with a tag ends there, before it is captured: its event is lost without a "
        "word. (Python gives root the level WARNING, and a logger without one has that.)",
        _LEVEL.format(setter='Set "level": "INFO" for {at}'),
    ),
    "W505": Row(
        "logging",
        "{logger} has level {level}, above INFO",
        "log.info() with a tag does nothing there: its event is lost without a word.",
        _LEVEL.format(setter="Set its level to INFO, if it logs events"),
    ),
    "E506": Row(
        "logging",
        "logging.disable({level}) is in force",
        "No logger does anything for log.info(): all its events are lost without a word.",
        "Take the call of logging.disable away.",
    ),
    "E507": Row(
        "logging",
        "{logger} is disabled",
        "A dictConfig or fileConfig without disable_existing_loggers=False disables each logger "
        "that was made before. What it logs is lost without a word.",
        'Put "disable_existing_loggers": False into the dictConfig.',
    ),
    "W508": Row(
        "logging",
        "{logger} does not propagate to where a CustomerIOHandler is",
        "It, or one above it, has propagate=False: its events are lost without a word.",
        'Put the handler "customerio" into its handlers too, or take "propagate": False away. '
        "(Each record is captured once.)",
    ),
    "E509": Row(
        "logging",
        "The queue of {queue} destroys tags",
        "A QueueHandler makes text of a structlog event: the CustomerIOHandler behind it finds "
        "no tags, and no event is captured.",
        "Put CustomerIOProcessor() first into structlog's chain, or the CustomerIOHandler beside "
        "the queue (it never waits).",
    ),
    "E510": Row(
        "logging",
        "Nobody takes records from the queue of {queue}",
        "A CustomerIOHandler was meant to stand behind it, and no QueueListener runs.",
        "Start the listener: `logging.getHandlerByName(...).listener.start()` from Python 3.12 "
        "on, or `QueueListener(queue, handler).start()`.",
    ),
    "W511": Row(
        "logging",
        "A filter lets the probe not through: {filter} of {owner}",
        "What a filter holds back in front of a CustomerIOHandler is no event.",
        "Let records with tags pass it, or put it on the other handlers alone.",
    ),
    "W512": Row(
        "logging",
        "{handler} writes a record before CustomerIOHandler has captured it",
        "It stands before it in the list, and {does}.",
        "Put the CustomerIOHandler first in the list of handlers: then the record shows plain "
        "tags and its cio_event_id.",
    ),
    "W513": Row(
        "logging",
        "A worker of Celery will take the CustomerIOHandler from {logger}",
        "Celery empties that logger when a worker starts (worker_hijack_root_logger): what tasks "
        "log is not captured.",
        "Call `cio_events.integrations.celery.install()` in the module that makes the Celery "
        "application.",
    ),
    "E514": Row(
        "logging",
        "A CustomerIOHandler is on no logger",
        "No logger has it among its handlers, or it was taken away: nothing is captured by it.",
        'Name it in the "handlers" of root or of a logger in the dictConfig. If something empties '
        "that logger later, add the handler behind that.",
    ),
    "E515": Row(
        "logging",
        "loguru gives its sink, the CustomerIOHandler, no lines below {level}",
        "logger.info() with a tag does not get through: its event is lost without a word.",
        _LEVEL.format(setter='Add it with level="INFO"'),
    ),
    "E516": Row(
        "logging",
        "CustomerIOHandler without parentheses is on {logger}",
        "It is the class and not a handler: each log call there raises AttributeError in the "
        "application.",
        "Give the logger CustomerIOHandler().",
    ),
    # The probe.
    "I600": Row("probe", "The probe arrives by {ways}"),
    "S601": Row("probe", "There is no way in for a probe: see structlog and logging"),
    "E602": Row(
        "probe",
        "A tagged line of {entrance} does not arrive",
        "The probe, a record with a reserved name, went in there and was lost at the arrow: "
        "{reason}.",
        "Change what stands at the arrow; the findings above name it, if they know it.",
    ),
}
