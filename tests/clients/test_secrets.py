"""No credential is in the traceback of a client that cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import pytest

from cio_events import AppClient, ParamError, Pipeline, TrackClient
from cio_events._http.credentials import basic, bearer
from cio_events._http.endpoint import app_url, track_url

SECRET = "hunter2"

MISTAKES: dict[str, Callable[[], object]] = {
    "site id": lambda: TrackClient(f"{SECRET}\n", SECRET),
    "site id with a colon": lambda: TrackClient(f"a:{SECRET}", SECRET),
    "key": lambda: TrackClient("site", f"{SECRET}\n"),
    "region": lambda: TrackClient(SECRET, SECRET, region="mars"),
    "url": lambda: TrackClient("site", SECRET, url=f"https://user:{SECRET}@customer.test"),
    "timeout": lambda: TrackClient(SECRET, SECRET, timeout=0),
    "user agent": lambda: TrackClient(SECRET, SECRET, user_agent=""),
    "app key": lambda: AppClient(f"{SECRET}\n"),
    "app url": lambda: AppClient(SECRET, url=f"https://user:{SECRET}@customer.test:x"),
    "app timeout": lambda: AppClient(SECRET, timeout=-1),
    "basic": lambda: basic(SECRET, f"{SECRET}\n"),
    "bearer": lambda: bearer(f"{SECRET}é"),
    "track url": lambda: track_url(url=f"https://{SECRET}@customer.test"),
    "another app url": lambda: app_url(url=f"https://customer.test?key={SECRET}"),
}


def locals_of(traceback: TracebackType | None) -> str:
    """What an error tracker shows of the frames of this package."""
    shown = []
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_globals["__name__"].startswith("cio_events"):
            shown.append(repr(frame.f_locals))
        traceback = traceback.tb_next
    return "\n".join(shown)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_nothing_of_it_is_in_a_traceback(mistake: str) -> None:
    """Error trackers keep the local variables of each frame."""
    with pytest.raises(ParamError) as raised:
        MISTAKES[mistake]()
    error: BaseException | None = raised.value

    assert SECRET not in f"{error} {error!r}"
    while error is not None:
        assert SECRET not in locals_of(error.__traceback__)
        error = error.__cause__ or error.__context__


def test_nothing_of_it_is_kept_with_a_problem_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pipeline that cannot send goes on, and keeps why."""
    monkeypatch.setenv("CIO_SITE_ID", SECRET)
    monkeypatch.setenv("CIO_API_KEY", f"{SECRET}:\n")
    monkeypatch.setenv("CIO_APP_API_KEY", f"{SECRET}é")
    with Pipeline() as pipeline:
        for problem in (pipeline._no_track, pipeline._no_app):
            assert problem is not None
            assert (problem.__traceback__, problem.__context__) == (None, None)
