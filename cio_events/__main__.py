"""Run the command line, as `cio-events` or `python -m cio_events`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    # Optional: click and rich come with the extras that have commands, and a log line needs none.
    try:
        from cio_events._cli.main import main as run
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "rich"):
            raise
        sys.exit(_without(missing.name))
    run()


def _without(package: str) -> int:
    sys.stderr.write(f"cio-events needs {package}: pip install 'cio-events[sandbox]'\n")
    return 2


if __name__ == "__main__":
    main()
