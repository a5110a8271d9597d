"""`tf.train.Example` messages laid out by hand, without protobuf objects or TensorFlow.

The bytes are those of a protobuf serialiser that writes map entries in the order of their keys: the wire format
is in `tensorflow/core/example/{example,feature}.proto`.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence

Value = bytes | float | int | Sequence[bytes]
"""bytes and sequences of bytes become a bytes list, int (0 or above) an int64 list.

A float becomes a bytes list too, of the 8 bytes of a little-endian float64: the message's own float list has 32 bits,
which tell neither 100,000,001 from 100,000,002 nor the seconds of a minute.
"""

_FIRST, _SECOND, _THIRD = b"\x0a", b"\x12", b"\x1a"
"""Tags of length-delimited fields 1, 2 and 3."""

_number = struct.Struct("<d").pack


def encode_example(entries: Mapping[str, Value]) -> list[bytes]:
    """Serialise one example.

    Args:
        entries: Feature name to value; leave missing values out.

    Returns:
        The message in pieces, so that large values need not be copied to be joined.
    """
    parts: list[bytes] = []
    for name in sorted(entries):
        value = entries[name]
        if isinstance(value, bytes):
            parts += (_head(name, _FIRST, len(value)), value)
        elif isinstance(value, float):
            parts += (_head(name, _FIRST, 8), _number(value))
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


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
