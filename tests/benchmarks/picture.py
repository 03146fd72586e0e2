"""The cost of a call beside the peers, as a picture (SVG)."""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.benchmarks.harness import RowResult

_BARS: tuple[tuple[str, str, str], ...] = (
    ("structlog alone", "structlog, the log line alone", "line"),
    ("structlog", "structlog, log line and event", "ours"),
    ("logging alone", "logging, the log line alone", "line"),
    ("logging", "logging, log line and event", "ours"),
    ("Pipeline.track", "Pipeline.track, the event alone", "ours"),
    ("posthog", "posthog capture()", "peer"),
    ("segment", "segment track()", "peer"),
    ("customerio-cdp", "customerio-cdp track()", "peer"),
)
"""The sides that are shown, what they are called there, and their kind."""

_COLOURS = {"ours": "#4f46e5", "line": "#a5b4c8", "peer": "#d6894a"}
_INK, _FAINT, _PAPER = "#1f2937", "#6b7280", "#ffffff"

_WIDTH, _LEFT, _RIGHT = 760, 236, 76
_TOP, _STEP, _THICK, _BOTTOM = 74, 30, 18, 36
_FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def draw(tagged: RowResult, footnote: str) -> str:
    """The picture of the row ``tagged``; sides that show nothing are left out."""
    bars = [
        (label, kind, value)
        for side, label, kind in _BARS
        if side in tagged.sides
        and (value := tagged.sides[side].median(tagged.row.figure)) is not None
    ]
    height = _TOP + _STEP * len(bars) + _BOTTOM
    longest = max((value for _, _, value in bars), default=1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
        f' width="{_WIDTH}" height="{height}" font-family="{_FONT}" role="img">',
        "<title>Cost of a call on the caller's thread, in microseconds</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="{_PAPER}"/>',
        _text(24, 32, "Cost of a call on the caller's thread", size=17, weight=600),
        _text(24, 53, "microseconds, less is better", size=13, colour=_FAINT),
    ]
    for number, (label, kind, value) in enumerate(bars):
        top = _TOP + number * _STEP
        middle, length = top + _THICK / 2 + 4.5, max(1.0, value * scale)
        parts += [
            _text(_LEFT - 10, middle, label, anchor="end"),
            f'<rect x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_THICK}" rx="3"',
            f' fill="{_COLOURS[kind]}"/>',
            _text(_LEFT + length + 8, middle, f"{value:.1f} µs", weight=600),
        ]
    parts += [_text(24, height - 16, footnote, size=11, colour=_FAINT), "</svg>"]
    return "\n".join(parts) + "\n"


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 13,
    weight: int = 400,
    colour: str = _INK,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'
    )
