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
    ("body", "said"),
    [
        (b'{"meta":{"errors":{"to":["is wrong","is late"]}}}', "to: is wrong is late"),
        (b'{"errors":[{"reason":{"code":5},"message":["a","b"]}]}', "code 5 a b"),
        (b'{"errors":[[["one"],"two"],[],"three"]}', "one; two; three"),
    ],
)
def test_words_are_found_however_deep_they_are(body: bytes, said: str) -> None:
    """Without a trace of the form that they had."""
    assert read(body).words == said


# Each takes the place of the dots, so many times.
NESTS = [
    b"[...]",
    b'{"errors":...}',
    b'{"errors":[...]}',
    b'{"meta":{"error":...}}',
    b'{"reason":...}',
    b'{"errors":[{"batch_index":0,"reason":...}]}',
    b'{"to":[...]}',
]


@pytest.mark.parametrize("nest", NESTS)
def test_answer_may_be_as_deep_as_it_likes(nest: bytes) -> None:
    """To read it takes no stack."""
    start, end = nest.split(b"...")
    for depth in (200, 500, 1_000, 100_000):
        read(start * depth + b'"x"' + end * depth)


@pytest.mark.parametrize("item", [b'{"reason":"invalid"}', b'"x"', b"[]", b"[[],{}]", b'{"a":[]}'])
def test_of_a_large_answer_no_more_is_read_than_is_shown(item: bytes) -> None:
    """However many errors it lists."""
    words = read(b'{"errors":[' + b",".join([item] * 100_000) + b"]}").words

    assert len(words) <= 10_000 or words.startswith('{"errors"')


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
