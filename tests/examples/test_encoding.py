"""Serialised examples of many rows at once: what protobuf reads in them, row by row, and numbers that stay numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.examples.encoding import encode_entries, examples_of, frames_of, with_pictures
from polyhead.examples.framing import frame
from polyhead.kinds.features.numeric.config import NumericFeature
from polyhead.kinds.targets.regression.config import RegressionTarget

words = st.one_of(st.none(), st.text(max_size=3), st.text(min_size=120, max_size=140))
rows = st.lists(
    st.tuples(st.text(max_size=140), words, words, st.none() | st.floats(), st.none() | st.lists(words.filter(bool))),
    max_size=8,
)


def columns_of(given_rows: list[tuple[Any, ...]]) -> dict[str, list[pl.Series]]:
    """A key, two columns of words, a column of numbers twice, and sets."""
    key, one, other, number, sets = zip(*given_rows, strict=True) if given_rows else ((), (), (), (), ())
    labels = pl.Series("sets", sets, dtype=pl.List(pl.String))
    return {
        "key": [pl.Series(key, dtype=pl.String)],
        "feature/words": [pl.Series(one, dtype=pl.String), pl.Series(other, dtype=pl.String)],
        "feature/numbers": [pl.Series(number, dtype=pl.Float64)] * 2,
        "target/sets": [labels],
        "target/sets/known": [labels.is_not_null()],
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=rows)
def test_protobuf_reads_what_was_written(tf: Any, given_rows: list[tuple[Any, ...]]) -> None:
    """Rows of any lengths, missing values, empty and unknown sets, also no row at all."""
    columns = columns_of(given_rows)
    examples = examples_of(encode_entries(columns, len(given_rows))).joined().split()
    assert len(examples) == len(given_rows)
    for serialised, (key, one, other, number, sets) in zip(examples, given_rows, strict=True):
        read = tf.train.Example.FromString(serialised)
        assert len(serialised) == read.ByteSize()
        entries = read.features.feature
        assert set(entries) == set(columns)
        assert entries["key"].bytes_list.value == [key.encode()]
        assert entries["feature/words"].bytes_list.value == [(word or "").encode() for word in (one, other)]
        numbers = np.frombuffer(entries["feature/numbers"].bytes_list.value[0], "<f8")
        np.testing.assert_array_equal(numbers, [np.nan if number is None else number] * 2)
        assert entries["target/sets"].bytes_list.value == [label.encode() for label in sets or []]
        assert entries["target/sets/known"].int64_list.value == [int(sets is not None)]


@settings(max_examples=50, deadline=None)
@given(given_rows=rows)
def test_frames_are_those_of_one_record_after_the_other(given_rows: list[tuple[Any, ...]]) -> None:
    """Length, checksums and all."""
    examples = examples_of(encode_entries(columns_of(given_rows), len(given_rows)))
    assert frames_of(examples).split() == [frame([one]) for one in examples.joined().split()]


@pytest.mark.parametrize("rows_together", [1, 3, 300])
def test_rows_are_the_same_alone_and_together(rows_together: int) -> None:
    """Each row's bytes depend on nothing but the row, however many are encoded at once."""
    generator = np.random.default_rng(rows_together)
    lengths = generator.integers(0, 300, (rows_together, 3)).tolist()
    made = [("k" * a, "é" * b, None, float(c), ["x" * c, "y"]) for a, b, c in lengths]
    together = examples_of(encode_entries(columns_of(made), len(made))).joined().split()
    assert together == [examples_of(encode_entries(columns_of([row]), 1)).joined().split()[0] for row in made]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 3_000_000])
def test_any_length(tf: Any, size: int) -> None:
    """Lengths around every step of the length's own encoding are right, megabytes too."""
    picture = bytes(range(256)) * (size // 256) + bytes(size % 256)
    [entries] = encode_entries({"key": [pl.Series(["k"])]}, 1).joined().split()
    parsed = tf.train.Example.FromString(b"".join(with_pictures(entries, {"feature/image/x": picture})))
    assert parsed.features.feature["feature/image/x"].bytes_list.value == [picture]
    assert parsed.features.feature["key"].bytes_list.value == [b"k"]
    text = pl.Series(["x" * size, "y"])
    examples = examples_of(encode_entries({"text": [text]}, 2)).joined().split()
    read = [tf.train.Example.FromString(one).features.feature["text"].bytes_list.value for one in examples]
    assert read == [[b"x" * size], [b"y"]]


@settings(max_examples=100, deadline=None)
@given(given_numbers=st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
@example(given_numbers=[1e8 + 1, 1e8 + 2, 1764115200.0, 1764115201.0, 0.1, 5e-324, -1.7e308])
def test_numbers_lose_nothing(given_numbers: list[float]) -> None:
    """What a shard holds of any 64-bit number is that number, as a feature and as a target; absent ones are NaN."""
    import tensorflow as tf

    from polyhead.examples.parsing import Parser

    construct: Any = Preprocessing.model_construct  # some fields are enough here
    held = construct(
        features={"x": NumericFeature(kind="numeric")},
        targets={"y": RegressionTarget(kind="regression")},
        feature_statistics={"x": None},
        target_statistics={"y": None},
    )
    fitted = Fitted(held, held.features, held.targets, Path())
    numbers = pl.Series([*given_numbers, None], dtype=pl.Float64)
    columns = {"key": [pl.Series([""] * len(numbers))], "feature/numeric": [numbers], "target/regression": [numbers]}
    examples = examples_of(encode_entries(columns, len(numbers))).joined().split()
    _, raw, labels = Parser(fitted)(tf.constant(examples))
    for found in (raw["numeric"].numpy()[:, 0], labels["y"].numpy()):
        assert found[:-1].tolist() == given_numbers
        assert np.isnan(found[-1])
