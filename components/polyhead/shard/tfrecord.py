"""TFRecord framing: length, masked CRC of the length, data, masked CRC of the data, all little-endian.

The format is TensorFlow's (`tensorflow/core/lib/io/record_writer.h`); the CRC is CRC-32C, rotated right by 15 bits
plus a constant.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Sequence

import google_crc32c


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
