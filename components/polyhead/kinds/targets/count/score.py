"""The scores of counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from sklearn import metrics as sk

from polyhead.intervals.bootstrap import Bootstrap, Smooth, mean
from polyhead.intervals.method import Floats
from polyhead.kinds.metrics import D2, NEGATIVE_BINOMIAL_DEVIANCE, POISSON_DEVIANCE
from polyhead.kinds.protocols.score import Measure
from polyhead.kinds.suspects import Suspect
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.count.deviance import (
    even,
    negative_binomial_deviances,
    own_terms,
    poisson_deviances,
)
from polyhead.kinds.targets.regression.score import (
    MAE_MEASURE,
    RMSE_MEASURE,
    NumberOutcome,
    NumberScore,
    covered_by_interval,
    number_suspects,
)

_SMALLEST_MEAN = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class CountOutcome(NumberOutcome):
    """A head of counts.

    Attributes:
        dispersion: Of the train rows, from 0. Default: that of Poisson's distribution.
    """

    dispersion: float = 0.0


class CountScore(NumberScore[CountTarget, CountStatistics, CountOutcome]):
    """Of a count."""

    def outcome(self, name: str, statistics: CountStatistics, known: pl.DataFrame) -> CountOutcome:
        """The numbers as they are."""
        true, predicted = (known[f"{name}.{column}"].to_numpy() for column in ("true", "predicted"))
        covered = covered_by_interval(name, known)
        return CountOutcome(statistics.kind, true, predicted, dispersion=statistics.dispersion, **covered)

    def baseline(self, statistics: CountStatistics, outcome: CountOutcome) -> CountOutcome:
        """The train rows' mean, by their row weights."""
        return replace(outcome, predicted=np.full(len(outcome), statistics.centre))

    def notes(self, target: CountTarget, outcome: CountOutcome) -> list[str]:
        """Where counts do not scatter as the target says."""
        if target.distribution == "poisson" or outcome.dispersion:
            return []
        return ["the train rows' counts scatter no more than Poisson's, so the head learned by its deviance"]

    def suspects(self, target: CountTarget, statistics: CountStatistics, outcome: CountOutcome) -> list[Suspect]:
        """By the errors on a scale on which they are as wide for small counts as for large ones."""
        dispersion = outcome.dispersion if target.distribution == "negative_binomial" else 0.0
        errors = even(outcome.true, dispersion) - even(np.maximum(outcome.predicted, 0), dispersion)
        return number_suspects(outcome, outcome.predicted, errors)


def _counts(outcome: CountOutcome) -> tuple[Floats, Floats]:
    """True counts, and their predicted means, above 0."""
    true, predicted = outcome.numbers()
    return true, np.maximum(predicted, _SMALLEST_MEAN)


def _deviances(outcome: CountOutcome) -> Floats:
    """Poisson's deviance of each row."""
    return poisson_deviances(*_counts(outcome))


def _dispersed(outcome: CountOutcome) -> Floats:
    """The negative binomial deviance of each row."""
    return negative_binomial_deviances(*_counts(outcome), outcome.dispersion)


def _over_own(deviances: Floats, counts: Floats) -> Smooth:
    """Mean of the deviances over that of the counts from their own mean."""

    def total(m: Floats) -> Floats:
        found: Floats = 2 * (m[..., 1] - m[..., 2] * np.log(m[..., 2]))
        return found

    def gradient(m: Floats) -> Floats:
        slope = 2 * m[..., 0] / total(m) ** 2
        return np.stack([1 / total(m), -slope, slope * (np.log(m[..., 2]) + 1)], -1)

    return Smooth(np.stack([deviances, own_terms(counts), counts], 1), lambda m: m[..., 0] / total(m), gradient)


def _d2(outcome: CountOutcome) -> float | None:
    true, predicted = _counts(outcome)
    counted = true if outcome.weights is None else true[outcome.weights > 0]
    if len(counted) < 2 or np.ptp(counted) == 0:
        return None
    return float(sk.d2_tweedie_score(true, predicted, power=1, sample_weight=outcome.weights))


def _gain(outcome: CountOutcome, baseline: CountOutcome) -> Floats:
    return _deviances(baseline) - _deviances(outcome)


SCORE = CountScore(
    CountTarget.METRICS,
    [
        Measure(
            POISSON_DEVIANCE,
            lambda outcome: float(sk.mean_poisson_deviance(*_counts(outcome), sample_weight=outcome.weights)),
            Bootstrap(
                error=lambda outcome: mean(_deviances(outcome)),
                back=math.exp,
                gain=lambda outcome, baseline: mean(-_gain(outcome, baseline)),
            ),
        ),
        Measure(
            D2,
            _d2,
            Bootstrap(
                error=lambda outcome: _over_own(_deviances(outcome), outcome.numbers()[0]),
                back=lambda x: 1 - math.exp(x),
                gain=lambda outcome, baseline: _over_own(_gain(outcome, baseline), outcome.numbers()[0]),
            ),
        ),
        Measure(
            NEGATIVE_BINOMIAL_DEVIANCE,
            lambda outcome: float(np.average(_dispersed(outcome), weights=outcome.weights)),
            Bootstrap(
                error=lambda outcome: mean(_dispersed(outcome)),
                back=math.exp,
                gain=lambda outcome, baseline: mean(_dispersed(outcome) - _dispersed(baseline)),
            ),
        ),
        MAE_MEASURE,
        RMSE_MEASURE,
    ],
)
