"""TFRecord framing: length, masked CRC of the length, data, masked CRC of the data, all little-endian.

The format is TensorFlow's (`tensorflow/core/lib/io/record_writer.h`); the CRC is CRC-32C, rotated right by 15 bits
plus a constant.
"""

from __future__ import annotations

import struct

import google_crc32c


def frame(record: bytes) -> bytes:
    """One record with its header and footer: 16 bytes longer than the record."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
