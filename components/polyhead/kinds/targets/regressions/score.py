"""The scores of several numbers: each metric of a number, on average over the columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from polyhead.intervals.bootstrap import Bootstrap, Smooth, average, root
from polyhead.intervals.method import Booleans, Floats
from polyhead.kinds.metrics import RMSE, Metric
from polyhead.kinds.protocols.score import Arrays, Measure, Outcome, TargetScore
from polyhead.kinds.suspects import Suspect
from polyhead.kinds.targets.regression.scale import Scale
from polyhead.kinds.targets.regression.score import SCORE as OF_ONE
from polyhead.kinds.targets.regression.score import NumberOutcome, learned_suspects
from polyhead.kinds.targets.regressions.config import RegressionsStatistics, RegressionsTarget

_ONE = "regression"
_ENDS = ("low", "high")


@dataclass(frozen=True)
class NumbersOutcome(Outcome):
    """A head of several numbers; `true` and `predicted` are float64 (n, numbers), of `true` NaN where missing.

    Attributes:
        names: What the numbers are called.
        scales: What the head learns each on.
        low: The lower ends of their intervals, float64 (n, numbers). Default: there are none.
        high: The upper ends.
    """

    names: tuple[str, ...]
    scales: tuple[Scale, ...]
    low: Floats | None = None
    high: Floats | None = None

    @property
    def finite(self) -> bool:
        """Whether all predictions are."""
        return bool(np.isfinite(self.predicted).all())

    def known(self, place: int) -> Booleans:
        """Of which rows a number is known, (n,)."""
        known: Booleans = np.isfinite(self.true[:, place])
        return known

    def column(self, place: int) -> NumberOutcome:
        """One number on the rows where it is known."""
        known = self.known(place)
        weights = None if self.weights is None else self.weights[known]
        true, predicted = self.true[known, place], self.predicted[known, place]
        covered: dict[str, Any] = {}
        if self.low is not None and self.high is not None:
            low, high = self.low[known, place], self.high[known, place]
            covered = {"covered": (low <= true) & (true <= high), "sizes": high - low}
        return NumberOutcome(_ONE, true, predicted, scale=self.scales[place], weights=weights, **covered)

    @property
    def there(self) -> list[int]:
        """The numbers that some row has: the others count in no metric."""
        return [place for place in range(len(self.names)) if self.known(place).any()]


class RegressionsScore(TargetScore[RegressionsTarget, RegressionsStatistics, NumbersOutcome]):
    """Of a target of several numbers."""

    def truths(self, name: str, raw: Arrays) -> list[Any]:
        """Lists of numbers; NaN is missing."""
        rows = [[None if np.isnan(number) else float(number) for number in row] for row in raw[name]]
        return [row if any(number is not None for number in row) else None for row in rows]

    def truth_column(self, name: str, truths: Sequence[Any]) -> pl.Series:
        """Lists of numbers, null where missing."""
        return pl.Series(f"{name}.true", truths, dtype=pl.List(pl.Float64))

    def prediction_columns(self, name: str, statistics: RegressionsStatistics, arrays: Arrays) -> list[pl.Series]:
        """The list of numbers, and of each `<name>.<column>.predicted` and the ends of its interval."""
        numbers = arrays[name].astype(np.float64)
        said = {"predicted": numbers, **{end: arrays[f"{name}__{end}"] for end in _ENDS if f"{name}__{end}" in arrays}}
        each = [
            pl.Series(f"{name}.{one}.{column}", values[:, at].astype(np.float64))
            for at, one in enumerate(statistics.columns)
            for column, values in said.items()
        ]
        return [pl.Series(f"{name}.predicted", numbers.tolist(), dtype=pl.List(pl.Float64)), *each]

    def outcome(self, name: str, statistics: RegressionsStatistics, known: pl.DataFrame) -> NumbersOutcome:
        """The numbers as they are."""
        width = len(statistics.columns)
        true, predicted = (
            np.array([known[f"{name}.{column}"].list.get(at).to_numpy() for at in range(width)], np.float64)
            .reshape(width, known.height)
            .T
            for column in ("true", "predicted")
        )
        scales = tuple(Scale(of.transform, of.knots) for of in statistics.each)
        ends: dict[str, Any] = {}
        if f"{name}.{statistics.columns[0]}.low" in known.columns:
            ends = {end: known.select(f"{name}.{one}.{end}" for one in statistics.columns).to_numpy() for end in _ENDS}
        return NumbersOutcome(statistics.kind, true, predicted, tuple(statistics.columns), scales, **ends)

    def suspects(
        self, target: RegressionsTarget, statistics: RegressionsStatistics, outcome: NumbersOutcome
    ) -> list[Suspect]:
        """Of each number, as of a regression target; the label is what it is called."""
        return [
            suspect._replace(row=int(np.flatnonzero(outcome.known(place))[suspect.row]), label=name)
            for place, (name, of) in enumerate(zip(outcome.names, statistics.each, strict=True))
            for suspect in learned_suspects(outcome.column(place))
        ]

    def baseline(self, statistics: RegressionsStatistics, outcome: NumbersOutcome) -> NumbersOutcome:
        """The train rows' medians; with row weights the means on the scales that the head learns, turned back."""
        centres = [of.median if of.weighted is None else of.weighted.value for of in statistics.each]
        return replace(outcome, predicted=np.tile(np.array(centres), (len(outcome), 1)))

    def parts(self, outcome: NumbersOutcome) -> dict[str, Outcome]:
        """Each number."""
        return {name: outcome.column(place) for place, name in enumerate(outcome.names)}

    def notes(self, target: RegressionsTarget, outcome: NumbersOutcome) -> list[str]:
        """What the metrics are means over."""
        notes = [f"each metric is the mean over {len(outcome.names)} columns; each column's own are beside it"]
        if gone := int((~np.isfinite(outcome.true)).sum()):
            notes.append(f"{gone} numbers of test rows are missing, and count in no metric")
        return notes


def _over_columns(metric: Metric) -> Measure[NumbersOutcome]:
    """A metric of a number as the mean over the columns that a row has."""
    one = OF_ONE.measures[metric.name]
    method = one.method
    assert isinstance(method, Bootstrap)
    error: Callable[[NumberOutcome], Smooth] = method.error
    back = method.back
    if metric is RMSE:  # the mean of roots, not the root of the mean
        error, back = (lambda outcome: root(method.error(outcome))), math.exp

    def value(outcome: NumbersOutcome) -> float | None:
        found = [one.value(outcome.column(place)) for place in outcome.there]
        defined = [number for number in found if number is not None]
        return float(np.mean(defined)) if defined and len(defined) == len(found) else None

    def doubt(outcome: NumbersOutcome) -> str:
        return next((said for place in outcome.there if (said := method.doubt(outcome.column(place)))), "")

    def error_of_all(outcome: NumbersOutcome) -> Smooth:
        return average([(error(outcome.column(place)), outcome.known(place)) for place in outcome.there])

    def gain(outcome: NumbersOutcome, baseline: NumbersOutcome) -> Smooth:
        pairs = [(outcome.column(place), baseline.column(place), outcome.known(place)) for place in outcome.there]
        return average([(method.gain(own, other), known) for own, other, known in pairs])

    return Measure(
        metric,
        value,
        Bootstrap(error=error_of_all, back=back, gain=gain, tail=method.tail, doubt=doubt),
        rows=lambda outcome: min((one.rows(outcome.column(place)) for place in outcome.there), default=0),
    )


SCORE = RegressionsScore(RegressionsTarget.METRICS, [_over_columns(metric) for metric in RegressionsTarget.METRICS])
