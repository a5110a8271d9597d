"""Classes and labels each on its own, and whether probabilities mean what they say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from polyhead.contracts.evaluation import ClassRow, Interval, Reliability, ReliabilityBin
from polyhead.intervals.method import Booleans, Floats, too_few
from polyhead.intervals.shares import wilson
from polyhead.kinds.targets.probabilities import FEWEST_FOR_SHARE, ProbabilityOutcome

_BINS = 10


def per_class(labels: Sequence[str], outcome: ProbabilityOutcome) -> list[ClassRow]:
    """Each class or label on the rows of an outcome.

    A row with a class that no train row has is one that some class was wrongly given to.

    Args:
        labels: In the order of the probabilities.
        outcome: The head.
    """
    true, predicted = outcome.indicators(outcome.true), outcome.indicators(outcome.predicted)
    counts = zip(
        labels, true.sum(0).tolist(), predicted.sum(0).tolist(), (true & predicted).sum(0).tolist(), strict=True
    )
    return [
        ClassRow(
            label=label,
            support=support,
            predicted=given,
            precision=both / given if given else None,
            recall=both / support if support else None,
            f1=2 * both / (given + support) if given + support else None,
        )
        for label, support, given, both in counts
    ]


def reliability(columns: Iterable[tuple[str, Booleans, Floats]]) -> list[Reliability]:
    """How often something comes true, beside how probable it was said to be; without rows there is none.

    Args:
        columns: What is said; whether it came true, (n,); its probability, (n,).
    """
    return [_reliability(*column) for column in columns if len(column[1]) and np.isfinite(column[2]).all()]


def _reliability(of: str, true: Booleans, probabilities: Floats) -> Reliability:
    order = np.argsort(probabilities, kind="stable")
    true, probabilities = true[order], probabilities[order]
    rows = len(true)
    number = max(min(_BINS, rows // FEWEST_FOR_SHARE), 1)
    # Rows that are said to be equally probable stay together.
    cuts = np.searchsorted(probabilities, probabilities[np.arange(1, number) * rows // number])
    edges = np.unique(np.concatenate([[0], cuts, [rows]]))
    bins = [_bin(true[a:b], probabilities[a:b]) for a, b in itertools.pairwise(edges)]
    error = sum(one.n * abs(one.predicted - one.observed) for one in bins) / rows
    return Reliability(of=of, bins=bins, error=error)


def _bin(true: Booleans, probabilities: Floats) -> ReliabilityBin:
    n, hits = len(true), int(true.sum())
    if reason := too_few(n, FEWEST_FOR_SHARE):
        interval = Interval(reason=reason)
    else:
        low, high = wilson(hits, n)
        interval = Interval(low=low, high=high, method="Wilson")
    return ReliabilityBin(n=n, predicted=float(probabilities.mean()), observed=hits / n, interval=interval)
