"""Small bodies of gzip that are large when they are unpacked."""

from __future__ import annotations

import struct
import zlib
from functools import cache

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


@cache
def bomb(megabytes: int) -> bytes:
    """So many millions of spaces as one gzip: the first is compressed, the others repeat it."""
    spaces = b" " * 1_000_000
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(spaces, checksum)
    end = struct.pack("<II", checksum, megabytes * len(spaces))
    return _HEADER + packed * megabytes + packer.flush() + end
