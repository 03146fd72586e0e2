"""What an answer's body says, and whether it is Customer.io's."""

from __future__ import annotations

import pytest

from cio_events._wire.answers import read


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"meta":{"error":"no such template"}}', "no such template"),
        (b'{"meta":{"errors":["one","two"]}}', "one; two"),
        (b'{"meta":{"errors":{"to":"is wrong"}}}', "to: is wrong"),
        (b'{"meta":{"errors":"one"}}', "one"),
        (b'{"errors":[{"detail":"one"},{"detail":"two"}]}', "one; two"),
        (b'{"errors":[{"reason":"a","field":"b","message":"c"}]}', "a b c"),
        (b'{"error":"x"}', "x"),
        (b"[1]", "[1]"),
        (b"not found\n", "not found"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_what_customer_io_said(body: bytes, said: str) -> None:
    """In any of its forms."""
    assert read(body).words == said


@pytest.mark.parametrize(
    ("body", "whole", "theirs"),
    [
        (b"", True, True),
        (b"{}", True, True),
        (b"\xef\xbb\xbf{}", True, True),
        (b'{"cut":', False, True),
        (b'{"cut":', True, True),
        (b"\x1f\x8b\xff", True, True),
        (b"OK", True, False),
        (b"O", False, True),
        (b"<html>", True, False),
        (b"<ht", False, False),
    ],
)
def test_whether_it_is_somebody_elses_text(body: bytes, whole: bool, theirs: bool) -> None:
    """What is cut off, or no text, was meant to be something else."""
    assert read(body, whole=whole).is_text is not theirs
