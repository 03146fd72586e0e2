"""
Distils the vendor's schema to ``schema.json``: what bodies must be, without a word of prose.

``python -m tests.contract.distil FILE`` reads the OpenAPI document of the Track API.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("schema.json")

# The keywords that say what is valid; all others are for readers.
_PLAIN = {"type", "required", "enum", "format", "maxItems", "minItems", "maxProperties"}
_OF_ONE = {"items", "additionalProperties"}
_OF_MANY = {"oneOf", "anyOf", "allOf"}

# Nothing that the Track API takes refers to these: the bodies of the App API's messages.
_MESSAGES = ("sendemail", "sendpush", "sendsms", "sendinbox", "sendinapp")

_COMPONENTS = "#/components/schemas/"


def distil(document: dict[str, Any]) -> dict[str, Any]:
    """
    Return, of every method of every path, the body's schema (null for none), and the components.
    """
    paths = {
        path: {
            method: _body(operation)
            for method, operation in operations.items()
            if method in {"get", "put", "post", "delete"}
        }
        for path, operations in document["paths"].items()
    }
    components: dict[str, Any] = {}
    missing = [*_MESSAGES, *_references(paths)]
    while missing:
        name = missing.pop()
        if name not in components:
            components[name] = _schema(document["components"]["schemas"][name])
            missing += _references(components[name])
    return {"paths": paths, "components": {"schemas": dict(sorted(components.items()))}}


def _body(operation: dict[str, Any]) -> Any:
    if "requestBody" not in operation:
        return None
    return _schema(operation["requestBody"]["content"]["application/json"]["schema"])


def _schema(schema: Any) -> Any:
    if not isinstance(schema, dict):  # additionalProperties may be true
        return schema
    kept: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _PLAIN or keyword == "$ref":
            kept[keyword] = value
        elif keyword in _OF_ONE:
            kept[keyword] = _schema(value)
        elif keyword in _OF_MANY:
            kept[keyword] = [_schema(one) for one in value]
        elif keyword == "properties":
            kept[keyword] = {name: _schema(one) for name, one in value.items()}
    return kept


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for one in schema for name in _references(one)]
    if not isinstance(schema, dict):
        return []
    found = [name for one in schema.values() for name in _references(one)]
    reference = schema.get("$ref")
    return [*found, reference.removeprefix(_COMPONENTS)] if isinstance(reference, str) else found


def _lines(distilled: dict[str, Any]) -> str:
    """JSON with a line for each path and each component."""
    paths, components = (
        ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in part.items())
        for part in (distilled["paths"], distilled["components"]["schemas"])
    )
    return f'{{"paths": {{\n{paths}\n}},\n"components": {{"schemas": {{\n{components}\n}}}}}}\n'


if __name__ == "__main__":
    distilled = distil(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    SCHEMA.write_text(_lines(distilled), encoding="utf-8")
