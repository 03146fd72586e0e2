"""The attachments of an e-mail: bytes, text or the contents of a file, kept in Base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from os import PathLike
from pathlib import Path, PurePath
from typing import IO, TypeAlias, TypeGuard

from cio_events._calls import limits
from cio_events._calls.validation import is_a, required_text, utf8, valid_mapping, valid_text
from cio_events._interrupts import faults
from cio_events.errors import AttachmentExistsError, ParamError

Content: TypeAlias = "bytes | bytearray | memoryview | str | PathLike[str] | IO[bytes]"
"""
Bytes, text (sent in UTF-8), the `pathlib.Path` of a file, or a file open for reading bytes.

A text that names a file is an error, since what is in the file was meant.
"""

# No system has longer names.
_PATH_CHARACTERS = 4_096

# A multiple of three, so that Base64 can be written piece by piece.
_CHUNK_BYTES = 3 * 64 * 1024


def with_attachment(attached: Mapping[str, str], name: str, data: Content) -> dict[str, str]:
    """
    What is *attached* already, and *data* under *name*.

    Raises:
        AttachmentExistsError: There is one of that name.
        ParamError: *name* or *data* is invalid, or all together are over 2 MB.
        OSError: The file cannot be read.
    """
    if valid_text(name, "name") in attached:
        raise AttachmentExistsError(name)
    required_text(name, "name")
    room = limits.ATTACHMENTS_BYTES - sum(map(_decoded_bytes, attached.values()))
    return {**attached, name: _base64(name, data, room)}


def valid_attachments(value: object, param: str) -> dict[str, str]:
    """
    *value* as contents in Base64 by name.

    Raises:
        ParamError: It is none, or of more than 2 MB together.
    """
    attached = {
        valid_text(name, param): valid_text(content, param)
        for name, content in valid_mapping(value, param).items()
    }
    if sum(map(_decoded_bytes, attached.values())) > limits.ATTACHMENTS_BYTES:
        raise _too_large(param)
    for content in attached.values():
        try:
            base64.b64decode(content, validate=True)
        except faults(binascii.Error, ValueError):
            raise ParamError(param, "must be in Base64; attach() writes it") from None
    return attached


def _decoded_bytes(content: str) -> int:
    return len(content) * 3 // 4 - content.count("=", -2)


def _too_large(param: str) -> ParamError:
    limit = limits.ATTACHMENTS_BYTES
    return ParamError(param, f"are together over {limit} bytes", limit)


def _base64(name: str, data: Content, room: int) -> str:
    """
    *data* in Base64.

    Raises:
        ParamError: It is of another type, or of more than *room* bytes.
    """
    if is_a(data, str):
        if _is_file(data):
            raise ParamError("data", "names a file that exists; give its path as a pathlib.Path")
        if _reads_like_a_path(data, name):
            raise ParamError(
                "data",
                "is one word that ends as the attachment's name does, as a path would; give the "
                "path of a file as a pathlib.Path, and text like that as bytes",
            )
        data = utf8(data, "data")
    if is_a(data, bytes) or is_a(data, bytearray) or is_a(data, memoryview):
        if memoryview(data).nbytes > room:
            raise _too_large("attachments")
        return base64.b64encode(data).decode("ascii")
    if is_a(data, PathLike):
        with Path(data).open("rb") as file:
            return _base64_of_file(file, room)
    if not _can_be_read(data):
        raise ParamError("data", "must be bytes, text, a path or a file")
    return _base64_of_file(data, room)


def _can_be_read(data: object) -> TypeGuard[IO[bytes]]:
    try:
        return callable(getattr(data, "read", None))
    except faults(Exception):  # whatever an application's own type raises
        return False


def _is_file(text: str) -> bool:
    """Whether *text* is the name of a file rather than the text of one."""
    try:
        return len(text) <= _PATH_CHARACTERS and Path(text).is_file()
    except faults(OSError, ValueError):  # it cannot be a name
        return False


def _reads_like_a_path(text: str, name: str) -> bool:
    suffix = PurePath(name).suffix.lower()
    if not suffix or len(text) > _PATH_CHARACTERS:
        return False
    return text.lower().endswith(suffix) and not any(map(str.isspace, text))


def _base64_of_file(file: IO[bytes], room: int) -> str:
    pieces, rest = [], b""
    while piece := file.read(_CHUNK_BYTES):
        if not isinstance(piece, bytes):
            raise ParamError("data", "must be a file that is open for reading bytes")
        room -= len(piece)
        if room < 0:
            raise _too_large("attachments")
        rest += piece  # a read may return less than it was asked for
        whole = len(rest) - len(rest) % 3
        pieces.append(base64.b64encode(rest[:whole]))
        rest = rest[whole:]
    pieces.append(base64.b64encode(rest))
    return b"".join(pieces).decode("ascii")
