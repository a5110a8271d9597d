"""What is scored alike wherever a head gives a probability per class or label."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import metrics as sk

from polyhead.errors import counted
from polyhead.intervals.bootstrap import FEW_DECIDE, LARGEST_VARIANCE, Bootstrap, Smooth, ratio
from polyhead.intervals.method import Booleans, Floats, effective, no_doubt
from polyhead.intervals.ranks import pr_auc, roc_auc
from polyhead.intervals.shares import Estimate, Shares, by_influence, mean_of, share, wilson
from polyhead.kinds.metrics import ACCURACY, BRIER, LOG_LOSS, PR_AUC, ROC_AUC, WEIGHTED_F1, Metric
from polyhead.kinds.protocols.score import Arrays, Measure, Outcome

SMALLEST_PROBABILITY = 1e-7
FEWEST_FOR_SHARE = 10
FEWEST_OF_CLASS = 2
FEWEST_RANKED = 10


Part = Callable[["ProbabilityOutcome"], tuple[Floats, Floats]]
"""Each row's share in a mean, (n,), and whether it counts, 1 or 0."""

Loss = Literal["log", "square"]
"""Of the probability of what is true: its logarithm's, or its squared distance from 1."""


@dataclass(frozen=True)
class ProbabilityOutcome(Outcome):
    """One head with probabilities on n rows whose target is known.

    Attributes:
        probabilities: float64 (n, classes or labels).
    """

    probabilities: Floats

    @property
    def finite(self) -> bool:
        """Whether all probabilities are."""
        return bool(np.isfinite(self.probabilities).all())

    @abstractmethod
    def indicators(self, values: NDArray[Any]) -> Booleans:
        """Whether a row of `true` or `predicted` has each class or label, (n, classes or labels)."""

    @abstractmethod
    def right(self) -> Booleans:
        """Whether all of a row is predicted right, (n,). What training never saw is never right."""

    @abstractmethod
    def never_seen(self) -> Booleans:
        """Rows with a class or label that no train row has, (n,)."""

    @abstractmethod
    def losses(self) -> tuple[Floats, Floats]:
        """Each row's log loss, (n,), and whether it counts, 1 or 0. Probabilities are clipped at 1e-7."""

    @abstractmethod
    def squares(self) -> tuple[Floats, Floats]:
        """Each row's Brier score, (n,), and whether it counts, 1 or 0."""

    @abstractmethod
    def imagined(self, loss: Loss) -> tuple[Floats, Floats]:
        """What a loss and its square would be on average if labels came as the probabilities say, (n,) each."""

    @property
    @abstractmethod
    def relation(self) -> float:
        """The correlation of two classes or labels of which neither has a mistake yet."""

    @property
    @abstractmethod
    def noun(self) -> str:
        """What a column of the probabilities is called: class, label."""

    def sets(self) -> tuple[Booleans, Booleans]:
        """True and predicted indicators; what no train row has is one more column, which is never predicted."""
        true, predicted = self.indicators(self.true), self.indicators(self.predicted)
        unseen = self.never_seen()
        if not unseen.any():
            return true, predicted
        return np.column_stack([true, unseen]), np.column_stack([predicted, np.zeros_like(unseen)])


def probability_columns(name: str, labels: Sequence[str], arrays: Arrays) -> list[pl.Series]:
    """The columns `<name>.probability.<label>` of a prediction table."""
    probabilities = arrays[f"{name}__probabilities"].astype(np.float64)
    return [pl.Series(f"{name}.probability.{label}", probabilities[:, i]) for i, label in enumerate(labels)]


def probabilities_of(name: str, labels: Sequence[str], table: pl.DataFrame) -> Floats:
    """What `probability_columns` wrote, float64 (rows, labels)."""
    columns = [table[f"{name}.probability.{label}"].to_numpy() for label in labels]
    return np.stack(columns, 1) if table.height else np.zeros((0, len(labels)))


def places(words: pl.Series, labels: Sequence[str]) -> NDArray[np.int64]:
    """Where words are among the labels, int64 (words,), -1 for those that are not."""
    found = words.cast(pl.Enum(labels), strict=False).to_physical().cast(pl.Int64)
    return found.fill_null(-1).to_numpy()


def label_lists(
    name: str, words: pl.Series, lengths: Sequence[int] | NDArray[np.int64], missing: Booleans
) -> pl.Series:
    """A column of lists from all their words, end to end, how many each has, and whether it is missing."""
    import pyarrow as pa

    edges = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    lists = pa.LargeListArray.from_arrays(edges, words.to_arrow(), mask=pa.array(missing))
    return pl.Series(name, lists, dtype=pl.List(pl.String))


def rare(fewest: int) -> Callable[[ProbabilityOutcome], str]:
    """Doubts a mean over classes of which one has fewer rows."""

    def doubt(outcome: ProbabilityOutcome) -> str:
        rarest = int(outcome.indicators(outcome.true).sum(0).min())
        if rarest < fewest:
            return f"the rarest {outcome.noun} has {counted(rarest, 'row')} here, an interval needs {fewest}"
        return ""

    return doubt


def rarely_ranked(outcome: ProbabilityOutcome) -> str:
    """Doubts a ranking where few rows have a class or label, or few lack one."""
    positive = outcome.indicators(outcome.true)
    without = len(positive) - int(positive.sum(0).max())
    if doubt := rare(FEWEST_RANKED)(outcome):
        return doubt
    if without < FEWEST_RANKED:
        return f"only {counted(without, 'row')} lack the commonest label, an interval needs {FEWEST_RANKED}"
    return ""


@dataclass(frozen=True)
class Area:
    """The area under a curve of one class or label.

    Attributes:
        metric: The metric.
        value: By scikit-learn, from whether each row has it, its probability and its row weight.
        estimate: The same with its limits.
        name: Of the limits' method.
        doubt_of_sign: Of `Method`.
    """

    metric: Metric
    value: Callable[..., float]
    estimate: Callable[[Booleans, Floats], Estimate]
    name: str
    doubt_of_sign: Callable[[ProbabilityOutcome], str] = no_doubt

    def of_positive(self) -> Measure[ProbabilityOutcome]:
        """Of the second of two classes."""

        def value(outcome: ProbabilityOutcome) -> float | None:
            _, positive = _columns(outcome)
            return self._value(*positive, outcome.weights)

        def estimate(outcome: ProbabilityOutcome) -> Estimate | str:
            _, positive = columns = _columns(outcome)
            return self.estimate(*positive) if all(_ranked(has) for has, _ in columns) else _NOT_RANKED

        return self._measure(value, estimate)

    def over_all(self) -> Measure[ProbabilityOutcome]:
        """The mean over the classes or labels that occur beside others, each against the rest."""

        def value(outcome: ProbabilityOutcome) -> float | None:
            areas = [self._value(has, scores, outcome.weights) for has, scores in _columns(outcome)]
            defined = [area for area in areas if area is not None]
            return float(np.mean(defined)) if defined else None

        def estimate(outcome: ProbabilityOutcome) -> Estimate | str:
            estimates = [self.estimate(has, scores) for has, scores in _columns(outcome) if _ranked(has)]
            return mean_of(estimates, related=outcome.relation) if estimates else _NOT_RANKED

        return self._measure(value, estimate)

    def _value(self, has: Booleans, scores: Floats, weights: Floats | None) -> float | None:
        counted = has if weights is None else has[weights > 0]
        if not counted.any() or counted.all():
            return None
        return float(self.value(has, scores, sample_weight=weights))

    def _measure(
        self,
        value: Callable[[ProbabilityOutcome], float | None],
        estimate: Callable[[ProbabilityOutcome], Estimate | str],
    ) -> Measure[ProbabilityOutcome]:
        method = Shares(name=self.name, estimate=estimate, doubt=rarely_ranked, doubt_of_sign=self.doubt_of_sign)
        return Measure(self.metric, value, method)


_NO_LABEL = "no row has a label"
_NOT_RANKED = "too few rows of every class"


def _columns(outcome: ProbabilityOutcome) -> list[tuple[Booleans, Floats]]:
    """Of each class or label: which rows have it, and their probabilities of it."""
    return list(zip(outcome.indicators(outcome.true).T, outcome.probabilities.T, strict=True))


def _ranked(has: Booleans) -> bool:
    """Whether two rows have it and two lack it."""
    return bool(1 < has.sum() < len(has) - 1)


def f1_of(has: Booleans, said: Booleans, *, certain: bool = False) -> Estimate | None:
    """Of the rows that have something and those that are said to, (n,) each; None where there are none."""
    both, either = (has & said).astype(np.float64), has.astype(np.float64) + said
    if not either.any():
        return None
    value = 2 * both.sum() / either.sum()
    low, high = wilson(float(both.sum()), float(either.sum() - both.sum()))
    if certain and not said.any():
        high = 0.0
    influence = (2 * both - value * either) / either.mean()
    return Estimate(float(value), 2 * low / (1 + low), 2 * high / (1 + high), influence)


def _recall(outcome: ProbabilityOutcome) -> Estimate:
    (true, _), right = outcome.sets(), outcome.right()
    estimates = []
    for rows in (rows for rows in true.T if rows.any()):
        hits = right[rows].astype(np.float64)
        low, high = wilson(float(hits.sum()), len(hits))
        influence = np.where(rows, right - hits.mean(), 0.0) / rows.mean()
        estimates.append(Estimate(float(hits.mean()), low, high, influence))
    return mean_of(estimates, related=0.0)


def _certain_recall(baseline: ProbabilityOutcome) -> Estimate:
    """For a baseline that says the same of every row it is a certainty, not a sample."""
    estimate = _recall(baseline)
    return replace(estimate, low=estimate.value, high=estimate.value) if _is_constant(baseline) else estimate


def _f1(outcome: ProbabilityOutcome, *, certain: bool = False) -> Estimate | str:
    each = (f1_of(has, said, certain=certain) for has, said in zip(*(part.T for part in outcome.sets()), strict=True))
    estimates = [estimate for estimate in each if estimate is not None]
    return mean_of(estimates, related=outcome.relation) if estimates else _NO_LABEL


def _certain_f1(baseline: ProbabilityOutcome) -> Estimate | str:
    return _f1(baseline, certain=_is_constant(baseline))


def _weighted_f1(outcome: ProbabilityOutcome) -> Estimate | str:
    true, said = outcome.sets()
    total = float(true.sum()) / len(true)
    if not total:
        return _NO_LABEL
    value, influence = 0.0, np.zeros(len(true))
    for has, names in zip(true.T, said.T, strict=True):
        one = f1_of(has, names) if has.any() else None
        if one is not None:
            value += float(has.mean()) * one.value / total
            influence += (one.influence * float(has.mean()) + has * one.value) / total
    return by_influence(value, influence - value * true.sum(1) / total)


def _weighted_f1_value(outcome: ProbabilityOutcome) -> float | None:
    true, said = outcome.sets()
    if not (true if outcome.weights is None else true[outcome.weights > 0]).any():
        return None
    return float(sk.f1_score(true, said, average="weighted", zero_division=0, sample_weight=outcome.weights))


def _is_constant(outcome: ProbabilityOutcome) -> bool:
    return bool((outcome.predicted == outcome.predicted[:1]).all())


def _mean_of(part: Part) -> Callable[[ProbabilityOutcome], Smooth]:
    return lambda outcome: ratio(*part(outcome))


def _gain_of(part: Part) -> Callable[[ProbabilityOutcome, ProbabilityOutcome], Smooth]:
    def gain(outcome: ProbabilityOutcome, baseline: ProbabilityOutcome) -> Smooth:
        losses, counts = part(outcome)
        return ratio(losses - part(baseline)[0], counts)

    return gain


def _few_decide(loss: Loss, part: Part) -> Callable[[ProbabilityOutcome], str]:
    """Doubts a mean loss of so sure a head that the few rows it gets wrong make it.

    Whether a sample holds such rows is chance, so what the head's own probabilities say of them is asked too.
    """

    def doubt(outcome: ProbabilityOutcome) -> str:
        if np.ptp(part(outcome)[0]) == 0:
            return ""
        means, squares = (np.average(of, weights=outcome.weights) for of in outcome.imagined(loss))
        relative = float(squares / max(float(means), SMALLEST_PROBABILITY) ** 2) - 1
        rows = len(outcome) if outcome.weights is None else effective(outcome.weights)
        return FEW_DECIDE if relative > LARGEST_VARIANCE * rows else ""

    return doubt


def _loss_measure(metric: Metric, loss: Loss, part: Part) -> Measure[ProbabilityOutcome]:
    def value(outcome: ProbabilityOutcome) -> float | None:
        losses, counts = part(outcome)
        if outcome.weights is not None:
            losses, counts = losses * outcome.weights, counts * outcome.weights
        return float(losses.sum() / counts.sum()) if counts.any() else None

    method = Bootstrap(error=_mean_of(part), back=math.exp, gain=_gain_of(part), doubt=_few_decide(loss, part))
    return Measure(metric, value, method, rows=lambda outcome: int(part(outcome)[1].sum()))


MEAN_RECALL = Shares[ProbabilityOutcome](
    name="Wilson by class", estimate=_recall, certain=_certain_recall, doubt=rare(FEWEST_OF_CLASS)
)
"""Method of a mean over classes of the share of a class's rows that is right."""

MEAN_F1 = Shares[ProbabilityOutcome](
    name="Wilson by class", estimate=_f1, certain=_certain_f1, doubt=rare(FEWEST_OF_CLASS)
)
"""Method of a mean F1 over classes or labels."""

ACCURACY_MEASURE = Measure[ProbabilityOutcome](
    ACCURACY,
    lambda outcome: float(np.average(outcome.right(), weights=outcome.weights)),
    Shares(name="Wilson", estimate=lambda outcome: share(outcome.right()), fewest_rows=FEWEST_FOR_SHARE),
)
WEIGHTED_F1_MEASURE = Measure[ProbabilityOutcome](
    WEIGHTED_F1,
    _weighted_f1_value,
    Shares(name="Wilson by influence", estimate=_weighted_f1, doubt=rare(FEWEST_OF_CLASS)),
)
LOG_LOSS_MEASURE = _loss_measure(LOG_LOSS, "log", lambda outcome: outcome.losses())
BRIER_MEASURE = _loss_measure(BRIER, "square", lambda outcome: outcome.squares())
ROC = Area(ROC_AUC, sk.roc_auc_score, roc_auc, "DeLong and Newcombe")
PR = Area(PR_AUC, sk.average_precision_score, pr_auc, "logit", doubt_of_sign=rarely_ranked)
"""The average precision of few positive rows is biased upwards, so it tells no sign there."""
