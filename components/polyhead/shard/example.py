"""`tf.train.Example` messages laid out by hand, without protobuf objects or TensorFlow.

The bytes are those of a protobuf serialiser that writes map entries in the order of their keys: the wire format
is in `tensorflow/core/example/{example,feature}.proto`.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Mapping, Sequence

Value = bytes | float | int | Sequence[bytes]
"""bytes and sequences of bytes become a bytes list, float a float list, int (0 or above) an int64 list."""

_FIRST, _SECOND, _THIRD = b"\x0a", b"\x12", b"\x1a"
"""Tags of length-delimited fields 1, 2 and 3."""

_LARGEST = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_SMALLEST = struct.unpack("<f", b"\x00\x00\x80\x00")[0]


def encode_example(entries: Mapping[str, Value]) -> bytes:
    """Serialise one example; large values are copied once.

    Args:
        entries: Feature name to value; leave missing values out. A float is stored as the nearest 32-bit number
            that keeps it finite, and above or below zero.
    """
    parts: list[bytes] = []
    total = 0
    for name in sorted(entries):
        total += _add_entry(parts, name, entries[name])
    return b"".join((_FIRST, _varint(total), *parts))


def _add_entry(parts: list[bytes], name: str, value: Value) -> int:
    """Append one entry of the map; returns its length."""
    kind, values = _list_of(value)
    length = sum(map(len, values))
    inner = kind + _varint(length)
    feature = _SECOND + _varint(len(inner) + length)
    named = _name_field(name)
    size = len(named) + len(feature) + len(inner) + length
    head = b"".join((_FIRST, _varint(size), named, feature, inner))
    parts.append(head)
    parts += values
    return len(head) + length


def _list_of(value: Value) -> tuple[bytes, list[bytes]]:
    """The tag of a value's list in a Feature message, and the list's content in pieces."""
    if isinstance(value, bytes):
        return _FIRST, [_FIRST + _varint(len(value)), value]
    if isinstance(value, float):
        return _SECOND, [b"\x0a\x04" + _float32(value)]
    if isinstance(value, int):
        digits = _varint(value)
        return _THIRD, [_FIRST + _varint(len(digits)) + digits]
    pieces: list[bytes] = []
    for item in value:
        pieces += (_FIRST + _varint(len(item)), item)
    return _FIRST, pieces


def _float32(value: float) -> bytes:
    size = abs(value)
    if _LARGEST < size < math.inf:
        value = _LARGEST if value > 0 else -_LARGEST
    elif 0 < size < _SMALLEST:
        value = _SMALLEST if value > 0 else -_SMALLEST
    return struct.pack("<f", value)


@functools.cache
def _name_field(name: str) -> bytes:
    encoded = name.encode()
    return _FIRST + _varint(len(encoded)) + encoded


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
