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

HEADER, FOOTER = 12, 4
"""Bytes before a record, and behind it."""


def frame(record: Sequence[bytes]) -> bytes:
    """One record with its header and footer.

    Args:
        record: Its bytes, in pieces.

    Returns:
        16 bytes more than the record has.
    """
    return b"".join((header(sum(map(len, record))), *record, _masked_crc(record)))


@functools.lru_cache(maxsize=2**14)
def header(length: int) -> bytes:
    """What precedes a record of so many bytes."""
    packed = struct.pack("<Q", length)
    return packed + _masked_crc([packed])


def masked(crc: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Checksums as the format stores them, uint32."""
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)


def _masked_crc(data: Iterable[bytes]) -> bytes:
    crc = functools.reduce(google_crc32c.extend, data, 0)
    return masked(np.array([crc], "<u4")).tobytes()


def mapped(path: Path) -> mmap.mmap:
    """A file's bytes, read as they are looked at.

    Args:
        path: A file that is not empty.
    """
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def record_places(path: Path) -> NDArray[np.int64]:
    """Where the records of a whole, undamaged file lie: offset and length in bytes of each, int64 (records, 2).

    Only the lengths are read, neither the records nor the checksums.

    Args:
        path: A file that is not empty.
    """
    ends, at, length_at = array("q", [0]), 0, struct.Struct("<Q").unpack_from
    with mapped(path) as content:
        size = len(content)
        while at < size:
            at += length_at(content, at)[0] + HEADER + FOOTER
            ends.append(at)
    edges = np.array(ends, np.int64)
    return np.stack([edges[:-1] + HEADER, np.diff(edges) - HEADER - FOOTER], 1)
