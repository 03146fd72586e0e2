"""Many operations as the one body of a batch for Track API v2."""

from __future__ import annotations

from collections.abc import Iterable

from cio_events._calls import limits
from cio_events._wire.envelope import HEADER_BYTES, Envelope

BATCH_PATH = "/api/v2/batch"

_BATCH_START, _BATCH_END = b'{"batch":[', b"]}"

BATCH_ROOM = limits.V2_BATCH_BYTES - len(_BATCH_START) - len(_BATCH_END) + 1
"""What the operations of one batch may take, with a comma after each; the last is not written."""


def batch(envelopes: Iterable[Envelope]) -> bytes:
    """The body of a batch of these operations, of which there is one at least."""
    return batch_of([envelope[HEADER_BYTES:] for envelope in envelopes])


def batch_of(operations: list[bytes]) -> bytes:
    """The same of the bodies of envelopes; the list is not to be used any more."""
    # In one step: half a megabyte more at a time, and the C library would take the memory from
    # the system and give it back for every batch.
    operations[0] = _BATCH_START + operations[0]
    operations[-1] += _BATCH_END
    return b",".join(operations)
