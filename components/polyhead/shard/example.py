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


def encode_example(entries: Mapping[str, Value]) -> list[bytes]:
    """Serialise one example.

    Args:
        entries: Feature name to value; leave missing values out. A float is stored as the nearest 32-bit number
            that keeps it finite, and above or below zero.

    Returns:
        The message in pieces, so that large values need not be copied to be joined.
    """
    parts: list[bytes] = []
    for name in sorted(entries):
        value = entries[name]
        if isinstance(value, bytes):
            parts += (_head(name, _FIRST, len(value)), value)
        elif isinstance(value, float):
            parts += (_head(name, _SECOND, 4), _float32(value))
        elif isinstance(value, int):
            digits = _varint(value)
            parts += (_head(name, _THIRD, len(digits)), digits)
        else:
            items = b"".join(_FIRST + _varint(len(item)) + item for item in value)
            parts += (_list_head(name, _FIRST, len(items)), items)
    return [_FIRST + _varint(sum(map(len, parts))), *parts]


@functools.lru_cache(maxsize=2**14)
def _head(name: str, kind: bytes, length: int) -> bytes:
    """What stands before a single value of so many bytes: the map's entry, its key, the feature and its list."""
    value = _FIRST + _varint(length)
    return _list_head(name, kind, len(value) + length) + value


def _list_head(name: str, kind: bytes, length: int) -> bytes:
    """What stands before the content of a list of so many bytes."""
    values = kind + _varint(length)
    feature = _SECOND + _varint(len(values) + length)
    key = name.encode()
    named = _FIRST + _varint(len(key)) + key
    return b"".join((_FIRST, _varint(len(named) + len(feature) + len(values) + length), named, feature, values))


def _float32(value: float) -> bytes:
    size = abs(value)
    if _LARGEST < size < math.inf:
        value = _LARGEST if value > 0 else -_LARGEST
    elif 0 < size < _SMALLEST:
        value = _SMALLEST if value > 0 else -_SMALLEST
    return struct.pack("<f", value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
