"""Counts: what is refused, what is fitted, and a loss that is Poisson's deviance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from refusals import refusal
from samples import member
from sklearn.metrics import mean_poisson_deviance

from polyhead.errors import DataError
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.scores import SCORES
from polyhead.kinds.tables import coerce, table_of
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.regression.score import NumberOutcome
from polyhead.pictures.folder import PictureFolder


def fitted(counts: list[float | None]) -> CountStatistics:
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
    outcome = NumberOutcome("count", np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    assert SCORES["count"].baseline(statistics, outcome).predicted.tolist() == [2.0, 2.0]
