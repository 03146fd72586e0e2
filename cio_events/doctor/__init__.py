"""
Find out what is wrong with a set-up, inside the application's own configuration.

::

    from cio_events.doctor import examine

    for finding in examine():
        if finding.level == "error":
            print(finding.id, finding.title, finding.fix)

On the command line it is ``cio-events doctor``. It writes nothing and sends no event.
"""

from __future__ import annotations

from cio_events.doctor.examination import examine
from cio_events.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
