"""`tf.train.Example` messages laid out by hand, without protobuf objects or TensorFlow.

The bytes are those of a protobuf serialiser that writes map entries in the order of their keys: the wire format
is in `tensorflow/core/example/{example,feature}.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Value = bytes | float | int | Sequence[bytes]
"""bytes and sequences of bytes become a bytes list, float a float list, int (0 or above) an int64 list."""

_FLOAT32 = np.finfo(np.float32)


def encode_example(entries: Mapping[str, Value]) -> bytes:
    """Serialise one example.

    Args:
        entries: Feature name to value; leave missing values out.
    """
    body = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _feature(entries[name]))) for name in sorted(entries)
    )
    return _field(1, body)


def _feature(value: Value) -> bytes:
    if isinstance(value, bytes):
        return _field(1, _field(1, value))
    if isinstance(value, float):
        return _field(2, _field(1, _float32(value).astype("<f4").tobytes()))
    if isinstance(value, int):
        return _field(3, _field(1, _varint(value)))
    return _field(1, b"".join(_field(1, item) for item in value))


def _float32(value: float) -> np.float32:
    """The nearest float32 that keeps a number finite, and above or below zero."""
    if not np.isfinite(value) or value == 0:
        return np.float32(value)
    size = min(max(abs(value), float(_FLOAT32.tiny)), float(_FLOAT32.max))
    return np.float32(np.copysign(size, value))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
