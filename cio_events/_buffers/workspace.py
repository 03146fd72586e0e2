"""Tell one workspace's calls from another's: staging and production may share a directory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

# So that nobody finds a key by hashing all he knows of once and for all.
_SALT = b"cio_events spool"

_BYTES = 8
_NONE = "0"


@dataclass(frozen=True, slots=True)
class Workspace:
    """
    Whose calls they are, as far as their destinations tell; no secret can be read from it.

    Attributes:
        track: A fingerprint of the Track API's URL and the site id; None without.

        app: A fingerprint of the App API's URL and the key; None without.
    """

    track: str | None = None
    app: str | None = None

    def __str__(self) -> str:
        return f"{self.track or _NONE}.{self.app or _NONE}"

    def delivers(self, other: Workspace) -> bool:
        """Whether who has these settings may deliver what was accepted with *other* ones."""
        return other.track in (None, self.track) and other.app in (None, self.app)

    def delivered(self) -> list[str]:
        """The texts of all workspaces that it `delivers`."""
        tracks, apps = {None, self.track}, {None, self.app}
        return [str(Workspace(track, app)) for track in tracks for app in apps]


NOBODYS = Workspace()
"""Of whom nothing is known: anybody may deliver such calls."""


def fingerprint(url: str, key: str) -> str:
    """What tells one *url* and *key* from another, from which neither can be read."""
    text = f"{url}\n{key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_BYTES, salt=_SALT).hexdigest()


def workspace_of(text: object) -> Workspace:
    """The workspace that *text* stands for; who knows none is of none."""
    track, _, app = text.partition(".") if isinstance(text, str) else ("", "", "")
    return Workspace(_part(track), _part(app))


def _part(text: str) -> str | None:
    is_one = len(text) == 2 * _BYTES and set(text) <= set("0123456789abcdef")
    return text if is_one else None
