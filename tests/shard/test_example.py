"""Serialised examples: byte for byte those of protobuf, and numbers that stay numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyhead.shard import example
from polyhead.shard.example import Value

FLOAT32_MAX, FLOAT32_TINY = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)

values = st.one_of(
    st.binary(max_size=300),
    st.floats(width=32, allow_nan=False, allow_subnormal=False),
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(max_size=20), max_size=6),
)
entries = st.dictionaries(st.text(max_size=12), values, max_size=6)


def encode_example(given_entries: dict[str, Value]) -> bytes:
    return b"".join(example.encode_example(given_entries))


def by_protobuf(tf: Any, given_entries: dict[str, Value]) -> Any:
    """The same example, built with TensorFlow's own classes."""
    example = tf.train.Example()
    example.features.SetInParent()
    for name, value in given_entries.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.bytes_list.SetInParent()
            feature.bytes_list.value.extend(value)
    return example


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_entries=entries)
def test_bytes_are_protobufs(tf: Any, given_entries: dict[str, Value]) -> None:
    """Any entries, unicode names and empty lists included, are protobuf's bytes, entry by entry in order of names."""
    encoded, oracle = encode_example(given_entries), by_protobuf(tf, given_entries)
    assert tf.train.Example.FromString(encoded) == oracle
    each = [by_protobuf(tf, {name: given_entries[name]}).features for name in sorted(given_entries)]
    body = b"".join(features.SerializeToString() for features in each)
    assert encoded.endswith(body)
    assert len(encoded) == oracle.ByteSize()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 3_000_000])
def test_any_length(tf: Any, size: int) -> None:
    """Lengths around every step of the length's own encoding are right, megabytes too."""
    entry = {"feature/pixels": bytes(range(256)) * (size // 256) + bytes(size % 256)}
    parsed = tf.train.Example.FromString(encode_example(entry))
    assert parsed.features.feature["feature/pixels"].bytes_list.value == [entry["feature/pixels"]]
    assert encode_example(entry) == by_protobuf(tf, entry).SerializeToString(deterministic=True)


def test_order_of_entries_does_not_matter() -> None:
    """The same entries in another order are the same bytes."""
    assert encode_example({"b": 1, "ä": b"x", "a": 2.0}) == encode_example({"a": 2.0, "b": 1, "ä": b"x"})


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (1e300, FLOAT32_MAX),
        (-1e300, -FLOAT32_MAX),
        (3.5e38, FLOAT32_MAX),
        (1e-300, FLOAT32_TINY),
        (-1e-300, -FLOAT32_TINY),
        (0.0, 0.0),
        (0.1, float(np.float32(0.1))),
        (math.inf, math.inf),
    ],
)
def test_numbers_beyond_float32_stay_finite_and_keep_their_sign(tf: Any, value: float, stored: float) -> None:
    """A clean number never becomes infinite, nor zero where its logarithm is needed, by being stored."""
    parsed = tf.train.Example.FromString(encode_example({"feature/x": value}))
    assert list(parsed.features.feature["feature/x"].float_list.value) == [stored]
