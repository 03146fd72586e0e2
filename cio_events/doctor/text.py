"""What was found, as text for a terminal of 80 columns, and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from cio_events.doctor.examination import Result
from cio_events.doctor.finding import Finding, Level
from cio_events.doctor.way import ARROW

_WIDTH = 80
_NAME = 13
_INDENT = " " * 4
_NO_BREAK = "\u00a0"

# The mark, for a terminal that cannot show it, and the colour.
_LOOKS: dict[Level, tuple[str, str, str]] = {
    "ok": ("✓", "ok", "32"),
    "warning": ("!", "!", "33"),
    "error": ("✗", "x", "31"),
    "skipped": ("\u2013", "-", "2"),
}

_BAD: tuple[Level, ...] = ("error", "warning")


class Style:
    """
    How text is shown.

    Args:
        colour: Whether with colours.

        encoding: What the terminal can show.

        verbose: Whether with durations, and with what is well in full.
    """

    def __init__(self, *, colour: bool, encoding: str, verbose: bool) -> None:
        self._colour = colour
        self._plain = not _can_show(encoding)
        self._verbose = verbose

    def lines(self, result: Result) -> Iterator[str]:
        """One check: a line for each finding, and below it why and how to mend."""
        name = result.check
        for finding in result.findings:
            yield from self._of_finding(name, finding, result.seconds)
            name = ""

    def end(self, results: Sequence[Result]) -> str:
        """One closing sentence."""
        findings = [finding for result in results for finding in result.findings]
        counts = Counter(finding.level for finding in findings)
        bad = [finding for level in _BAD for finding in findings if finding.level == level]
        gap = "" if findings and findings[-1].level in _BAD else "\n"
        if not bad:
            if counts["ok"]:
                return gap + self._coloured("Nothing is wrong, as far as was looked.", "32")
            return gap + "Nothing was looked at."
        told = " and ".join(
            f"{counts[level]} {level}{'s' * (counts[level] > 1)}"
            for level in _BAD
            if counts[level]
        )
        first = f"begin with {bad[0].id}" if len(bad) > 1 else f"it is {bad[0].id}"
        return gap + self._coloured(f"{told}: {first}.", _LOOKS[bad[0].level][2])

    def _of_finding(self, name: str, finding: Finding, seconds: float) -> Iterator[str]:
        mark, plain, colour = _LOOKS[finding.level]
        mark = f"{plain:<2}" if self._plain else mark
        bad = finding.level in _BAD
        ending = f" [{finding.id}]" if bad else ""
        if self._verbose and name:
            ending += f" ({seconds * 1000:.0f}{_NO_BREAK}ms)"
        head = f"{mark} {name:<{_NAME}}"
        first, *more = textwrap.wrap(
            self._shown(finding.title) + ending,
            _WIDTH,
            initial_indent=" " * len(head),
            subsequent_indent=" " * len(head),
            break_on_hyphens=False,
        )
        first, *more = (line.replace(_NO_BREAK, " ") for line in (first, *more))
        yield self._coloured(mark, colour) + head[len(mark) :] + first[len(head) :]
        yield from more
        if bad or self._verbose:
            yield from self._below(finding)

    def _below(self, finding: Finding) -> Iterator[str]:
        drawing = finding.where.splitlines()
        is_place = len(drawing) == 1 and ARROW not in finding.where
        if is_place:
            yield f"{_INDENT}at {self._shown(drawing[0])}"
        if finding.why:
            yield from self._wrapped(finding.why, _INDENT)
        for line in () if is_place else drawing:
            colour = "31" if line.startswith(ARROW) else "2"
            yield _INDENT + self._coloured(self._shown(line), colour)
        if finding.fix:
            yield from self._wrapped(finding.fix, f"{_INDENT}{'->' if self._plain else '→'} ")
        if finding.why or finding.fix:
            yield ""

    def _wrapped(self, text: str, indent: str) -> list[str]:
        return textwrap.wrap(
            self._shown(text),
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=" " * len(indent),
            break_on_hyphens=False,
            break_long_words=False,
        )

    def _shown(self, text: str) -> str:
        if not self._plain:
            return text
        return text.replace(ARROW, "=> ").encode("ascii", "replace").decode("ascii")

    def _coloured(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def as_json(results: Sequence[Result]) -> dict[str, object]:
    """What was found, in a form that stays: more keys may come, none goes or changes."""
    findings = [
        {
            "check": result.check,
            "id": finding.id,
            "level": finding.level,
            "title": finding.title,
            "why": finding.why,
            "fix": finding.fix,
            "where": finding.where,
        }
        for result in results
        for finding in result.findings
    ]
    counts = Counter(finding["level"] for finding in findings)
    levels: tuple[Level, ...] = ("ok", "warning", "error", "skipped")
    return {
        "format": 1,
        "findings": findings,
        "counts": {level: counts[level] for level in levels},
        "seconds": {result.check: round(result.seconds, 3) for result in results},
    }


def _can_show(encoding: str) -> bool:
    try:
        "✓✗\u2013─▶→".encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
