"""Quantiles: fitted, learned and said at their levels, never crossing, on the table's scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from refusals import refusal
from samples import member
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss

from polyhead.contracts.config import parse_config
from polyhead.errors import ConfigError, DataError
from polyhead.evaluate.scoring.comparing import compare
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.scores import SCORES
from polyhead.kinds.tables import table_of
from polyhead.kinds.targets.quantile.config import QuantileStatistics, QuantileTarget
from polyhead.kinds.targets.quantile.score import QuantileOutcome
from polyhead.pictures.folder import PictureFolder

LEVELS = [0.1, 0.4, 0.9]
NUMBERS = np.exp(np.random.default_rng(0).normal(2, 1, 500))


def fitted(numbers: Any = NUMBERS, **options: Any) -> QuantileStatistics:
    target = member("quantile", **{"levels": LEVELS, **options})
    fit = table_of(target).fit("t", target)
    fit.update(pl.Series(numbers, dtype=pl.Float64))
    statistics = fit.finish(Site(Path(), PictureFolder("."), max_pixels=1))
    assert isinstance(statistics, QuantileStatistics)
    return statistics


def head(transform: Literal["none", "log"]) -> Any:
    from polyhead.kinds.targets.quantile.graph import QuantileHead

    target = QuantileTarget(kind="quantile", levels=LEVELS, transform=transform)
    return QuantileHead("t", target, fitted([*NUMBERS, None], transform=transform))


@pytest.mark.parametrize("transform", ["none", "log"])
def test_the_prior_says_the_train_rows_quantiles(tf: Any, transform: Literal["none", "log"]) -> None:
    """Through the transform and back, those of numpy, beside the one that is next to the median."""
    of = head(transform)
    said = of.answers(of.prior_logits()[None].astype(np.float64), 0.0, ())
    expected = np.quantile(NUMBERS, LEVELS)
    np.testing.assert_allclose(said["t__quantiles"].numpy(), [expected], rtol=1e-5)
    assert said["t"].numpy() == pytest.approx([expected[1]], rel=1e-5)
    assert of.weight_per_row == pytest.approx(500 / 501)


def test_quantiles_never_cross(tf: Any) -> None:
    """They are the logits in order; sorting makes no row's loss larger."""
    of = head("none")
    logits = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    said = of.answers(logits.astype(np.float64), 0.0, ())["t__quantiles"].numpy()
    assert (np.diff(said, axis=1) >= 0).all()
    assert (np.diff(logits, axis=1) < 0).any()
    scale = of.statistics.scale
    np.testing.assert_allclose(said, np.sort(logits, 1) * np.sqrt(scale.variance) + scale.mean, rtol=1e-6)
    values, _ = of.transform()({"t": tf.constant(NUMBERS[:200])})
    before, after = (np.asarray(of.loss("none")(values, each)) for each in (logits, np.sort(logits, 1)))
    assert (after <= before + 1e-6).all()


def test_the_loss_is_scikit_learns_pinball_loss(tf: Any) -> None:
    """The mean over levels, of the standardised number; a missing one has no weight."""
    of = head("none")
    numbers = NUMBERS[:50]
    values, weights = of.transform()({"t": tf.constant([*numbers, np.nan])})
    assert weights.numpy().tolist() == [1] * 50 + [0]
    logits = np.random.default_rng(2).normal(size=(51, 3)).astype(np.float32)
    scaled = (numbers - of.statistics.scale.mean) / np.sqrt(of.statistics.scale.variance)
    expected = [mean_pinball_loss(scaled, logits[:50, at], alpha=level) for at, level in enumerate(LEVELS)]
    found = np.asarray(of.loss("none")(values, logits))[:50]
    assert found.mean() == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_column_for_each_level() -> None:
    """Beside the prediction next to the median; the outcome and the baseline have them again."""
    statistics = fitted()
    arrays = {"t": np.array([2.0, 5.0]), "t__quantiles": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])}
    score = SCORES["quantile"]
    table = pl.DataFrame([score.truth_column("t", [2.5, 7.0]), *score.prediction_columns("t", statistics, arrays)])
    assert table.columns == ["t.true", "t.predicted", "t.quantile.0.1", "t.quantile.0.4", "t.quantile.0.9"]
    outcome = score.outcome("t", statistics, table)
    assert outcome.predicted.tolist() == arrays["t__quantiles"].tolist()
    baseline = score.baseline(statistics, outcome)
    np.testing.assert_allclose(baseline.predicted[1], np.quantile(NUMBERS, LEVELS), rtol=1e-4)
    notes = score.notes(member("quantile", levels=LEVELS), outcome)
    assert notes == ["share of true values up to each quantile: 0.1: 0.000, 0.4: 0.000, 0.9: 0.500"]


def test_more_coverage_is_not_called_better() -> None:
    """It is right at its level, so only the pinball loss earns a verdict."""
    generator = np.random.default_rng(3)
    known, rest = generator.normal(size=(2, 400))
    levels = (0.1, 0.9)
    outcome = QuantileOutcome("quantile", known + rest, known[:, None] + norm.ppf(levels), levels)
    wide = QuantileOutcome("quantile", outcome.true, np.tile([-9.0, 9.0], (400, 1)), levels)
    scores = compare(outcome, wide, resamples=1_000, seed=0)
    assert scores["pinball"].verdict == "better"
    assert compare(wide, outcome, resamples=1_000, seed=0)["coverage"].verdict == "not clearly better"
    assert "0.8" in scores["coverage"].difference_interval.reason
    interval = scores["coverage"].interval
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < 0.8 < interval.high


@pytest.mark.parametrize(
    ("levels", "code", "where"),
    [
        ("[0.9, 0.1]", "unordered-levels", "targets.y"),
        ("[0.5, 0.5]", "unordered-levels", "targets.y"),
        ("[0.1, 1.0]", "out-of-range", "targets.y.levels.1"),
        ("[]", "wrong-length", "targets.y.levels"),
    ],
)
def test_levels_that_are_none_are_refused(levels: str, code: str, where: str) -> None:
    text = f"table: t.csv\nfeatures: {{x: {{kind: numeric}}}}\ntargets: {{y: {{kind: quantile, levels: {levels}}}}}\n"
    with refusal(ConfigError, code, where=f"polyhead.yaml:3 {where}"):
        parse_config(text, name="polyhead.yaml")


@pytest.mark.parametrize(("numbers", "code"), [([None], "empty-target"), ([3.0, 3.0], "constant-target")])
def test_nothing_to_learn_is_refused(numbers: list[float | None], code: str) -> None:
    with refusal(DataError, code, where="target 't'"):
        fitted(numbers)


def test_the_baseline_counts_rows_by_their_weights(tf: Any) -> None:
    """By NumPy's quantiles, to 20 bits of the weights; in whatever order and parts the rows come, it is the same."""
    from polyhead.kinds.targets.quantile.graph import QuantileHead

    generator = np.random.default_rng(0)
    numbers, weights = generator.normal(size=500), np.append(generator.lognormal(0, 3, 499), 0.0)
    target = QuantileTarget(kind="quantile", levels=LEVELS)

    def statistics(parts: list[Any]) -> QuantileStatistics:
        fit, *others = (table_of(target).fit("t", target) for _ in parts)
        for one, rows in zip((fit, *others), parts, strict=True):
            one.update(pl.Series(numbers[rows]), pl.Series(weights[rows]))
        for other in others:
            restored = table_of(target).fit("t", target)
            restored.restore(other.state())
            fit.merge(restored)
        found = fit.finish(Site(Path(), PictureFolder("."), max_pixels=1))
        assert isinstance(found, QuantileStatistics)
        return found

    whole = statistics([np.arange(500)])
    assert statistics(np.array_split(generator.permutation(500), 4)) == whole
    expected = np.quantile(numbers, LEVELS, method="inverted_cdf", weights=weights)
    assert whole.weighted == pytest.approx(expected.tolist(), rel=1e-12)
    assert whole.weighted != pytest.approx(whole.quantiles, rel=0.1)
    head = QuantileHead("t", target, whole)
    said = head.answers(head.prior_logits()[None].astype(np.float64), 0.0, ())["t__quantiles"].numpy()[0]
    np.testing.assert_allclose(said, expected, rtol=1e-4)
    outcome = QuantileOutcome("quantile", numbers, np.zeros((500, len(LEVELS))), tuple(LEVELS))
    assert SCORES["quantile"].baseline(whole, outcome).predicted[0].tolist() == whole.weighted
