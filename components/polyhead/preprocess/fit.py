"""The numbers fitted on train rows. Every function sees train rows only and is independent of their order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.features import CategoryFeature, TextFeature
from polyhead.contracts.preprocessing import ClassStatistics, LabelStatistics, NumericStatistics, RegressionStatistics
from polyhead.contracts.targets import BinaryTarget, MulticlassTarget, MultilabelTarget, RegressionTarget
from polyhead.errors import DataError, did_you_mean
from polyhead.preprocess.tokenizer import terms

_NEGATIVE_POSITIVE = (("0", "1"), ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"))


def fit_numeric(values: pl.Series) -> NumericStatistics:
    """Moments of a number and of its signed logarithm; zeros and ones where there is no value at all."""
    known = np.sort(values.drop_nulls().to_numpy())
    mean, variance = moments(known)
    log_mean, log_variance = moments(np.copysign(np.log1p(np.abs(known)), known))
    return NumericStatistics(
        count=len(known),
        missing=values.null_count(),
        mean=mean,
        variance=variance,
        log_mean=log_mean,
        log_variance=log_variance,
        minimum=float(known[0]) if len(known) else 0.0,
        maximum=float(known[-1]) if len(known) else 0.0,
    )


def moments(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and population variance of sorted values; (0, 1) for none.

    Sorted, so that the sums and their rounding do not depend on the rows' order. A variance below the rounding
    error of the values counts as zero.
    """
    if len(numbers) == 0:
        return 0.0, 1.0
    mean = float(numbers.mean())
    variance = float(np.square(numbers - mean).mean())
    noise = (abs(mean) * 1e-12) ** 2
    return mean, variance if variance > noise else 0.0


def fit_category(values: pl.Series, feature: CategoryFeature) -> pl.DataFrame:
    """The vocabulary of a category: `token`, `count`, the most frequent first, ties by code points."""
    counts = values.drop_nulls().alias("token").value_counts()
    kept = counts.filter(pl.col("count") >= feature.min_count)
    ordered = kept.sort("count", "token", descending=[True, False]).head(feature.max_size)
    return ordered.select("token", pl.col("count").cast(pl.Int64))


def fit_text(values: pl.Series, feature: TextFeature) -> pl.DataFrame:
    """The vocabulary of a text: `token`, `count` (documents), `idf`, by code points.

    idf = ln((1 + n) / (1 + df)) + 1, scikit-learn's smooth idf; n is the number of texts.
    """
    known = values.drop_nulls()
    documents = terms(known, feature.ngrams).list.unique()
    counts = documents.explode(empty_as_null=False).alias("token").drop_nulls().value_counts()
    kept = counts.filter(pl.col("count") >= feature.min_documents)
    chosen = kept.sort("count", "token", descending=[True, False]).head(feature.max_terms).sort("token")
    idf = [math.log((1 + len(known)) / (1 + count)) + 1 for count in chosen["count"]]
    return chosen.select("token", pl.col("count").cast(pl.Int64), pl.Series("idf", idf, dtype=pl.Float64))


def fit_classes(name: str, values: pl.Series, target: BinaryTarget | MulticlassTarget) -> ClassStatistics:
    """Classes, counts and loss weights of a binary or multiclass target.

    Raises:
        DataError: The train rows hold fewer than two classes, or weights or `positive` name an unknown one.
    """
    known = values.drop_nulls()
    counted = {row["class"]: row["count"] for row in known.alias("class").value_counts().to_dicts()}
    where = f"target '{name}'"
    if len(counted) < 2:
        received = f"only '{next(iter(counted))}'" if counted else "no label at all"
        raise DataError(
            f"the train rows hold {received}, a head needs two classes",
            where=where,
            hint="change the split or add rows",
        )
    if isinstance(target, BinaryTarget):
        if len(counted) > 2:
            raise DataError(f"has {len(counted)} labels, binary means two", where=where, hint="use kind: multiclass")
        classes = _negative_then_positive(name, counted, target)
    else:
        classes = list(target.classes) if target.classes else sorted(counted)
    counts = [counted.get(label, 0) for label in classes]
    weights = _weights(name, classes, counts, target.class_weight)
    return ClassStatistics(
        kind=target.kind, classes=classes, counts=counts, weights=weights, missing=values.null_count()
    )


def _negative_then_positive(name: str, counted: dict[str, int], target: BinaryTarget) -> list[str]:
    labels = sorted(counted)
    if target.positive is not None:
        if target.positive not in counted:
            raise DataError(
                f"positive is '{target.positive}', but the labels are {labels}",
                where=f"target '{name}'",
                hint=did_you_mean(target.positive, labels),
            )
        positive = target.positive
    else:
        folded = {label.lower(): label for label in labels}
        known = [folded[yes] for no, yes in _NEGATIVE_POSITIVE if set(folded) == {no, yes}]
        positive = known[0] if known else min(labels, key=lambda label: (counted[label], label))
    return [label for label in labels if label != positive] + [positive]


def _weights(
    name: str, classes: Sequence[str], counts: Sequence[int], asked: str | dict[str, float] | None
) -> list[float]:
    """Loss weight per class; balanced is rows / (classes * rows of the class), as in scikit-learn."""
    if asked is None:
        return [1.0] * len(classes)
    if isinstance(asked, dict):
        unknown = sorted(set(asked) - set(classes))
        if unknown:
            raise DataError(
                f"class_weight names '{unknown[0]}'", where=f"target '{name}'", hint=did_you_mean(unknown[0], classes)
            )
        return [float(asked.get(label, 1.0)) for label in classes]
    present = sum(1 for count in counts if count)
    return [sum(counts) / (present * count) if count else 0.0 for count in counts]


def fit_labels(name: str, values: pl.Series, target: MultilabelTarget) -> LabelStatistics:
    """Labels, counts and loss weights of a multilabel target.

    `balanced` weighs each label's positives by rows / (2 * positives) and its negatives likewise; a weight per
    label multiplies that label's positives.

    Raises:
        DataError: The train rows hold no label, or weights name an unknown one.
    """
    known = values.drop_nulls()
    counted = {
        row["label"]: row["count"]
        for row in known.explode(empty_as_null=False).alias("label").drop_nulls().value_counts().to_dicts()
    }
    labels = list(target.labels) if target.labels else sorted(counted)
    if not labels:
        raise DataError("the train rows hold no label at all", where=f"target '{name}'", hint="check its separator")
    counts, rows = [counted.get(label, 0) for label in labels], len(known)
    if target.class_weight == "balanced":
        positive = [rows / (2 * count) if count else 0.0 for count in counts]
        negative = [rows / (2 * (rows - count)) if rows > count else 0.0 for count in counts]
    else:
        positive = _weights(name, labels, counts, target.class_weight)
        negative = [1.0] * len(labels)
    return LabelStatistics(
        labels=labels,
        counts=counts,
        rows=rows,
        positive_weights=positive,
        negative_weights=negative,
        missing=values.null_count(),
    )


def fit_regression(name: str, values: pl.Series, target: RegressionTarget) -> RegressionStatistics:
    """Mean and variance on the transformed scale and the median of a regression target.

    Raises:
        DataError: The train rows hold fewer than two different values.
    """
    known = values.drop_nulls().sort()
    if known.n_unique() < 2:
        raise DataError(
            f"the train rows hold {known.n_unique()} different values, nothing to learn",
            where=f"target '{name}'",
            hint="change the split or add rows",
        )
    mean, variance = moments((known.log() if target.transform == "log" else known).to_numpy())
    median = known.median()
    assert isinstance(median, float)
    return RegressionStatistics(
        transform=target.transform,
        count=len(known),
        missing=values.null_count(),
        mean=mean,
        variance=variance,
        median=median,
    )
