"""The receipts in the answers of the App API."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from cio_events import (
    Receipt,
)
from cio_events._wire import app


class TestAnswers:
    def test_a_receipt(self) -> None:
        """Its time is aware and in UTC."""
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
        ],
    )
    def test_no_receipt(self, body: bytes) -> None:
        """Whatever else an answer may be."""
        assert app.receipt_of(body) is None

    @pytest.mark.parametrize("more", ["", ',"queued_at":"now"', ',"queued_at":1e300'])
    def test_a_receipt_without_its_time(self, more: str) -> None:
        """It is one all the same."""
        body = b'{"delivery_id":"abc"%s}' % more.encode()

        assert app.receipt_of(body) == Receipt("abc", None)
