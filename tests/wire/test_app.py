"""
The answers of the App API: receipts, and what Customer.io said.
"""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from cio_events import (
    Receipt,
)
from cio_events._wire import app


class TestAnswers:
    def test_a_receipt(self) -> None:
        """
        Its time is aware and in UTC.
        """
        receipt = app.receipt_of(b'{"delivery_id":"abc","queued_at":1700000000}')
        when = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)

        assert receipt == Receipt("abc", when)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b"{}",
            b'{"delivery_id":"abc"}',
            b'{"delivery_id":"abc","queued_at":"now"}',
            b'{"delivery_id":"abc","queued_at":1e300}',
        ],
    )
    def test_no_receipt(self, body: bytes) -> None:
        """
        Whatever else an answer may be.
        """
        assert app.receipt_of(body) is None

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b'{"meta":{"error":"no such template"}}', "no such template"),
            (b'{"meta":{"errors":["one","two"]}}', "one; two"),
            (b'{"meta":{"errors":{"to":"is wrong"}}}', "to: is wrong"),
            (b'{"meta":{"errors":"one"}}', "one"),
            (b'{"meta":{}}', '{"meta":{}}'),
            (b'{"error":"x"}', '{"error":"x"}'),
            (b"[1]", "[1]"),
            (b"not found\n", "not found"),
            (b"\xff", "�"),
            (b"", ""),
        ],
    )
    def test_what_customer_io_said(self, body: bytes, said: str) -> None:
        """
        In any of its forms.
        """
        assert app.words_of(body) == said
