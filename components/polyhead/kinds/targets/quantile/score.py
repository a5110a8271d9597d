"""The scores of quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from sklearn import metrics as sk

from polyhead.intervals.bootstrap import Bootstrap, mean, ratio
from polyhead.intervals.method import Booleans, Floats
from polyhead.intervals.shares import Shares, share
from polyhead.kinds.metrics import COVERAGE, D2, PINBALL
from polyhead.kinds.protocols.score import Arrays, Measure, Outcome
from polyhead.kinds.suspects import Suspect
from polyhead.kinds.targets.probabilities import FEWEST_FOR_SHARE
from polyhead.kinds.targets.quantile.config import QuantileStatistics, QuantileTarget
from polyhead.kinds.targets.regression.scale import Scale
from polyhead.kinds.targets.regression.score import NumberScore, best_constant, covered_by_interval, number_suspects


@dataclass(frozen=True)
class QuantileOutcome(Outcome):
    """A head of quantiles; `true` is float64 (n,), `predicted` float64 (n, levels), ascending.

    Attributes:
        levels: Of the quantiles, ascending.
    """

    levels: tuple[float, ...]

    @property
    def finite(self) -> bool:
        """Whether all predictions are."""
        return bool(np.isfinite(self.predicted).all())

    def losses(self, constants: Floats | None = None) -> Floats:
        """Each row's pinball loss, the mean over levels, (n,).

        Args:
            constants: What is said of every row in place of `predicted`, (levels,). Default: nothing.
        """
        above, levels = self.true[:, None] - (self.predicted if constants is None else constants), np.array(self.levels)
        found: Floats = np.maximum(levels * above, (levels - 1) * above).mean(1)
        return found

    def inside(self) -> Booleans:
        """Whether a row lies between the lowest and the highest quantile, these included, (n,)."""
        found: Booleans = (self.predicted[:, 0] <= self.true) & (self.true <= self.predicted[:, -1])
        return found


class QuantileScore(NumberScore[QuantileTarget, QuantileStatistics, QuantileOutcome]):
    """Of several quantiles of a number."""

    def prediction_columns(self, name: str, statistics: QuantileStatistics, arrays: Arrays) -> list[pl.Series]:
        """The quantile next to the median, the ends of its interval, and `<name>.quantile.<level>` for each level."""
        quantiles = arrays[f"{name}__quantiles"].astype(np.float64)
        columns = [pl.Series(column, quantiles[:, at]) for at, column in enumerate(_columns(name, statistics))]
        return [*super().prediction_columns(name, statistics, arrays), *columns]

    def outcome(self, name: str, statistics: QuantileStatistics, known: pl.DataFrame) -> QuantileOutcome:
        """The numbers as they are."""
        quantiles = known.select(_columns(name, statistics)).to_numpy()
        true, levels = known[f"{name}.true"].to_numpy(), tuple(statistics.levels)
        return QuantileOutcome(statistics.kind, true, quantiles, levels, **covered_by_interval(name, known))

    def baseline(self, statistics: QuantileStatistics, outcome: QuantileOutcome) -> QuantileOutcome:
        """The train rows' quantiles, by their row weights."""
        return replace(outcome, predicted=np.tile(np.array(statistics.centres), (len(outcome), 1)))

    def suspects(
        self, target: QuantileTarget, statistics: QuantileStatistics, outcome: QuantileOutcome
    ) -> list[Suspect]:
        """By the errors of the quantile next to the median, on the scale that the head learns."""
        scale = Scale(statistics.scale.transform, statistics.scale.knots)
        middle = outcome.predicted[:, statistics.middle]
        errors = scale.learned(outcome.true) - scale.learned(scale.clipped(middle))
        return number_suspects(outcome, middle, errors)

    def notes(self, target: QuantileTarget, outcome: QuantileOutcome) -> list[str]:
        """How many true values lie below each quantile."""
        if not len(outcome):
            return []
        shares = (outcome.true[:, None] <= outcome.predicted).mean(0)
        each = ", ".join(f"{level}: {share:.3f}" for level, share in zip(target.levels, shares, strict=True))
        return [f"share of true values up to each quantile: {each}"]


def _columns(name: str, statistics: QuantileStatistics) -> list[str]:
    return [f"{name}.quantile.{level}" for level in statistics.levels]


def _pinball(outcome: QuantileOutcome) -> float:
    """The mean over levels of scikit-learn's."""
    each = zip(outcome.predicted.T, outcome.levels, strict=True)
    return float(
        np.mean(
            [
                sk.mean_pinball_loss(outcome.true, quantile, alpha=level, sample_weight=outcome.weights)
                for quantile, level in each
            ]
        )
    )


def _trivial(outcome: QuantileOutcome) -> Floats:
    """Each row's pinball loss of the best constants on these rows, (n,)."""
    best = [best_constant(outcome.true, level, outcome.weights) for level in outcome.levels]
    return outcome.losses(np.array(best))


def _d2(outcome: QuantileOutcome) -> float | None:
    trivial = np.average(_trivial(outcome), weights=outcome.weights)
    return float(1 - np.average(outcome.losses(), weights=outcome.weights) / trivial) if trivial > 0 else None


def _coverage(outcome: QuantileOutcome) -> float | None:
    return float(np.average(outcome.inside(), weights=outcome.weights)) if len(outcome.levels) > 1 else None


def _no_sign(outcome: QuantileOutcome) -> str:
    """A wide interval covers more and is no better for it."""
    return f"coverage is right at {outcome.levels[-1] - outcome.levels[0]:g}, and more is not better"


SCORE = QuantileScore(
    QuantileTarget.METRICS,
    [
        Measure(
            PINBALL,
            _pinball,
            Bootstrap(
                error=lambda outcome: mean(outcome.losses()),
                back=math.exp,
                gain=lambda outcome, baseline: mean(outcome.losses() - baseline.losses()),
            ),
        ),
        Measure(
            D2,
            _d2,
            Bootstrap(
                error=lambda outcome: ratio(outcome.losses(), _trivial(outcome)),
                back=lambda x: 1 - math.exp(x),
                gain=lambda outcome, baseline: ratio(baseline.losses() - outcome.losses(), _trivial(outcome)),
            ),
        ),
        Measure(
            COVERAGE,
            _coverage,
            Shares(
                name="Wilson",
                estimate=lambda outcome: share(outcome.inside()),
                fewest_rows=FEWEST_FOR_SHARE,
                doubt_of_sign=_no_sign,
            ),
        ),
    ],
)
