"""How calls and values are shown to whoever reads why a test has failed: in a line, cut."""

from __future__ import annotations

from cio_events._calls.call import Call, Identifier

# How much of a value is shown, and how much of it before the place that matters.
_SHOWN = 80
_BEFORE = 20


def shown(value: object) -> str:
    """*value* as its repr, cut."""
    return _cut(_text(value))


def _text(value: object) -> str:
    if isinstance(value, Identifier):
        return value.value if value.type == "id" else f"{value.type} {value.value}"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a matcher of the application's
        text = f"<{type(value).__name__}>"
    return " ".join(text.splitlines())


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def differing(expected: object, actual: object) -> str:
    """What was expected and what was, cut so that the place where they differ is shown."""
    texts = [_text(expected), _text(actual)]
    pairs = enumerate(zip(*texts, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(map(len, texts)))
    if same >= _SHOWN - _BEFORE:
        texts = [f"…{text[same - _BEFORE :]}" for text in texts]
    return "expected {}, was {}".format(*map(_cut, texts))


def summary(call: Call, *, whole: bool = False) -> str:
    """*call* as one line: what and who, and of the *whole* of it its payload too."""
    parts = [label(call)]
    for param in ("customer", "anonymous_id", "primary", "subject", "object", "identifiers"):
        who = getattr(call, param, None)
        if who is not None:
            parts.append(f"of {shown(who) if isinstance(who, Identifier) else who}")
            break
    if whole:
        for param in ("data", "attributes", "message_data", "operation"):
            payload = getattr(call, param, None)
            if payload:
                parts.append(shown(payload))
                break
    return " ".join(parts)


def label(call: Call) -> str:
    """What *call* is, with an event's name."""
    name = getattr(call, "name", None)
    if not isinstance(name, str):
        return call.tag
    kind = getattr(call, "type", "event")
    return f'{call.tag if kind == "event" else kind} "{name}"'
