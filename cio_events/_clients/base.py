"""
What both direct clients have in common.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from cio_events._http.endpoint import Endpoint

if TYPE_CHECKING:
    from typing_extensions import Self


class Client:
    """
    Sends to one endpoint.

    As a context manager it closes its connections at the end.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def close(self) -> None:
        """
        Close the connections that are kept. A later call makes new ones.
        """
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._endpoint.base_url}>"
