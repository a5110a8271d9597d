"""Counts: what is refused, what is fitted, and a loss that is Poisson's deviance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from refusals import refusal
from samples import member
from scipy.stats import nbinom
from sklearn.metrics import mean_poisson_deviance

from polyhead.errors import DataError
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.scores import SCORES
from polyhead.kinds.tables import coerce, table_of
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.count.score import CountOutcome
from polyhead.pictures.folder import PictureFolder


def fitted(counts: Sequence[float | None]) -> CountStatistics:
    target = member("count")
    fit = table_of(target).fit("t", target)
    fit.update(pl.Series(counts, dtype=pl.Float64))
    statistics = fit.finish(Site(Path(), PictureFolder("."), max_pixels=1))
    assert isinstance(statistics, CountStatistics)
    return statistics


@pytest.mark.parametrize(
    "counts", [[0, 0, 3, 1], [5, 5, 6, 5], [0, 10**6], [10**9, 10**9 + 1], [10**15 - 3, 10**15], [0] * 999 + [1]]
)
def test_the_fit_is_the_mean_and_scikit_learns_deviance_from_it(counts: list[float]) -> None:
    """To 1 in a thousand where large counts hardly differ, whose deviance is lost in roundings."""
    found = fitted([*map(float, counts), None])
    assert (found.count, found.missing) == (len(counts), 1)
    assert found.mean == pytest.approx(np.mean(counts), rel=1e-15)
    deviations = np.array(counts) - np.mean(counts)
    expected = mean_poisson_deviance(counts, np.full(len(counts), np.mean(counts)))
    if np.abs(deviations).max() < 1e-3 * np.mean(counts):
        expected = (deviations**2).mean() / np.mean(counts)
    assert found.deviance == pytest.approx(expected, rel=1e-3)
    assert found.deviance > 0


@pytest.mark.parametrize(("counts", "code"), [([None], "empty-target"), ([3.0, 3.0], "constant-target")])
def test_nothing_to_learn_is_refused(counts: list[float | None], code: str) -> None:
    with refusal(DataError, code, where="target 't'"):
        fitted(counts)


def test_what_is_no_count_is_refused_cell_by_cell() -> None:
    """Each with its reason; whole numbers written as floats are counts."""
    read = coerce(pl.Series("visits", [0.0, 2.0, -1.0, 0.5, None, float("nan"), -0.5]), member("count"))
    assert read.values.to_list() == [0.0, 2.0, None, None, None, None, None]
    assert {fault.reason: fault.mask.arg_true().to_list() for fault in read.faults} == {
        "negative": [2, 6],
        "not_whole": [3],
    }


def test_the_loss_is_the_deviance_over_that_of_the_mean(tf: Any) -> None:
    """For no count, small ones and large ones; a missing one costs nothing, and the prior costs 1."""
    from polyhead.kinds.targets.count.graph import CountHead

    counts = [0.0, 1.0, 7.0, 250.0, 123_456.0]
    statistics = fitted([*counts, None])
    head = CountHead("t", CountTarget(kind="count"), statistics)
    values, weights = head.transform()({"t": tf.constant([*counts, float("nan")], tf.float64)})
    assert weights.numpy().tolist() == [1, 1, 1, 1, 1, 0]
    logits = np.array([[-1.0], [0.3], [2.0], [5.5], [11.7], [3.0]], np.float32)
    found = np.asarray(head.loss("none")(values, logits))[:5]
    said = head.answers(logits.astype(np.float64), 0.0, ())["t"].numpy()[:5]
    np.testing.assert_allclose(said, np.exp(logits[:5, 0].astype(np.float64)), rtol=1e-12)
    expected = [mean_poisson_deviance([count], [mean]) for count, mean in zip(counts, said, strict=True)]
    np.testing.assert_allclose(found * statistics.deviance, expected, rtol=1e-4)
    prior = np.tile(head.prior_logits(), (5, 1))
    assert np.mean(head.loss("none")(values[:5], prior)) == pytest.approx(1, rel=1e-5)
    assert head.weight_per_row == pytest.approx(5 / 6)


def test_a_prediction_stays_finite(tf: Any) -> None:
    from polyhead.kinds.targets.count.graph import CountHead

    head = CountHead("t", CountTarget(kind="count"), fitted([1.0, 2.0]))
    said = head.answers(np.array([[1e6], [-1e6]]), 0.0, ())["t"].numpy()
    assert np.isfinite(said).all()
    assert (said >= 0).all()


def test_the_baseline_says_the_train_rows_mean() -> None:
    statistics = fitted([0.0, 0.0, 6.0])
    outcome = CountOutcome("count", np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    assert SCORES["count"].baseline(statistics, outcome).predicted.tolist() == [2.0, 2.0]


def deviances(counts: Any, means: Any, dispersion: float) -> Any:
    """Twice what SciPy's log likelihood of a negative binomial distribution lacks to that of a perfect prediction."""
    counts, size = np.asarray(counts, np.float64), 1 / dispersion
    perfect = np.where(counts > 0, nbinom.logpmf(counts, size, 1 / (1 + dispersion * counts)), 0.0)
    return 2 * (perfect - nbinom.logpmf(counts, size, 1 / (1 + dispersion * np.asarray(means))))


def test_the_dispersion_is_by_moments() -> None:
    """What the variance is above the mean, over its square, and the deviance from the mean with it; 0 below."""
    counts = [0.0, 0.0, 3.0, 1.0, 14.0]
    found, mean = fitted(counts), np.mean(counts)
    assert found.dispersion == pytest.approx((np.var(counts) - mean) / mean**2, rel=1e-12)
    assert found.dispersed_deviance == pytest.approx(deviances(counts, mean, found.dispersion).mean(), rel=1e-9)
    even = fitted([5.0, 5.0, 6.0])
    assert (even.dispersion, even.dispersed_deviance) == (0.0, even.deviance)


def test_the_negative_binomial_loss_is_scipys_deviance(tf: Any) -> None:
    """For no count, small ones and large ones; its gradient is that of the mean over what the counts scatter."""
    from polyhead.kinds.targets.count.graph import CountHead

    counts = [0.0, 1.0, 7.0, 250.0, 123_456.0, 3.0]
    statistics = fitted([0.0, 1.0, 7.0, 12.0, 3.0]).model_copy(update={"dispersion": 0.8})
    head = CountHead("t", CountTarget(kind="count", distribution="negative_binomial"), statistics)
    values, _ = head.transform()({"t": tf.constant(counts, tf.float64)})
    logits = tf.constant([[-1.0], [0.3], [2.5], [5.5], [11.0], [-20.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = head.loss("none")(values, logits)
    means = np.exp(logits.numpy()[:, 0].astype(np.float64))
    found = np.asarray(loss) * statistics.dispersed_deviance
    np.testing.assert_allclose(found, deviances(counts, means, 0.8), rtol=1e-3, atol=1e-4)
    slope = tape.gradient(loss, logits).numpy()[:, 0] * statistics.dispersed_deviance
    np.testing.assert_allclose(slope, 2 * (means - counts) / (1 + 0.8 * means), rtol=1e-4)
    poisson = CountHead("t", CountTarget(kind="count"), statistics)
    assert head.answers(logits, 0.0, ())["t"].numpy().tolist() == poisson.answers(logits, 0.0, ())["t"].numpy().tolist()
    assert np.asarray(poisson.loss("none")(values, logits))[4] > 10 * np.asarray(loss)[4]


def test_without_dispersion_the_loss_is_poissons(tf: Any) -> None:
    from polyhead.kinds.targets.count.graph import CountHead, PoissonDeviance

    even = fitted([5.0, 5.0, 6.0])
    target = CountTarget(kind="count", distribution="negative_binomial")
    assert isinstance(CountHead("t", target, even).loss("none"), PoissonDeviance)
    notes = SCORES["count"].notes(target, CountOutcome("count", np.array([1.0]), np.array([1.0])))
    assert any("Poisson" in note for note in notes)


def test_intervals_of_dispersed_counts_are_wider_for_large_ones(tf: Any) -> None:
    """Of one strangeness each: an interval holds exactly the counts that are no stranger, and grows with the mean."""
    from polyhead.kinds.targets.count.graph import CountHead

    statistics = fitted([0.0, 1.0, 7.0, 12.0, 3.0]).model_copy(update={"dispersion": 0.5})
    heads = [
        CountHead("t", CountTarget(kind="count", distribution=name), statistics)
        for name in ("poisson", "negative_binomial")
    ]
    logits = np.log([[2.0], [200.0]])
    widths = []
    for head, radius in zip(heads, (1.0, 0.8), strict=True):
        held = head.held(tf.constant(logits), head.answers(tf.constant(logits), 0.0, ()), radius)
        low, high = held["t__low"].numpy(), held["t__high"].numpy()
        for inside, values in ((True, low), (True, high), (False, high + 1)):
            found = head.strangeness(logits, values[:, None]) <= radius + 1e-6
            assert found.tolist() == [inside, inside]
        widths.append((high - low)[1] / (high - low)[0])
    assert widths[1] > 3 * widths[0]
