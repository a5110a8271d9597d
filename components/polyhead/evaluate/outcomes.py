"""Predictions and truths of all heads, side by side: as arrays for the metrics, as a table for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.evaluate.metrics import Outcome
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.regression.config import RegressionStatistics
from polyhead.kinds.union import TargetStatistics

Arrays = Mapping[str, NDArray[Any]]


def prediction_columns(name: str, statistics: TargetStatistics, arrays: Arrays) -> list[pl.Series]:
    """One head's `<head>.predicted` and `<head>.probability.<class>` columns.

    Args:
        name: The target.
        statistics: Its statistics.
        arrays: `<head>` and `<head>__probabilities`, as `polyhead.preprocess.outputs.predictions` gives them.
    """
    column = f"{name}.predicted"
    if isinstance(statistics, RegressionStatistics):
        return [pl.Series(column, arrays[name].astype(np.float64))]
    if isinstance(statistics, LabelStatistics):
        labels = statistics.labels
        sets = [[labels[i] for i in np.flatnonzero(row)] for row in arrays[name]]
        predicted = pl.Series(column, sets, dtype=pl.List(pl.String))
    else:
        labels = statistics.classes
        predicted = pl.Series(column, [label.decode() for label in arrays[name]], dtype=pl.String)
    probabilities = arrays[f"{name}__probabilities"].astype(np.float64)
    return [
        predicted,
        *(pl.Series(f"{name}.probability.{label}", probabilities[:, i]) for i, label in enumerate(labels)),
    ]


def truth_column(name: str, statistics: TargetStatistics, raw: Sequence[Any]) -> pl.Series:
    """One head's `<head>.true` column; null where the target is missing.

    Args:
        name: The target.
        statistics: Its statistics.
        raw: Per row: a number, a label, a list of labels, or None.
    """
    dtype: Any = pl.String
    if isinstance(statistics, RegressionStatistics):
        dtype = pl.Float64
    elif isinstance(statistics, LabelStatistics):
        dtype = pl.List(pl.String)
    return pl.Series(f"{name}.true", raw, dtype=dtype)


def outcome_of(name: str, statistics: TargetStatistics, table: pl.DataFrame) -> Outcome:
    """One head on the rows of a prediction table whose target is known."""
    known = table.filter(pl.col(f"{name}.true").is_not_null())
    true, predicted = known[f"{name}.true"], known[f"{name}.predicted"]
    if isinstance(statistics, RegressionStatistics):
        return Outcome("regression", true.to_numpy(), predicted.to_numpy(), log_scale=statistics.transform == "log")
    labels = statistics.labels if isinstance(statistics, LabelStatistics) else statistics.classes
    columns = [known[f"{name}.probability.{label}"].to_numpy() for label in labels]
    probabilities = np.stack(columns, 1) if known.height else np.zeros((0, len(labels)))
    if isinstance(statistics, LabelStatistics):
        unseen = np.array([not set(labels).issuperset(row) for row in true.to_list()], bool)
        return Outcome(
            statistics.kind, _indicators(true, labels), _indicators(predicted, labels), probabilities, unseen=unseen
        )
    return Outcome(statistics.kind, _indices(true, labels), _indices(predicted, labels), probabilities)


def baseline_of(statistics: TargetStatistics, outcome: Outcome) -> Outcome:
    """What a model that looks at nothing says: the train rows' class frequencies, or their median."""
    n = len(outcome.true)
    if isinstance(statistics, RegressionStatistics):
        return Outcome("regression", outcome.true, np.full(n, statistics.median), log_scale=outcome.log_scale)
    if isinstance(statistics, LabelStatistics):
        shares = np.array(statistics.counts) / max(statistics.rows, 1)
        predicted = np.tile((shares >= 0.5).astype(np.int64), (n, 1))
    else:
        assert isinstance(statistics, ClassStatistics)
        shares = np.array(statistics.counts) / sum(statistics.counts)
        predicted = np.full(n, int(np.argmax(shares)))
    return Outcome(outcome.kind, outcome.true, predicted, np.tile(shares, (n, 1)), unseen=outcome.unseen)


def confusion_of(outcome: Outcome, classes: int) -> list[list[int]]:
    """Rows by true (first index) and predicted class, labels unseen in training left out."""
    counts = np.zeros((classes, classes), np.int64)
    true, predicted = outcome.true.astype(np.int64), outcome.predicted.astype(np.int64)
    np.add.at(counts, (true[true >= 0], predicted[true >= 0]), 1)
    result: list[list[int]] = counts.tolist()
    return result


def _indices(values: pl.Series, labels: Sequence[str]) -> NDArray[np.int64]:
    index = {label: i for i, label in enumerate(labels)}
    return np.array([index.get(value, -1) for value in values], np.int64)


def _indicators(values: pl.Series, labels: Sequence[str]) -> NDArray[np.int64]:
    return np.array([[label in row for label in labels] for row in values.to_list()], np.int64).reshape(-1, len(labels))
