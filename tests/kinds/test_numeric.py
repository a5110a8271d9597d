"""Numbers as the network sees them: scikit-learn's scalers, and what clipping changes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from refusals import refusal
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler
from strategies import calm_numbers

from polyhead.contracts.config import parse_config
from polyhead.errors import ConfigError
from polyhead.kinds.features.numeric.config import QUANTILES, NumericFeature, NumericStatistics
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import coerce, table_of
from polyhead.pictures.folder import PictureFolder

NOWHERE = Site(Path("nowhere"), PictureFolder("nowhere"), max_pixels=1)
SKEWED = np.random.default_rng(3).lognormal(1, 2, 400).round(2)
SIGNED = np.random.default_rng(4).normal(-3, 50, 300).round(1)
TIED = np.repeat([0.0, 2.0, 3.5, 9.0], [40, 30, 20, 10])
"""Half of several marks have one value here."""


def numeric(**options: Any) -> NumericFeature:
    return NumericFeature.model_validate({"kind": "numeric", **options})


def fitted(train: Any, **options: Any) -> NumericStatistics:
    owner = numeric(**options)
    fit = table_of(owner).fit("x", owner)
    fit.update(pl.Series(train, dtype=pl.Float64))
    statistics: NumericStatistics = fit.finish(NOWHERE)
    return statistics


def seen(tf: Any, train: Any, rows: Any, **options: Any) -> Any:
    """What the network gets of some numbers, (rows, 3), from a block of this column and two of other scales."""
    from polyhead.kinds.features.numeric.graph import NumericBlock

    features = {
        "a": numeric(scale="quantile"),
        "x": numeric(**options),
        "b": numeric(),
    }
    statistics = {"a": fitted([0.0, 5.0, 7.0]), "x": fitted(train, **options), "b": fitted([1.0, 2.0])}
    transform = NumericBlock(features, statistics).transform(Path(), stored=True)
    block = tf.constant(np.stack([np.full(len(rows), 6.0), rows, np.full(len(rows), 1.0)], 1))
    whole = transform(block)["numeric"].numpy()
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    (graph,) = tf.data.Dataset.from_tensors(block).map(transform)
    np.testing.assert_array_equal(graph["numeric"], whole)
    return whole[:, 1]


def holding_marks(train: Any) -> QuantileTransformer:
    """scikit-learn's transformer with the quantiles that the statistics hold, as NumPy has them."""
    oracle = QuantileTransformer(n_quantiles=2)
    oracle.fit(train[:, None])
    oracle.references_ = np.array([0.0, *QUANTILES, 1.0])
    oracle.quantiles_ = np.quantile(train, oracle.references_)[:, None]
    return oracle


def signed_logarithm(values: Any) -> Any:
    return np.sign(values) * np.log1p(np.abs(values))


@pytest.mark.parametrize("train", [SKEWED, SIGNED, TIED], ids=["skewed", "signed", "tied"])
@pytest.mark.parametrize("scale", ["standard", "log1p", "minmax", "robust", "quantile", "none"])
def test_a_scale_is_scikit_learns(tf: Any, scale: str, train: Any) -> None:
    """On the train rows and between them; the second number is empty, and nothing is missing."""
    view = signed_logarithm if scale == "log1p" else lambda values: values
    oracle: Any = {
        "standard": StandardScaler(),
        "log1p": StandardScaler(),
        "minmax": MinMaxScaler(),
        "robust": RobustScaler(),
        "quantile": holding_marks(train),
        "none": None,
    }[scale]
    rows = np.concatenate([train, np.linspace(train.min(), train.max(), 57)])
    expected = rows
    if oracle is not None:
        oracle = oracle if scale == "quantile" else oracle.fit(view(train)[:, None])
        expected = oracle.transform(view(rows)[:, None])[:, 0]
    received = seen(tf, train, rows, scale=scale)
    np.testing.assert_allclose(received[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert not received[:, 1:].any()


@settings(max_examples=30, deadline=None)
@given(st.lists(calm_numbers, min_size=2, max_size=30), st.lists(calm_numbers, max_size=10))
@example([1.0, 1.0, 1.0, 5.0], [1.0, 5.0, 3.0, 0.0])
@example([0.0, 0.0], [0.0, 1.0])
def test_any_share_is_scikit_learns(tf: Any, train: list[float], others: list[float]) -> None:
    """Ties and numbers outside included; a column of one value tells nothing."""
    values = np.array(train)
    expected = holding_marks(values).transform(np.array([*train, *others])[:, None])[:, 0]
    if values.min() == values.max():
        expected = np.zeros(len(expected))
    received = seen(tf, train, [*train, *others], scale="quantile")
    np.testing.assert_allclose(received[:, 0], expected, atol=1e-6)


def test_both_is_the_default_and_has_the_number_beside_its_logarithm(tf: Any) -> None:
    both = seen(tf, SKEWED, SKEWED)
    np.testing.assert_array_equal(both, seen(tf, SKEWED, SKEWED, scale="both"))
    np.testing.assert_array_equal(both[:, 0], seen(tf, SKEWED, SKEWED, scale="standard")[:, 0])
    np.testing.assert_array_equal(both[:, 1], seen(tf, SKEWED, SKEWED, scale="log1p")[:, 0])


@pytest.mark.parametrize("scale", ["both", "standard", "log1p", "minmax", "robust", "quantile", "none"])
def test_what_is_missing_or_far_outside_stays_within_bounds(tf: Any, scale: str) -> None:
    """A missing number is zero and marked; infinity is at most a deviation beyond the train rows."""
    missing, low, high, lowest, highest = seen(
        tf, SIGNED, [math.nan, -math.inf, math.inf, SIGNED.min(), SIGNED.max()], scale=scale
    )
    assert missing.tolist() == [0, 0, 1]
    assert (low[:2] <= lowest[:2]).all()
    assert (high[:2] >= highest[:2]).all()
    assert (np.abs([low[:2], high[:2]]) <= np.abs(SIGNED).max() + SIGNED.std() + 1).all()
    constant = seen(tf, [7.0, 7.0], [7.0, 8.0, -1e150], scale=scale)
    assert not constant.any()


@pytest.mark.parametrize("scale", ["both", "minmax", "robust", "quantile"])
def test_numbers_too_small_to_divide_by_are_zero(tf: Any, scale: str) -> None:
    """The graph takes them for 0, and would divide 0 by 0."""
    received = seen(tf, [0.0, 5e-324, 1e-320, 1e-320], [0.0, 1e-320], scale=scale)
    assert (np.abs(received) <= 1).all()


@pytest.mark.parametrize("scale", ["none", "robust"])
def test_numbers_that_32_bits_cannot_hold_are_held(tf: Any, scale: str) -> None:
    """Unscaled, the largest numbers would be infinite to the network."""
    received = seen(tf, [0.0, 0.0, 0.0, 0.0, 1e150], [1e150, -1e150], scale=scale)
    np.testing.assert_allclose(received[0], [1e15, 0, 0])


@pytest.mark.parametrize(
    ("clip", "low", "high"), [([-20, 30], -20, 30), ([None, 30], -np.inf, 30), ([-20.5, None], -20.5, np.inf)]
)
def test_a_number_outside_clip_counts_as_the_end(tf: Any, clip: list[float | None], low: float, high: float) -> None:
    """For the statistics, as for numbers to come; no row is rejected."""
    held = np.clip(SIGNED, low, high)
    assert fitted(SIGNED.tolist(), clip=clip) == fitted(held.tolist())
    rows = [-1e9, -20.25, 0.0, 31.0, 1e9]
    np.testing.assert_array_equal(
        seen(tf, SIGNED, [*rows, math.nan], clip=clip), seen(tf, held, [*np.clip(rows, low, high), math.nan])
    )
    column = pl.Series("x", rows)
    coerced = coerce(column, numeric(clip=clip))
    assert coerced.values.to_list() == rows
    assert not coerced.faults


@pytest.mark.parametrize(
    ("options", "code", "where", "shows"),
    [
        ("clip: [5, 1]", "invalid-range", "clip", ["[5, 1]"]),
        ("clip: [1, 1]", "invalid-range", "clip", ["[1, 1]"]),
        ("clip: [null, null]", "invalid-range", "clip", []),
        ("clip: 5", "wrong-type", "clip", ["5", "[0, 100]", "null"]),
        ("clip: [1]", "missing-key", "clip.1", []),
        ("clip: [0, x]", "wrong-type", "clip.1", ["'x'"]),
        ("scale: standart", "invalid-choice", "scale", ["'standart'", "'standard'"]),
    ],
)
def test_what_is_no_scale_and_no_clip_says_so(options: str, code: str, where: str, shows: list[str]) -> None:
    text = f"table: t.csv\nfeatures: {{x: {{kind: numeric, {options}}}}}\ntargets: {{y: {{kind: binary}}}}"
    with refusal(ConfigError, code, where=f"c.yaml:2 features.x.{where}", shows=shows):
        parse_config(text, name="c.yaml")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (2.5, "2.5"),
        (1234567.0, "1,234,567"),
        (0.1, "0.1"),
        (0.0, "0"),
        (-4.25, "−4.25"),
        (3e-9, "3.00e−09"),
        (-3e-9, "−3.00e−09"),
        (2e20, "2.00e+20"),
        (math.nan, ""),
    ],
)
def test_a_number_is_spelled_as_short_as_it_is(value: float, text: str) -> None:
    """With three significant digits at most; what is tiny is not nothing."""
    from polyhead.kinds.tables import feature_table

    assert feature_table(NumericFeature(kind="numeric")).spelled(value) == text
