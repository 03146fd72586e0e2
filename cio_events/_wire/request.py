"""What a call becomes when it is sent alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request to one of Customer.io's APIs.

    Attributes:
        method: The HTTP method.

        path: The path below the base URL, percent-encoded.

        body: JSON, or None for a request without a body.
    """

    method: str
    path: str
    body: bytes | None

    def __repr__(self) -> str:
        return f"<Request {self.method}>"  # the path names a customer
