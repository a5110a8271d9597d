"""The scales of regression: arrays and graph agree, there and back, and quantiles are those of the train rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusal
from scipy.stats import norm

from polyhead.contracts.config import parse_config
from polyhead.errors import ConfigError, DataError
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import coerce
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget, Transform
from polyhead.kinds.targets.regression.scale import Scale
from polyhead.kinds.targets.regression.table import RegressionFit
from polyhead.pictures.folder import PictureFolder

NOWHERE = Site(Path("nowhere"), PictureFolder("nowhere"), max_pixels=1)
NUMBERS = np.random.default_rng(0).gamma(0.7, 50.0, 999)


def fitted(transform: Transform, numbers: Any = NUMBERS, weights: Any = None) -> RegressionStatistics:
    fit = RegressionFit("y", RegressionTarget(kind="regression", transform=transform))
    fit.update(pl.Series(numbers), None if weights is None else pl.Series(weights))
    return fit.finish(NOWHERE)


@pytest.mark.parametrize("transform", ["none", "log", "log1p", "sqrt", "quantile"])
def test_the_graph_learns_and_says_what_the_scale_does(tf: Any, transform: Transform) -> None:
    """Values as the loss compares them, a missing one among them; a head that says these gives the numbers back."""
    from polyhead.kinds.targets.regression.graph import RegressionHead

    statistics = fitted(transform)
    head = RegressionHead("y", RegressionTarget(kind="regression", transform=transform), statistics)
    values, weights = head.transform()({"y": tf.constant([*NUMBERS, np.nan], tf.float64)})
    assert weights.numpy().tolist() == [1.0] * len(NUMBERS) + [0.0]
    scale = Scale(transform, statistics.knots)
    expected = (scale.learned(NUMBERS) - statistics.mean) / np.sqrt(statistics.variance)
    np.testing.assert_allclose(values.numpy()[:-1, 0], expected, rtol=1e-6, atol=1e-6)
    said = head.answers(tf.constant(expected[:, None]), 0.0, ())["y"].numpy()
    np.testing.assert_allclose(said, NUMBERS, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scale.back(scale.learned(NUMBERS)), NUMBERS, rtol=1e-9, atol=1e-9)
    far = head.answers(tf.constant([[-1e6], [1e6]], tf.float64), 0.0, ())["y"].numpy()
    assert np.isfinite(far).all()
    if transform == "quantile":
        assert far.tolist() == [NUMBERS.min(), NUMBERS.max()]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.integers(-5, 5).map(float) | st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=300
    ).filter(lambda found: len(set(found)) > 1)
)
def test_quantiles_become_normal_scores(numbers: list[float]) -> None:
    """Rising, through NumPy's own quantiles, also where many rows have the same number."""
    statistics = fitted("quantile", np.array(numbers))
    knots = statistics.knots
    assert knots is not None
    assert (np.diff(knots.numbers) > 0).all()
    assert (np.diff(knots.scores) > 0).all()
    shares = np.linspace(0, 1, 201)
    quantiles = np.quantile(numbers, shares)
    np.testing.assert_allclose(np.unique(quantiles), knots.numbers, rtol=1e-9, atol=1e-9)
    middle = [shares[quantiles == number].mean() for number in np.unique(quantiles)]
    if len(middle) == len(knots.scores):
        np.testing.assert_allclose(norm.ppf(np.clip(middle, 0.0025, 0.9975)), knots.scores, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("numbers", [[1.0, 1.0 + 2**-52] * 2, [0.0, 5e-324, 1e-320], [1e-200, 2e-200]])
def test_numbers_too_close_to_learn_are_refused(numbers: list[float]) -> None:
    """Their variance is 0 to a computer, though they differ."""
    with refusal(DataError, "constant-target", where="target 'y'", shows=[numbers[0], max(numbers)]):
        fitted("none", numbers)


def test_a_skewed_number_is_learned_as_a_normal_one() -> None:
    """Where the table's scale has a skew of more than 2."""
    learned = Scale("quantile", fitted("quantile").knots).learned(NUMBERS)
    assert abs(float(np.mean(learned**3))) < 0.05
    assert learned.mean() == pytest.approx(0, abs=0.01)
    assert learned.std() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("transform", ["none", "log", "log1p", "sqrt"])
def test_the_weighted_centre_is_on_the_scale_that_is_learned(transform: Transform) -> None:
    weights = np.random.default_rng(3).random(len(NUMBERS))
    statistics = fitted(transform, weights=weights)
    assert statistics.weighted is not None
    scale = Scale(transform)
    mean = np.array(np.average(scale.learned(NUMBERS), weights=weights))
    assert statistics.weighted.mean == pytest.approx(float(mean), rel=1e-12)
    assert statistics.weighted.value == pytest.approx(float(scale.back(mean)), rel=1e-12)
    assert fitted(transform).model_copy(update={"weighted": statistics.weighted}) == statistics


def test_the_largest_weights_of_the_largest_numbers_have_a_centre() -> None:
    """As have the smallest of the smallest."""
    large = fitted("none", [-1e150, 1e150], [1e150, 5e149]).weighted
    assert large is not None
    assert large.mean == pytest.approx(-1e150 / 3, rel=1e-12)
    small = fitted("none", [1e-100, 3e-100], [1e-100, 3e-100]).weighted
    assert small is not None
    assert small.mean == pytest.approx(2.5e-100, rel=1e-12)


def test_predict_mean_of_log1p_is_right_on_average(tf: Any) -> None:
    """The mean over the train rows is that of the rows, by their weights; with log it is as before."""
    from polyhead.kinds.targets.regression.graph import RegressionHead

    statistics, weights = fitted("log1p"), np.random.default_rng(3).random(len(NUMBERS))
    head = RegressionHead("y", RegressionTarget(kind="regression", transform="log1p", predict="mean"), statistics)
    learned = (np.log1p(NUMBERS) - statistics.mean) / np.sqrt(statistics.variance)
    added = head.correction(learned - 0.25, weights)
    said = head.answers(tf.constant([[0.25]], tf.float64), added, ())["y"].numpy()
    assert said[0] == pytest.approx(np.average(NUMBERS, weights=weights), rel=1e-9)


@pytest.mark.parametrize(("transform", "reason"), [("log1p", "out_of_range"), ("sqrt", "negative"), ("quantile", None)])
def test_numbers_that_a_transform_does_not_take_are_set_aside(transform: str, reason: str | None) -> None:
    target = RegressionTarget.model_validate({"kind": "regression", "transform": transform})
    found = coerce(pl.Series("y", [-1.0, -0.5, 0.0, 2.0]), target)
    rows = {"log1p": [True, False, False, False], "sqrt": [True, True, False, False]}
    assert [(fault.reason, fault.mask.to_list()) for fault in found.faults] == (
        [(reason, rows[transform])] if reason else []
    )


@pytest.mark.parametrize("transform", ["sqrt", "quantile"])
def test_means_of_scales_without_one_correction_are_refused(transform: str) -> None:
    target = f"{{kind: regression, transform: {transform}, predict: mean}}"
    text = f"table: t\nfeatures: {{x: {{kind: numeric}}}}\ntargets: {{y: {target}}}"
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where.split()[-1]) == ("conflicting-keys", "targets.y")
    assert all(word in problem.what for word in (transform, "median", "log1p"))
