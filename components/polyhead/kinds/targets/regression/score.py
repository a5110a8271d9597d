"""The scores of regression targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from sklearn import metrics as sk

from polyhead.intervals.bootstrap import FAR_TAIL, Bootstrap, Smooth, difference_of_roots, mean, over_variance, ratio
from polyhead.intervals.medians import median, weighted_median
from polyhead.intervals.method import Floats
from polyhead.intervals.shares import Estimate, Shares
from polyhead.kinds.metrics import D2, MAE, MAPE, MEDIAN_AE, R2, R2_TRANSFORMED, RMSE, Metric
from polyhead.kinds.protocols.score import Arrays, Measure, Outcome, OutcomeT, StatisticsT, TargetScore, TargetT
from polyhead.kinds.suspects import Suspect, far_off
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget
from polyhead.kinds.targets.regression.scale import TABLES_OWN, Scale

LONGEST_TAIL = 4.5


@dataclass(frozen=True)
class NumberOutcome(Outcome):
    """A head of numbers; `true` and `predicted` are float64 (n,).

    Attributes:
        scale: What the head learns the numbers on. Default: the table's scale.
    """

    scale: Scale = TABLES_OWN

    @property
    def finite(self) -> bool:
        """Whether all predictions are."""
        return bool(np.isfinite(self.predicted).all())

    def numbers(self) -> tuple[Floats, Floats]:
        """True and predicted numbers, float64 (n,)."""
        return self.true.astype(np.float64), self.predicted.astype(np.float64)

    def learned(self) -> tuple[Floats, Floats]:
        """As `numbers`, on the scale that the head learns."""
        true, predicted = self.numbers()
        return self.scale.learned(true), self.scale.learned(self.scale.clipped(predicted))


def covered_by_interval(name: str, known: pl.DataFrame) -> dict[str, Any]:
    """`covered` and `sizes` of an outcome, where the table has intervals of the target."""
    if f"{name}.low" not in known.columns:
        return {}
    true, low, high = (known[f"{name}.{column}"] for column in ("true", "low", "high"))
    covered = ((low <= true) & (true <= high)).fill_null(value=False)
    return {"covered": covered.to_numpy(), "sizes": (high - low).to_numpy()}


class NumberScore(TargetScore[TargetT, StatisticsT, OutcomeT]):
    """Of a number of some kind."""

    def truths(self, name: str, raw: Arrays) -> list[Any]:
        """Numbers; NaN is missing."""
        return [None if np.isnan(value) else float(value) for value in raw[name]]

    def truth_column(self, name: str, truths: Sequence[Any]) -> pl.Series:
        """Numbers."""
        return pl.Series(f"{name}.true", truths, dtype=pl.Float64)

    def prediction_columns(self, name: str, statistics: StatisticsT, arrays: Arrays) -> list[pl.Series]:
        """The number, and the ends of its interval."""
        ends = [end for end in ("low", "high") if f"{name}__{end}" in arrays]
        return [
            pl.Series(f"{name}.predicted", arrays[name].astype(np.float64)),
            *(pl.Series(f"{name}.{end}", arrays[f"{name}__{end}"].astype(np.float64)) for end in ends),
        ]


def number_suspects(outcome: Outcome, predicted: Floats, errors: Floats) -> list[Suspect]:
    """Rows whose number is far off; errors on a scale on which they are as wide everywhere, (n,)."""
    rows, distances = far_off(errors)
    return [
        Suspect(row, None, repr(float(outcome.true[row])), repr(float(predicted[row])), distance)
        for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
    ]


def learned_suspects(outcome: NumberOutcome) -> list[Suspect]:
    """Rows whose number is far off on the scale that the head learns."""
    return number_suspects(outcome, outcome.predicted, _errors(outcome, NumberOutcome.learned))


class RegressionScore(NumberScore[RegressionTarget, RegressionStatistics, NumberOutcome]):
    """Of a regression target."""

    def outcome(self, name: str, statistics: RegressionStatistics, known: pl.DataFrame) -> NumberOutcome:
        """The numbers as they are."""
        true, predicted = (known[f"{name}.{column}"].to_numpy() for column in ("true", "predicted"))
        scale = Scale(statistics.transform, statistics.knots)
        return NumberOutcome(statistics.kind, true, predicted, scale=scale, **covered_by_interval(name, known))

    def baseline(self, statistics: RegressionStatistics, outcome: NumberOutcome) -> NumberOutcome:
        """The train rows' median; with row weights the mean on the scale that the head learns, turned back."""
        centre = statistics.median if statistics.weighted is None else statistics.weighted.value
        return replace(outcome, predicted=np.full(len(outcome), centre))

    def suspects(
        self, target: RegressionTarget, statistics: RegressionStatistics, outcome: NumberOutcome
    ) -> list[Suspect]:
        """By the errors on the scale that the head learns."""
        return learned_suspects(outcome)

    def notes(self, target: RegressionTarget, outcome: NumberOutcome) -> list[str]:
        """Of what the predictions are means or medians, and which rows MAPE leaves out."""
        notes = []
        if target.predict == "mean":
            notes.append("predictions are means: the train rows' residuals correct them (predict: mean)")
        elif target.transform in _LEARNED:
            means = "; predict: mean gives means" if _LEARNED[target.transform] == "logarithm" else ""
            notes.append(f"predictions are near the median, as their {_LEARNED[target.transform]} is learned{means}")
        if zeros := len(outcome) - _nonzero(outcome):
            notes.append(f"mape leaves out {zeros} test rows whose true value is 0")
        return notes


_LEARNED = {"log": "logarithm", "log1p": "logarithm", "sqrt": "square root", "quantile": "quantile"}

On = Callable[[NumberOutcome], tuple[Floats, Floats]]


def _errors(outcome: NumberOutcome, scale: On = NumberOutcome.numbers) -> Floats:
    true, predicted = scale(outcome)
    return true - predicted


def _nonzero(outcome: NumberOutcome) -> int:
    return int((outcome.true != 0).sum())


def _long_tailed(scale: On) -> Callable[[NumberOutcome], str]:
    """Doubts a mean of squared errors that a few of them make."""

    def doubt(outcome: NumberOutcome) -> str:
        errors, shares = np.abs(_errors(outcome, scale)), [0.5, 0.95]
        if outcome.weights is None:
            middle, far = np.quantile(errors, shares)
        else:
            middle, far = np.quantile(errors, shares, method="inverted_cdf", weights=outcome.weights)
        if far > LONGEST_TAIL * middle:
            return "a few large errors decide it, and these rows do not show how large they get"
        return ""

    return doubt


def _r2(metric: Metric, scale: On) -> Measure[NumberOutcome]:
    """R² on one scale, which is 1 minus a ratio of errors."""

    def value(outcome: NumberOutcome) -> float | None:
        true, predicted = scale(outcome)
        counted = true if outcome.weights is None else true[outcome.weights > 0]
        if len(counted) < 2 or np.ptp(counted) == 0:
            return None
        return float(sk.r2_score(true, predicted, sample_weight=outcome.weights))

    def error(outcome: NumberOutcome) -> Smooth:
        return over_variance(_errors(outcome, scale) ** 2, scale(outcome)[0])

    def gain(outcome: NumberOutcome, baseline: NumberOutcome) -> Smooth:
        gained = _errors(baseline, scale) ** 2 - _errors(outcome, scale) ** 2
        return over_variance(gained, scale(outcome)[0])

    method = Bootstrap(error=error, back=lambda x: 1 - math.exp(x), gain=gain, doubt=_long_tailed(scale))
    return Measure(metric, value, method)


def _mape(outcome: NumberOutcome) -> float | None:
    true, predicted = outcome.numbers()
    nonzero = true != 0
    weights = None if outcome.weights is None else outcome.weights[nonzero]
    if not (nonzero if weights is None else weights).any():
        return None
    errors = np.abs((predicted[nonzero] - true[nonzero]) / true[nonzero])
    return float(100 * np.average(errors, weights=weights))


def _relative(errors: Floats, outcome: NumberOutcome) -> Smooth:
    """Mean of the errors in percent of the true value, over the rows where that is not 0."""
    true = outcome.numbers()[0]
    counts = true != 0
    shares = np.divide(100 * errors, np.abs(true), out=np.zeros(len(true)), where=counts)
    return ratio(shares, counts.astype(np.float64))


def _absolute_gain(outcome: NumberOutcome, baseline: NumberOutcome) -> Floats:
    """How much larger each row's absolute error is than the baseline's."""
    return np.abs(_errors(outcome)) - np.abs(_errors(baseline))


MAE_MEASURE = Measure[NumberOutcome](
    MAE,
    lambda outcome: float(np.average(np.abs(_errors(outcome)), weights=outcome.weights)),
    Bootstrap(
        error=lambda outcome: mean(np.abs(_errors(outcome))),
        back=math.exp,
        gain=lambda outcome, baseline: mean(_absolute_gain(outcome, baseline)),
    ),
)


def best_constant(true: Floats, level: float, weights: Floats | None) -> float:
    """The number with the least pinball loss of a level on some rows: one of their quantiles."""
    return float(np.quantile(true, level, method="inverted_cdf", weights=weights))


def _d2(outcome: NumberOutcome) -> float | None:
    true = outcome.numbers()[0]
    centre = best_constant(true, 0.5, outcome.weights)
    trivial = np.average(np.abs(true - centre), weights=outcome.weights)
    return float(1 - np.average(np.abs(_errors(outcome)), weights=outcome.weights) / trivial) if trivial > 0 else None


def _over_absolute(values: Floats, outcome: NumberOutcome) -> Smooth:
    """Mean of the values over that of the distances from the rows' median."""
    true = outcome.numbers()[0]
    centre = np.median(true) if outcome.weights is None else best_constant(true, 0.5, outcome.weights)
    return ratio(values, np.abs(true - centre))


def _median_error(outcome: NumberOutcome) -> float:
    errors = np.abs(_errors(outcome))
    if outcome.weights is None:
        return float(np.median(errors))
    order = np.argsort(errors, kind="stable")
    mass = outcome.weights[order].cumsum()
    lower, upper = (int(np.searchsorted(mass, mass[-1] / 2, side)) for side in ("left", "right"))
    return float((errors[order[lower]] + errors[order[upper]]) / 2)


def _median_of(outcome: NumberOutcome) -> Estimate:
    errors = np.abs(_errors(outcome))
    return median(errors) if outcome.weights is None else weighted_median(errors, outcome.weights)


D2_ABSOLUTE_MEASURE = Measure[NumberOutcome](
    D2,
    _d2,
    Bootstrap(
        error=lambda outcome: _over_absolute(np.abs(_errors(outcome)), outcome),
        back=lambda x: 1 - math.exp(x),
        gain=lambda outcome, baseline: _over_absolute(-_absolute_gain(outcome, baseline), outcome),
    ),
)
MEDIAN_AE_MEASURE = Measure[NumberOutcome](
    MEDIAN_AE,
    _median_error,
    Shares(name="order statistics", estimate=_median_of, weighs=True),
)
RMSE_MEASURE = Measure[NumberOutcome](
    RMSE,
    lambda outcome: float(np.sqrt(np.average(_errors(outcome) ** 2, weights=outcome.weights))),
    Bootstrap(
        error=lambda outcome: mean(_errors(outcome) ** 2),
        back=lambda x: math.exp(x / 2),
        gain=lambda outcome, baseline: difference_of_roots(_errors(outcome) ** 2, _errors(baseline) ** 2),
        tail=FAR_TAIL,
        doubt=_long_tailed(NumberOutcome.numbers),
    ),
)

SCORE = RegressionScore(
    RegressionTarget.METRICS,
    [
        _r2(R2, NumberOutcome.numbers),
        _r2(R2_TRANSFORMED, NumberOutcome.learned),
        D2_ABSOLUTE_MEASURE,
        MAE_MEASURE,
        MEDIAN_AE_MEASURE,
        RMSE_MEASURE,
        Measure(
            MAPE,
            _mape,
            Bootstrap(
                error=lambda outcome: _relative(np.abs(_errors(outcome)), outcome),
                back=math.exp,
                gain=lambda outcome, baseline: _relative(_absolute_gain(outcome, baseline), outcome),
            ),
            rows=_nonzero,
        ),
    ],
)
