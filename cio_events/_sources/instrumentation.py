"""What well-known instrumentation writes into log records, which is no payload."""

from __future__ import annotations

import sys
from typing import NamedTuple


class Writer(NamedTuple):
    """
    A package that writes into other people's log records.

    Attributes:
        package: What is imported where it is in use.

        own: Names that nobody else gives a value.

        common: Names that an application may use too: they are the package's where it is in use.
    """

    package: str
    own: tuple[str, ...] = ()
    common: tuple[str, ...] = ()


WRITERS = (
    Writer(
        "opentelemetry",
        own=("otelSpanID", "otelTraceID", "otelTraceSampled", "otelServiceName"),
        common=("trace_id", "span_id", "trace_flags"),
    ),
    Writer(
        "ddtrace",
        own=("dd.trace_id", "dd.span_id", "dd.service", "dd.env", "dd.version"),
        common=("dd",),
    ),
    Writer("celery", common=("task_id", "task_name")),
    Writer(
        "asgi_correlation_id",
        own=("celery_parent_id", "celery_current_id"),
        common=("correlation_id",),
    ),
    Writer("uvicorn", own=("color_message",)),
    Writer("rich", common=("markup", "highlighter")),
    Writer("structlog_sentry", own=("sentry_id", "sentry_skip"), common=("sentry",)),
    Writer("awslambdaric", own=("aws_request_id",), common=("tenant_id",)),
    Writer(
        "aws_lambda_powertools",
        own=("xray_trace_id", "function_memory_size", "function_request_id"),
        common=("cold_start", "function_name", "function_arn"),
    ),
    Writer(
        "google.cloud.logging",
        own=("json_fields",),
        common=("trace", "span_id", "trace_sampled", "http_request", "source_location", "labels"),
    ),
    Writer(
        "elasticapm",
        own=(
            "elasticapm_transaction_id",
            "elasticapm_trace_id",
            "elasticapm_span_id",
            "elasticapm_service_name",
            "elasticapm_service_environment",
            "elasticapm_labels",
        ),
    ),
)
"""Whose keys are left out; a new one is a row."""

_OWN = frozenset(name for writer in WRITERS for name in writer.own)
_COMMON = {
    name: [writer.package for writer in WRITERS if name in writer.common]
    for name in sorted({name for writer in WRITERS for name in writer.common})
}


def written_by_instrumentation(key: str) -> bool:
    """Whether *key* is written by instrumentation that is in use."""
    return key in _OWN or (
        key in _COMMON and any(package in sys.modules for package in _COMMON[key])
    )
