"""
Accepted calls on disk, where they survive the end of the process, however it comes.

Each process has, for each pipeline, a file of its own in the directory, and adopts the files of
processes that are gone. `buffer` is what the pipeline uses, `file` one such file, `opening` how
it becomes ours, `older` those that are only read, `dead_letters` what has failed for good.
"""

from cio_events._buffers.spool.buffer import Spool
from cio_events._buffers.spool.dead_letters import DeadLetter

__all__ = ["DeadLetter", "Spool"]
