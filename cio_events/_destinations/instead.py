"""Where calls go while a test says so, whatever destinations their pipelines have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cio_events._http.endpoint import Endpoint


class Instead:
    """
    Where calls go instead while a test says so, whatever the options of their pipelines.

    Attributes:
        track: Where calls about people go; None where options count.

        app: Where transactional messages go.
    """

    def __init__(self) -> None:
        self.track: Endpoint | None = None
        self.app: Endpoint | None = None

    def point_to(self, url: str, site_id: str, api_key: str, app_api_key: str) -> None:
        """Have all pipelines of the process deliver to *url*, a sandbox on loopback."""
        # Not imported above: a process that only sets up its loggers looks here too.
        from cio_events._http import credentials
        from cio_events._http import endpoint as http

        self.track = http.Endpoint(url, credentials.basic(site_id, api_key))
        self.app = http.Endpoint(url, credentials.bearer(app_api_key))

    def restore(self) -> None:
        """Have them deliver to their own again."""
        for endpoint in (self.track, self.app):
            if endpoint is not None:
                endpoint.close()
        self.track = self.app = None


instead = Instead()
"""This process's."""
