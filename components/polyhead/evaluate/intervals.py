"""95 % intervals of the metrics and of their differences to the baseline, and what may be called better.

Rows count as drawn independently from one population, the table's future rows; an interval is about the value in that
population. Which method promises what was decided by simulation, `python -m benchmarks.coverage`: where 93 to 97 of 100
intervals do not hold the population's value, there is none, and a reason.

- accuracy: Wilson's score interval (Wilson 1927, J. Am. Stat. Assoc. 22).
- balanced accuracy, macro F1: Wilson's for each class, where an F1 is 2q / (1 + q) and q the share of right ones among
  the rows that have the class or are said to. The mean by MOVER, which adds up squared distances to the limits (Zou and
  Donner 2008, Stat. Med. 27), here with the correlations of the classes.
- ROC AUC: halfway, on the logit scale, between DeLong's with Welch's degrees of freedom (DeLong et al. 1988, Biometrics
  44) and the wider of it and Newcombe's method 5 (Newcombe 2006, Stat. Med. 25), which alone stands where every pair is
  ranked right. The mean by MOVER.
- PR AUC: on the logit scale, with the standard error of its influence function and Student's t over the positive rows.
  The mean by MOVER.
- losses and errors: the studentised bootstrap of the logarithm (Hall 1988, Ann. Stat. 16). R² is 1 minus a ratio of
  errors.
- differences to the baseline: of shares and ranks by MOVER for paired values (Zou 2007, Psychol. Methods 12), of losses
  and errors by the studentised bootstrap of what the rows differ by.

A sample seldom holds its population's largest errors, so the studentised bootstrap falls short on that side: it missed
5 to 8 % there instead of 2.5 %. A more extreme quantile, 1 % and 0.5 % for RMSE, brings it back to what is promised.
The rows' differences may be long on either side: 0.5 % on the longer one, 1 % on the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from polyhead.contracts.evaluation import Comparison, Interval, Metric
from polyhead.errors import counted
from polyhead.evaluate.metrics import Floats, Outcome, learned_scale, measure, row_losses, rows_right, rows_unseen
from polyhead.kinds.base import LOWER_IS_BETTER
from polyhead.kinds.union import METRICS

FEWEST_ROWS = 30
FEWEST_FOR_SHARE = 10
FEWEST_OF_CLASS = 2
FEWEST_RANKED = 10
FEWEST_RESAMPLES = 1_000
LONGEST_TAIL = 4.5

_TAIL = 0.025
_Z = float(ndtri(1 - _TAIL))
_LONG_TAIL = 0.01
_FAR_TAIL = 0.005
_NORMAL_FROM = 5_000

_UNDEFINED = "it is not defined on these rows"

Booleans = NDArray[np.bool_]


def compare(outcome: Outcome, baseline: Outcome, *, resamples: int, seed: int) -> dict[str, Metric]:
    """All metrics of a head with their intervals, beside those of the baseline on the same rows.

    Args:
        outcome: The head's predictions.
        baseline: Those of the trivial model, for the same rows in the same order.
        resamples: How many times the bootstrap draws the rows; below 1,000 losses and errors have no interval.
        seed: Of the drawing. The same seed gives the same intervals.

    Returns:
        By name, in the order of `polyhead.kinds.union.METRICS`.
    """
    values, trivial = measure(outcome), measure(baseline)
    judge = Judge(outcome, baseline, resamples=resamples, seed=seed)
    return {name: _metric(name, judge, values[name], trivial[name]) for name in METRICS[outcome.kind]}


def interval(name: str, outcome: Outcome, *, resamples: int, seed: int) -> Interval:
    """One metric's interval; as `compare`, without a baseline."""
    if measure(outcome, (name,))[name] is None:
        return Interval(reason=_UNDEFINED)
    return Judge(outcome, None, resamples=resamples, seed=seed).interval(name)


def _metric(name: str, judge: Judge, value: float | None, trivial: float | None) -> Metric:
    rows = _rows(name, judge.outcome)
    own = Interval(reason=_UNDEFINED) if value is None else judge.interval(name)
    if value is None or trivial is None:
        return Metric(value=value, baseline=trivial, n=rows, interval=own)
    apart, verdict = judge.difference(name)
    return Metric(
        value=value,
        baseline=trivial,
        n=rows,
        interval=own,
        difference=value - trivial,
        difference_interval=apart,
        verdict=verdict,
    )


def comparison(name: str, low: float, high: float) -> Comparison:
    """What the 95 % interval of value minus baseline says: `better` or `worse` only where it does not hold 0."""
    if name in LOWER_IS_BETTER:
        low, high = -high, -low
    return "better" if low > 0 else "worse" if high < 0 else "not clearly better"


@dataclass(frozen=True)
class _Part:
    """A value with its limits; `influence`, (n,), is what each row adds to its error, mean 0."""

    value: float
    low: float
    high: float
    influence: Floats


@dataclass(frozen=True)
class _Smooth:
    """A function of the means of some terms.

    Attributes:
        terms: (n, k).
        function: Means (..., k) to values (...).
        gradient: Means (..., k) to derivatives (..., k).
    """

    terms: Floats
    function: Callable[[Floats], Floats]
    gradient: Callable[[Floats], Floats]

    def estimate(self, moments: Floats) -> tuple[Floats, Floats]:
        """Values and standard errors (...), of the moments (..., k + k²) that `columns` has the rows of."""
        n, k = self.terms.shape
        means = moments[..., :k]
        slope = self.gradient(means)
        squares = moments[..., k:].reshape(*moments.shape[:-1], k, k)
        along = np.einsum("...i,...ij,...j->...", slope, squares, slope) - (slope * means).sum(-1) ** 2
        return self.function(means), np.sqrt(np.maximum(along, 0) / (n - 1))

    @cached_property
    def columns(self) -> Floats:
        """The terms and their products, (n, k + k²)."""
        products = self.terms[:, :, None] * self.terms[:, None, :]
        return np.concatenate([self.terms, products.reshape(len(self.terms), -1)], 1)

    @property
    def skewness(self) -> float:
        """Third moment of the rows' influences; only its sign matters."""
        deviations = self.terms - self.terms.mean(0)
        return float(((deviations @ self.gradient(self.terms.mean(0))) ** 3).mean())


@dataclass(frozen=True)
class _Resamples:
    """Rows drawn with replacement, as counts, so that a resample's means are a matrix product."""

    rows: int
    number: int
    seed: int

    def means(self, columns: Floats) -> Floats:
        """Means of the columns (n, c) in every resample, (number, c)."""
        means: Floats = _counts(self.rows, self.number, self.seed) @ columns / self.rows
        return means


@lru_cache(maxsize=1)
def _counts(rows: int, number: int, seed: int) -> Floats:
    """How often each row is in each resample, (number, n); heads with as many rows share it."""
    generator = np.random.default_rng(seed)
    counts = np.empty((number, rows))
    for resample in counts:
        resample[:] = np.bincount(generator.integers(0, rows, rows), minlength=rows)
    return counts


class Judge:
    """One head beside its baseline, on rows where its metrics are defined; see `compare` for the arguments."""

    def __init__(self, outcome: Outcome, baseline: Outcome | None, *, resamples: int, seed: int) -> None:
        self.outcome, self.baseline = outcome, baseline
        self.resamples = _Resamples(len(outcome.true), resamples, seed)

    def interval(self, name: str) -> Interval:
        """Of a metric."""
        return _promised(self._doubt(name) or self._value(name))

    def difference(self, name: str) -> tuple[Interval, Comparison]:
        """Of a metric minus the baseline's, and what it says."""
        found = self._difference(name)
        verdict = "not clearly better" if isinstance(found, str) else comparison(name, found.low, found.high)
        return _promised(self._doubt(name) or found), verdict

    def _doubt(self, name: str) -> str:
        """Why nothing can be promised of a metric on these rows; empty where it can."""
        if name == "accuracy":
            return _too_few(_rows(name, self.outcome), FEWEST_FOR_SHARE)
        few = _too_few(_rows(name, self.outcome), FEWEST_ROWS)
        if few:
            return few
        if name in ("roc_auc", "pr_auc", "balanced_accuracy", "macro_f1"):
            return self._rare_class(FEWEST_RANKED if name in ("roc_auc", "pr_auc") else FEWEST_OF_CLASS)
        if name in ("rmse", "r2", "r2_transformed"):
            true, predicted = learned_scale(self.outcome) if name == "r2_transformed" else _numbers(self.outcome)
            middle, far = np.quantile(np.abs(true - predicted), [0.5, 0.95])
            if far > LONGEST_TAIL * middle:
                return "a few large errors decide it, and these rows do not show how large they get"
        return ""

    def _rare_class(self, fewest: int) -> str:
        positive = _indicators(self.outcome.true, self.outcome)
        rarest = int(positive.sum(0).min())
        if rarest < fewest:
            what = "label" if self.outcome.kind == "multilabel" else "class"
            return f"the rarest {what} has {counted(rarest, 'row')} here, an interval needs {fewest}"
        without = len(positive) - int(positive.sum(0).max())
        if fewest == FEWEST_RANKED and without < fewest:
            return f"only {counted(without, 'row')} lack the commonest label, an interval needs {fewest}"
        return ""

    def _value(self, name: str) -> _Span | str:
        """Limits of a metric, or why they cannot be computed."""
        if name in _PARTS:
            part = _PARTS[name](self.outcome)
            return part if isinstance(part, str) else _Span(part.low, part.high, _METHODS[name])
        smooth, back = _logarithm(name, self.outcome)
        tail = _FAR_TAIL if name == "rmse" else _LONG_TAIL
        span = self._studentised(smooth, (tail, _TAIL))
        if isinstance(span, str):
            return span
        low, high = sorted((float(back(span.low)), float(back(span.high))))
        return _Span(low, high, span.method)

    def _difference(self, name: str) -> _Span | str:
        """Limits of value minus baseline; where none can be computed, why."""
        assert self.baseline is not None
        if few := _too_few(_rows(name, self.outcome), FEWEST_FOR_SHARE if name == "accuracy" else FEWEST_ROWS):
            return few
        if name == "pr_auc" and (rare := self._rare_class(FEWEST_RANKED)):
            return rare  # average precision of few positive rows is biased upwards
        if name in _PARTS:
            own, trivial = _PARTS[name](self.outcome), _trivial(name, self.baseline)
            if isinstance(own, str) or isinstance(trivial, str):
                return own if isinstance(own, str) else str(trivial)
            low, high = _paired(own, trivial)
            return _Span(low, high, f"{_METHODS[name]}, paired by MOVER")
        smooth = _paired_terms(name, self.outcome, self.baseline)
        tail = (_FAR_TAIL, _LONG_TAIL) if smooth.skewness > 0 else (_LONG_TAIL, _FAR_TAIL)
        return self._studentised(smooth, tail)

    def _studentised(self, smooth: _Smooth, tails: tuple[float, float]) -> _Span | str:
        """Limits by the studentised bootstrap.

        Args:
            smooth: What is estimated.
            tails: Shares of the resamples that are cut off below, which gives the upper limit, and above.
        """
        n = len(smooth.terms)
        with np.errstate(all="ignore"):
            value, error = smooth.estimate(smooth.columns.mean(0))
            if not np.isfinite(value) or not error > 0:
                return "all rows agree, so they do not show how much it varies"
            if n >= _NORMAL_FROM:
                below, above = ndtri(tails[0]), ndtri(1 - tails[1])
                return _Span(float(value - above * error), float(value - below * error), "normal")
            if self.resamples.number < FEWEST_RESAMPLES:
                return (
                    f"evaluate.bootstrap is {self.resamples.number}, an interval needs {FEWEST_RESAMPLES:,} resamples"
                )
            values, errors = smooth.estimate(self.resamples.means(smooth.columns))
            ratios = (values - value) / errors
        ratios = ratios[np.isfinite(ratios)]
        if 10 * len(ratios) < 9 * self.resamples.number:
            return "too few rows differ to show how much it varies"
        below, above = np.quantile(ratios, [tails[0], 1 - tails[1]])
        return _Span(float(value - above * error), float(value - below * error), "studentised bootstrap")


@dataclass(frozen=True)
class _Span:
    low: float
    high: float
    method: str


def _promised(span: _Span | str) -> Interval:
    if isinstance(span, str):
        return Interval(reason=span)
    return Interval(low=span.low, high=span.high, method=span.method)


def _too_few(rows: int, fewest: int) -> str:
    return f"{counted(rows, 'row')}, an interval needs {fewest}" if rows < fewest else ""


def _rows(name: str, outcome: Outcome) -> int:
    """Rows that a metric is over: the log loss leaves labels out that no train row has, MAPE true values of 0."""
    if name == "log_loss":
        return int(row_losses(outcome)[1].sum())
    if name == "mape":
        return int((outcome.true != 0).sum())
    return len(outcome.true)


def _numbers(outcome: Outcome) -> tuple[Floats, Floats]:
    return outcome.true.astype(np.float64), outcome.predicted.astype(np.float64)


def _indicators(values: NDArray[np.generic], outcome: Outcome) -> Booleans:
    """(n, classes or labels): whether a row has it."""
    assert outcome.probabilities is not None
    numbers = values.astype(np.int64)
    if outcome.kind != "multilabel":
        numbers = np.equal(numbers[:, None], np.arange(outcome.probabilities.shape[1])).astype(np.int64)
    return numbers.astype(np.bool_)


def _sets(outcome: Outcome) -> tuple[Booleans, Booleans]:
    """True and predicted indicators; what no train row has is one more class or label, which is never predicted."""
    true, predicted = _indicators(outcome.true, outcome), _indicators(outcome.predicted, outcome)
    unseen = rows_unseen(outcome)
    if not unseen.any():
        return true, predicted
    return np.column_stack([true, unseen]), np.column_stack([predicted, np.zeros_like(unseen)])


# Shares and ranks


def _wilson(hits: float, rows: float) -> tuple[float, float]:
    share, fade = hits / rows, _Z**2 / rows
    centre = (share + fade / 2) / (1 + fade)
    half = _Z * math.sqrt(share * (1 - share) / rows + fade / (4 * rows)) / (1 + fade)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _accuracy(outcome: Outcome) -> _Part:
    right = rows_right(outcome).astype(np.float64)
    low, high = _wilson(float(right.sum()), len(right))
    return _Part(float(right.mean()), low, high, right - right.mean())


def _balanced_accuracy(outcome: Outcome) -> _Part:
    (true, _), right = _sets(outcome), rows_right(outcome)
    parts = []
    for rows in (rows for rows in true.T if rows.any()):
        hits = right[rows].astype(np.float64)
        low, high = _wilson(float(hits.sum()), len(hits))
        influence = np.where(rows, right - hits.mean(), 0.0) / rows.mean()
        parts.append(_Part(float(hits.mean()), low, high, influence))
    return _mean(parts, related=0.0)


def _trivial(name: str, baseline: Outcome) -> _Part | str:
    """A part of the baseline. Where it says the same of every row, what it never says is no sample but a certainty."""
    same = bool((baseline.predicted == baseline.predicted[:1]).all())
    if same and name == "macro_f1":
        return _macro_f1(baseline, certain=True)
    part = _PARTS[name](baseline)
    if same and name == "balanced_accuracy" and not isinstance(part, str):
        return replace(part, low=part.value, high=part.value)
    return part


def _macro_f1(outcome: Outcome, *, certain: bool = False) -> _Part | str:
    """`certain`: a class that no row is said to have never is, so that its F1 is 0 without doubt."""
    true, predicted = _sets(outcome)
    parts = []
    for has, said in zip(true.T, predicted.T, strict=True):
        both, either = (has & said).astype(np.float64), has.astype(np.float64) + said
        if not either.any():
            continue
        value = 2 * both.sum() / either.sum()
        low, high = _wilson(float(both.sum()), float(either.sum() - both.sum()))
        if certain and not said.any():
            high = 0.0
        influence = (2 * both - value * either) / either.mean()
        parts.append(_Part(float(value), 2 * low / (1 + low), 2 * high / (1 + high), influence))
    return _mean(parts, related=_relation(outcome)) if parts else "no row has a label"


def _relation(outcome: Outcome) -> float:
    """The correlation of two classes that have no mistake yet: a mistake of one is one of another."""
    assert outcome.probabilities is not None
    return 0.0 if outcome.kind == "multilabel" else 1 / (outcome.probabilities.shape[1] - 1)


def _ranks(one: Callable[[Booleans, Floats], _Part]) -> Callable[[Outcome], _Part | str]:
    """A ranking metric of a head: of the positive class, or the mean over classes or labels that some rows have."""

    def measure_ranks(outcome: Outcome) -> _Part | str:
        assert outcome.probabilities is not None
        true = _indicators(outcome.true, outcome)
        columns = [i for i, has in enumerate(true.T) if 1 < has.sum() < len(has) - 1]
        columns = columns[1:] if outcome.kind == "binary" else columns
        parts = [one(true[:, i], outcome.probabilities[:, i]) for i in columns]
        return _mean(parts, related=_relation(outcome)) if parts else "too few rows of every class"

    return measure_ranks


def _roc_auc(true: Booleans, scores: Floats) -> _Part:
    n, positives, negatives = len(true), int(true.sum()), int((~true).sum())
    above = _share_below(scores[true], scores[~true])
    below = 1 - _share_below(scores[~true], scores[true])
    value = float(above.mean())
    influence = np.zeros(n)
    influence[true], influence[~true] = (above - value) * n / positives, (below - value) * n / negatives
    if np.ptp(scores) == 0:
        return _Part(0.5, 0.5, 0.5, influence)
    low, high = _newcombe(value, positives, negatives)
    variances = above.var(ddof=1) / positives, below.var(ddof=1) / negatives
    if 0 < value < 1 and sum(variances) > 0:
        freedom = sum(variances) ** 2 / (variances[0] ** 2 / (positives - 1) + variances[1] ** 2 / (negatives - 1))
        delong = _logit_limits(value, math.sqrt(sum(variances)), freedom)
        outer = min(delong[0], low), max(delong[1], high)
        low, high = (float(expit((logit(a) + logit(b)) / 2)) for a, b in zip(delong, outer, strict=True))
    return _Part(value, low, high, influence)


def _share_below(scores: Floats, others: Floats) -> Floats:
    """For each score the share of the others that are lower, ties half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (left + right) / (2 * len(others))


def _newcombe(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """Limits of a ROC AUC where it is as many standard errors away as a normal interval is wide, by bisection."""
    larger = (positives + negatives) / 2 - 1

    def limit(outside: float) -> float:
        inside = value
        for _ in range(60):
            middle = (inside + outside) / 2
            spread = (1 - middle) / (2 - middle) + middle / (1 + middle)
            error = math.sqrt(middle * (1 - middle) * (1 + larger * spread) / (positives * negatives))
            if abs(value - middle) > _Z * error:
                outside = middle
            else:
                inside = middle
        return (inside + outside) / 2

    return limit(0.0), limit(1.0)


def _logit_limits(value: float, error: float, freedom: float) -> tuple[float, float]:
    half = float(stdtrit(freedom, 1 - _TAIL)) * error / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))


def _pr_auc(true: Booleans, scores: Floats) -> _Part:
    """Average precision: over the positive rows, the mean share of positives among the rows that score as high."""
    n = len(true)
    order = np.argsort(-scores, kind="stable")
    has, ordered = true[order].astype(np.float64), scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    group = np.searchsorted(ends, np.arange(n))
    first, last = np.append(0, ends[:-1] + 1)[group], ends[group]
    found, looked = has.cumsum()[last], last + 1.0
    positives = float(has.sum())
    value = float((has * found / looked).sum() / positives)
    gain = (has / looked)[::-1].cumsum()[::-1][first]
    loss = (has * found / looked**2)[::-1].cumsum()[::-1][first]
    influence = np.empty(n)
    influence[order] = n / positives * (has * found / looked + has * gain - loss - has * value)
    error = float(influence.std() / math.sqrt(n - 1))
    if 0 < value < 1 and error > 0:
        low, high = _logit_limits(value, error, positives - 1)
    else:
        low, high = _wilson(value * positives, positives)
    return _Part(value, low, high, influence)


def _mean(parts: list[_Part], *, related: float) -> _Part:
    """The mean of correlated parts; `related` stands in where a part's rows do not vary."""
    if len(parts) == 1:
        return parts[0]
    influences = np.stack([part.influence for part in parts])
    with np.errstate(all="ignore"):
        correlations = np.corrcoef(influences)
    correlations = np.where(np.isfinite(correlations), correlations, related)
    np.fill_diagonal(correlations, 1)
    value = float(np.mean([part.value for part in parts]))
    below, above = (
        math.sqrt(max(float(distance @ correlations @ distance), 0.0)) / len(parts)
        for distance in (
            np.array([part.value - part.low for part in parts]),
            np.array([part.high - part.value for part in parts]),
        )
    )
    return _Part(value, max(value - below, 0.0), min(value + above, 1.0), influences.mean(0))


def _paired(one: _Part, other: _Part) -> tuple[float, float]:
    """Limits of the difference of two values from the same rows."""
    spread = one.influence.std() * other.influence.std()
    related = float((one.influence * other.influence).mean() / spread) if spread > 0 else 0.0

    def distance(first: float, second: float) -> float:
        return math.sqrt(max(first**2 + second**2 - 2 * related * first * second, 0.0))

    difference = one.value - other.value
    low = difference - distance(one.value - one.low, other.high - other.value)
    return low, difference + distance(one.high - one.value, other.value - other.low)


_PARTS: dict[str, Callable[[Outcome], _Part | str]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "roc_auc": _ranks(_roc_auc),
    "pr_auc": _ranks(_pr_auc),
}
_METHODS = {
    "accuracy": "Wilson",
    "balanced_accuracy": "Wilson by class",
    "macro_f1": "Wilson by class",
    "roc_auc": "DeLong and Newcombe",
    "pr_auc": "logit",
}


# Losses and errors


def _ratio(terms: Floats) -> _Smooth:
    """Mean of the first term over that of the second."""
    return _Smooth(
        terms,
        lambda m: m[..., 0] / m[..., 1],
        lambda m: np.stack([1 / m[..., 1], -m[..., 0] / m[..., 1] ** 2], -1),
    )


def _over_variance(terms: Floats) -> _Smooth:
    """Mean of the first term over the variance of the second; the third is its square."""

    def gradient(m: Floats) -> Floats:
        variance = m[..., 2] - m[..., 1] ** 2
        ratio = m[..., 0] / variance
        return np.stack([1 / variance, 2 * ratio * m[..., 1] / variance, -ratio / variance], -1)

    return _Smooth(terms, lambda m: m[..., 0] / (m[..., 2] - m[..., 1] ** 2), gradient)


def _log_of(smooth: _Smooth) -> _Smooth:
    return _Smooth(
        smooth.terms,
        lambda m: np.log(smooth.function(m)),
        lambda m: smooth.gradient(m) / smooth.function(m)[..., None],
    )


def _logarithm(name: str, outcome: Outcome) -> tuple[_Smooth, Callable[[float], float]]:
    """The logarithm of the error behind a metric, and the way back to the metric."""
    if name == "log_loss":
        losses, counted = row_losses(outcome)
        return _log_of(_ratio(np.stack([losses, counted], 1))), math.exp
    true, predicted = learned_scale(outcome) if name == "r2_transformed" else _numbers(outcome)
    error = true - predicted
    if name in ("r2", "r2_transformed"):
        return _log_of(_over_variance(_with_variance(error**2, true))), lambda x: 1 - math.exp(x)
    if name == "rmse":
        return _log_of(_ratio(_over_all(error**2))), lambda x: math.exp(x / 2)
    if name == "mape":
        return _log_of(_ratio(_relative(np.abs(error), true))), math.exp
    return _log_of(_ratio(_over_all(np.abs(error)))), math.exp


def _paired_terms(name: str, outcome: Outcome, baseline: Outcome) -> _Smooth:
    """The metric minus the baseline's, from what the rows' losses or errors differ by."""
    if name == "log_loss":
        losses, counted = row_losses(outcome)
        return _ratio(np.stack([losses - row_losses(baseline)[0], counted], 1))
    scale = learned_scale if name == "r2_transformed" else _numbers
    (true, predicted), trivial = scale(outcome), scale(baseline)[1]
    error, other = true - predicted, true - trivial
    if name in ("r2", "r2_transformed"):
        return _over_variance(_with_variance(other**2 - error**2, true))
    if name == "rmse":
        return _Smooth(
            np.stack([error**2, other**2], 1),
            lambda m: np.sqrt(m[..., 0]) - np.sqrt(m[..., 1]),
            lambda m: np.stack([0.5 / np.sqrt(m[..., 0]), -0.5 / np.sqrt(m[..., 1])], -1),
        )
    gained = np.abs(error) - np.abs(other)
    return _ratio(_relative(gained, true) if name == "mape" else _over_all(gained))


def _over_all(values: Floats) -> Floats:
    return np.stack([values, np.ones(len(values))], 1)


def _relative(errors: Floats, true: Floats) -> Floats:
    """In percent of the true value, and whether it counts."""
    counted = true != 0
    return np.stack([np.divide(100 * errors, np.abs(true), out=np.zeros(len(true)), where=counted), counted], 1)


def _with_variance(values: Floats, true: Floats) -> Floats:
    centred = true - true.mean()
    return np.stack([values, centred, centred**2], 1)
