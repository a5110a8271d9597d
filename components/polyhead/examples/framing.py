"""TFRecord framing: length, masked CRC of the length, data, masked CRC of the data, all little-endian.

The format is TensorFlow's (`tensorflow/core/lib/io/record_writer.h`); the CRC is CRC-32C, rotated right by 15 bits
plus a constant.
"""

from __future__ import annotations

import functools
import mmap
import struct
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

HEADER, _FOOTER = 12, 4
"""Bytes before a record, and behind it."""


def frame(record: Sequence[bytes]) -> bytes:
    """One record with its header and footer.

    Args:
        record: Its bytes, in pieces.

    Returns:
        16 bytes more than the record has.
    """
    length = struct.pack("<Q", sum(map(len, record)))
    return b"".join((length, _masked_crc([length]), *record, _masked_crc(record)))


def _masked_crc(data: Iterable[bytes]) -> bytes:
    crc = functools.reduce(google_crc32c.extend, data, 0)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def record_places(path: Path) -> NDArray[np.int64]:
    """Where the records of a whole, undamaged file lie: offset and length in bytes of each, int64 (records, 2).

    Only the lengths are read, neither the records nor the checksums.

    Args:
        path: A file that is not empty.
    """
    ends = array("q", [0])
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        while ends[-1] < len(content):
            (length,) = struct.unpack_from("<Q", content, ends[-1])
            ends.append(ends[-1] + HEADER + length + _FOOTER)
    edges = np.array(ends, np.int64)
    return np.stack([edges[:-1] + HEADER, np.diff(edges) - HEADER - _FOOTER], 1)
