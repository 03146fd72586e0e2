"""Signals as they are where nobody has changed them."""

from __future__ import annotations

import signal

# Who starts the tests under nohup, or in the background of a shell, has them ignored; and what
# is ignored, child processes ignore as well.
for _number, _default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)
