"""What the score facet of a target kind must give: how its predictions are kept, measured and explained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.evaluation import ClassRow, Reliability
from polyhead.intervals import groups
from polyhead.intervals.method import Booleans, Method, Resamples, Span, effective
from polyhead.intervals.shares import Shares
from polyhead.kinds.metrics import Metric
from polyhead.kinds.suspects import Suspect

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Outcome(ABC):
    """One head on n rows whose target is known.

    Attributes:
        kind: The target's kind.
        true: (n, …), see the kind.
        predicted: As `true`.
        weights: Row weights, float64 (n,), by which metrics count the rows. Default: all count alike.
        covered: Whether a row's true value lies in its interval or set, bool (n,). Default: there are none.
        sizes: How wide the interval is, or how many classes the set has, float64 (n,). Likewise.
    """

    kind: str
    true: NDArray[Any]
    predicted: NDArray[Any]
    weights: NDArray[np.float64] | None = field(default=None, kw_only=True)
    covered: NDArray[np.bool_] | None = field(default=None, kw_only=True)
    sizes: NDArray[np.float64] | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.true)

    @property
    @abstractmethod
    def finite(self) -> bool:
        """Whether all that the metrics are computed from are finite numbers."""

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """The outcome on some of the rows, repeats allowed."""
        arrays: dict[str, Any] = {
            field.name: values[chosen]
            for field in fields(self)
            if isinstance(values := getattr(self, field.name), np.ndarray)
        }
        return replace(self, **arrays)


OutcomeT = TypeVar("OutcomeT", bound=Outcome)
MeasuredT_contra = TypeVar("MeasuredT_contra", bound=Outcome, contravariant=True)
TargetT = TypeVar("TargetT")
StatisticsT = TypeVar("StatisticsT")


@dataclass(frozen=True)
class Measure(Generic[MeasuredT_contra]):
    """How a metric is computed on the outcomes of some kinds.

    Attributes:
        metric: The metric.
        value: Its value, from the predictions and not from Keras, whose own metrics approximate (its AUC by thresholds)
            and average over batches, by the outcome's row weights where it has any. None, or no finite number, where it
            is not defined; it gets at least one row, a weight above 0 and finite predictions.
        method: How it gets its interval.
        rows: Over how many rows it is. Default: all.
    """

    metric: Metric
    value: Callable[[MeasuredT_contra], float | None]
    method: Method[MeasuredT_contra]
    rows: Callable[[MeasuredT_contra], int] = len

    def limits(self, outcome: MeasuredT_contra, resamples: Resamples) -> Span | str:
        """The limits of its interval, by the outcome's row weights where it has any, or why there are none."""
        if outcome.weights is None or self.method.weighs:
            return self.method.limits(outcome, resamples)
        value, without = self.value(outcome), groups.values_of(lambda left: self._over(outcome, left), len(outcome))
        assert value is not None
        assert isinstance(self.method, Shares)
        rows = effective(outcome.weights)
        return without if isinstance(without, str) else groups.limits(value, without, self.method.lowest, rows)

    def difference(self, outcome: MeasuredT_contra, baseline: MeasuredT_contra, resamples: Resamples) -> Span | str:
        """The same of the metric minus the baseline's."""
        if outcome.weights is None or self.method.weighs:
            return self.method.difference(outcome, baseline, resamples)

        def apart(left: Booleans) -> float | None:
            own, other = self._over(outcome, left), self._over(baseline, left)
            return None if own is None or other is None else own - other

        value, without = apart(np.ones(len(outcome), np.bool_)), groups.values_of(apart, len(outcome))
        assert value is not None
        return without if isinstance(without, str) else groups.difference(value, without)

    def _over(self, outcome: MeasuredT_contra, rows: Booleans) -> float | None:
        some = outcome.rows(np.flatnonzero(rows))
        return self.value(some) if some.weights is None or some.weights.any() else None


class TargetScore(ABC, Generic[TargetT, StatisticsT, OutcomeT]):
    """The scores of one kind of target.

    Args:
        metrics: Those of the kind, the headline first.
        measures: How each of them is computed; others are left out.
    """

    def __init__(self, metrics: Sequence[Metric], measures: Sequence[Measure[OutcomeT]]) -> None:
        by_name = {measure.metric.name: measure for measure in measures}
        self.measures = {metric.name: by_name[metric.name] for metric in metrics}
        """By name of the metric, in the order of the reports."""

    def headline(self, statistics: StatisticsT) -> str:
        """The metric that stands for a head: the first of its kind, unless that says little of such train rows."""
        del statistics
        return next(iter(self.measures))

    def ordered(self, statistics: StatisticsT) -> list[str]:
        """The metrics in the order of the reports, the headline first."""
        return list(dict.fromkeys([self.headline(statistics), *self.measures]))

    def classes(self, statistics: StatisticsT) -> list[str]:
        """Names of the head's probabilities, in the order of the logits. Default: it has none."""
        return []

    @abstractmethod
    def truths(self, name: str, raw: Arrays) -> list[Any]:
        """A batch's raw values of the target `name` as `truth_column` takes them, None where missing."""

    @abstractmethod
    def truth_column(self, name: str, truths: Sequence[Any]) -> pl.Series:
        """The column `<name>.true`; null where the target is missing."""

    @abstractmethod
    def prediction_columns(self, name: str, statistics: StatisticsT, arrays: Arrays) -> list[pl.Series]:
        """The columns that begin with `<name>.` but for the truth's: `predicted`, `probability.<class>`, `low`, `set`.

        Args:
            name: The target.
            statistics: Its statistics.
            arrays: `<name>` and what begins with `<name>__`, as `polyhead.model.outputs.predictions` gives them.
        """

    @abstractmethod
    def outcome(self, name: str, statistics: StatisticsT, known: pl.DataFrame) -> OutcomeT:
        """The head on rows of a prediction table whose target is known."""

    @abstractmethod
    def baseline(self, statistics: StatisticsT, outcome: OutcomeT) -> OutcomeT:
        """What a model that looks at nothing says of the same rows."""

    def parts(self, outcome: OutcomeT) -> dict[str, Outcome]:
        """What the head predicts, column by column, each measured by itself too. Default: it is one column."""
        del outcome
        return {}

    def confusion(self, statistics: StatisticsT, outcome: OutcomeT) -> list[list[int]]:
        """Rows by true (first index) and predicted class. Default: none."""
        return []

    def per_class(self, statistics: StatisticsT, outcome: OutcomeT) -> list[ClassRow]:
        """Each class or label on its own. Default: there is none."""
        return []

    def reliability(self, statistics: StatisticsT, outcome: OutcomeT) -> list[Reliability]:
        """Whether the probabilities hold. Default: there are none."""
        return []

    def suspects(self, target: TargetT, statistics: StatisticsT, outcome: OutcomeT) -> list[Suspect]:
        """Rows whose label the head confidently contradicts, see `polyhead.kinds.suspects`."""
        return []

    def notes(self, target: TargetT, outcome: OutcomeT) -> list[str]:
        """What to know when reading the numbers. Default: nothing."""
        return []
