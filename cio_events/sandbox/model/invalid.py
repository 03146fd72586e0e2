"""What says that Customer.io would refuse something."""

from __future__ import annotations


class InvalidError(Exception):
    """A request, or one operation of a batch, that Customer.io would refuse."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
        self.message = message
