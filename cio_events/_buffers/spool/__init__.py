"""
Accepted calls on disk, where they survive the end of the process, however it comes.

Each process has, for each pipeline, a file of its own in the directory, and adopts the files of
processes that are gone. A pipeline uses `buffer`; the commands and the doctor use
`inspection` and `dead_letters`.
"""

from cio_events._buffers.spool.buffer import Spool

__all__ = ["Spool"]
