"""Run the command line, as `cio-events` or `python -m cio_events`."""

from __future__ import annotations

import sys

_EXTRAS = frozenset({"doctor", "relay", "sandbox", "spool"})


def main() -> None:
    """Run the command line."""
    # Optional: click and rich come with the extras that have commands, and a log line needs none.
    try:
        from cio_events._cli.main import main as run

        run()
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in ("click", "rich"):
            raise
        sys.exit(_without(package, sys.argv[1:]))


def _without(package: str, arguments: list[str]) -> int:
    # What each command needs is in the extra of its name.
    extra = next((one for one in arguments if one in _EXTRAS), "sandbox")
    sys.stderr.write(f"cio-events needs {package}: pip install 'cio-events[{extra}]'\n")
    return 2


if __name__ == "__main__":
    main()
