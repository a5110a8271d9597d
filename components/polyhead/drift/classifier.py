"""How well a model tells rows of a table from the rows that another model was made from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from threadpoolctl import threadpool_limits

from polyhead.contracts.drifted import DomainClassifier
from polyhead.contracts.evaluation import Interval
from polyhead.contracts.profile import Drift
from polyhead.intervals.ranks import roc_auc
from polyhead.kinds.tables import feature_table
from polyhead.kinds.union import Feature

FEWEST_ROWS = 50
"""Rows that are needed of each."""

MODERATE, LARGE = 0.6, 0.75
"""From which area on the rows have drifted, and have drifted far."""

_MOST_ROWS = 5_000
_WORDS = 100
_COMPONENTS = 16
_FOLDS = 5
_SEED = 0

Floats = NDArray[np.float64]


def classified(train: pl.DataFrame, other: pl.DataFrame, features: Mapping[str, Feature]) -> DomainClassifier | None:
    """Tell rows apart by boosted trees, five-fold cross-validated on at most 5,000 rows of each.

    They see numbers, vectors' first components, the codes of words, and the lengths of texts and sets. Pictures, and
    dates, which are always later, they do not see.

    Args:
        train: The features of the rows that a model was made from, in their canonical types.
        other: Of the table's rows.
        features: All of them.

    Returns:
        None where there are fewer than 50 rows of either, or nothing to see.
    """
    if min(train.height, other.height) < FEWEST_ROWS:
        return None
    train, other = _sample(train), _sample(other)
    columns = [
        column
        for name, feature in features.items()
        if not feature.PICTURES and not feature_table(feature).dated
        for column in _encoded(pl.concat([train[name], other[name]]), is_word=feature_table(feature).single)
    ]
    if not columns:
        return None
    is_other = np.repeat([False, True], [train.height, other.height])
    forest = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=_SEED)
    seen = np.stack(columns, 1)
    # rows that are the same are in one fold: else those that are in both tables would be told apart the wrong way round
    folds = PredefinedSplit((pl.from_numpy(seen).hash_rows(seed=_SEED) % _FOLDS).to_numpy().astype(np.int64))
    with threadpool_limits(1):  # a fold takes less than it takes threads to agree on it
        said = cross_val_predict(forest, seen, is_other, cv=folds, method="predict_proba")[:, 1]
    found = roc_auc(is_other, said)
    return DomainClassifier(
        auc=found.value,
        interval=Interval(low=found.low, high=found.high, method="DeLong, Newcombe"),
        rows=other.height,
        train_rows=train.height,
        drift=_drift(found.value, found.low),
    )


def _drift(auc: float, low: float) -> Drift:
    if low <= 0.5 or auc < MODERATE:
        return "none"
    return "large" if auc >= LARGE else "moderate"


def _sample(rows: pl.DataFrame) -> pl.DataFrame:
    return rows if rows.height <= _MOST_ROWS else rows.sample(_MOST_ROWS, seed=_SEED)


def _encoded(values: pl.Series, *, is_word: bool) -> list[Floats]:
    """A column as numbers, (rows,) each; NaN where missing."""
    if values.dtype == pl.Float64:
        return [_floats(values)]
    if isinstance(values.dtype, pl.List):
        if values.dtype.inner == pl.String:
            return [_floats(values.list.len())]
        longest = int(values.list.len().max() or 0)  # type: ignore[arg-type]  # a number
        return [_floats(values.list.get(at, null_on_oob=True)) for at in range(min(longest, _COMPONENTS))]
    if not is_word:
        return [_floats(values.str.len_chars())]
    counts = values.drop_nulls().alias("word").value_counts().sort("count", "word", descending=[True, False])
    codes = {word: code for code, word in enumerate(counts["word"].head(_WORDS))}
    coded = values.replace_strict(codes, default=len(codes), return_dtype=pl.Float64)
    return [_floats(pl.select(pl.when(values.is_not_null()).then(coded)).to_series())]


def _floats(values: pl.Series) -> Floats:
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
