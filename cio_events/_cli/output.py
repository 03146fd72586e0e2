"""
What commands write: nothing that a terminal obeys, and to a pipe whose reader may leave.

``head`` leaves after some lines.
"""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_ENDED_BY_SIGPIPE = 128 + 13  # as shells have it

# What a terminal would obey: control characters, and what turns the direction of writing. And
# what no encoding has.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class ReaderGoneError(SystemExit):
    """
    Raised where something is written to standard output that nobody reads any more.

    It is no `Exception`: nothing that a command does takes it for an error of its own, and the
    command ends. One that goes on, such as a server, may suppress it: it comes but once.
    """

    def __init__(self) -> None:
        super().__init__(_ENDED_BY_SIGPIPE)


class _Pipe(io.FileIO):
    def __init__(self, descriptor: int, *, ends: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._ends = ends

    def write(self, data: Buffer) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            # For what is still buffered, and comes when the process ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self._ends:
                raise ReaderGoneError from None
            return super().write(data)


def watch_pipes() -> None:
    """
    From now on, end this process once nobody reads standard output, with 141 and not a word.

    Who reads standard error may leave without that.
    """
    sys.stdout = _watched(sys.stdout, ends=True)
    sys.stderr = _watched(sys.stderr, ends=False)


def _watched(stream: TextIO, *, ends: bool) -> TextIO:
    # A terminal's reader does not leave, and Windows has a way of its own to write to one.
    if not isinstance(stream, io.TextIOWrapper) or stream.isatty():
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(stream.fileno(), ends=ends)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
    )


def escaped(text: str, *, lines: bool = False, as_json: bool = False) -> str:
    """
    What came from outside, for a terminal: with nothing that one would obey.

    Args:
        text: Any text, such as the name of a file.

        lines: Whether it may have several, and tabs.

        as_json: Whether it is JSON, and is to stay so.
    """

    def escape(found: re.Match[str]) -> str:
        if lines and found[0] in "\n\t":
            return found[0]
        return f"\\u{ord(found[0]):04x}" if as_json else ascii(found[0])[1:-1]

    return _OBEYED.sub(escape, text)
