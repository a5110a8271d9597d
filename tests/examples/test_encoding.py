"""Serialised examples: byte for byte those of protobuf, and numbers that stay numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from polyhead.examples import encoding
from polyhead.examples.encoding import Value
from polyhead.kinds.features.numeric.config import NumericFeature
from polyhead.kinds.targets.regression.config import RegressionTarget

values = st.one_of(
    st.binary(max_size=300),
    st.floats(allow_nan=False),
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(max_size=20), max_size=6),
)
entries = st.dictionaries(st.text(max_size=12), values, max_size=6)


def encode_example(given_entries: dict[str, Value]) -> bytes:
    return b"".join(encoding.encode_example(given_entries))


def by_protobuf(tf: Any, given_entries: dict[str, Value]) -> Any:
    """The same example, built with TensorFlow's own classes."""
    example = tf.train.Example()
    example.features.SetInParent()
    for name, value in given_entries.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, float):
            feature.bytes_list.value.append(np.float64(value).astype("<f8").tobytes())
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


@settings(max_examples=100, deadline=None)
@given(given_numbers=st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
@example(given_numbers=[1e8 + 1, 1e8 + 2, 1764115200.0, 1764115201.0, 0.1, 5e-324, -1.7e308])
def test_numbers_lose_nothing(given_numbers: list[float]) -> None:
    """What a shard holds of any 64-bit number is that number, as a feature and as a target; absent ones are NaN."""
    import tensorflow as tf

    from polyhead.examples.parsing import parse

    features = {"x": NumericFeature(kind="numeric")}
    targets = {"y": RegressionTarget(kind="regression")}
    rows = [encode_example({"key": b"", "feature/x": value, "target/y": value}) for value in given_numbers]
    _, raw, labels = parse(tf.constant([*rows, encode_example({"key": b""})]), features, targets)
    for numbers in (raw["x"].numpy(), labels["y"].numpy()):
        assert numbers[:-1].tolist() == given_numbers
        assert np.isnan(numbers[-1])
