"""What is fitted of one column: gathered batch by batch, merged, and finished at the end.

A fit is given train rows only. Its result depends neither on the rows' order nor on how they were grouped.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.errors import DataError, did_you_mean
from polyhead.kinds.base import VocabularyFile
from polyhead.kinds.features.category.config import CategoryFeature, CategoryStatistics
from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
from polyhead.kinds.features.numeric.config import QUANTILES, NumericFeature, NumericStatistics
from polyhead.kinds.features.text import tokenizer
from polyhead.kinds.features.text.config import TextFeature, TextStatistics
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.moments import Moments
from polyhead.kinds.fitting.part import Part, State
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.fitting.sample import Sample
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multiclass.config import MulticlassTarget
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget
from polyhead.kinds.union import Feature, Target
from polyhead.pictures.folder import PictureFolder
from polyhead.pictures.quality import choose_decoding

_NEGATIVE_POSITIVE = (("0", "1"), ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"))
_TEXTS = 4096  # texts that are cut into terms at a time


class Fit(ABC):
    """What is gathered of one column.

    Attributes:
        known: Rows with a value.
        missing: Rows without one.
    """

    def __init__(self) -> None:
        self.known = self.missing = 0

    @property
    def parts(self) -> dict[str, Part]:
        """What is gathered beside the numbers of rows, by attribute."""
        return {name: part for name, part in vars(self).items() if isinstance(part, Part)}

    def update(self, values: pl.Series) -> None:
        """Take the values of more rows, in the column's canonical type."""
        known = values.drop_nulls()
        self.known += len(known)
        self.missing += len(values) - len(known)
        if len(known):
            self._take(known)

    def merge(self, other: Self) -> None:
        """Take what another has seen of other rows."""
        self.known += other.known
        self.missing += other.missing
        theirs = other.parts
        for name, part in self.parts.items():
            part.merge(theirs[name])

    def state(self) -> State:
        """All that was seen as plain values."""
        parts = {f"{name}/{key}": value for name, part in self.parts.items() for key, value in part.state().items()}
        return {"known": self.known, "missing": self.missing, **parts}

    def restore(self, state: State) -> None:
        """Take on a state."""
        self.known, self.missing = state["known"], state["missing"]
        for name, part in self.parts.items():
            start = f"{name}/"
            below = {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}
            setattr(self, name, type(part).restored(below))

    @abstractmethod
    def _take(self, known: pl.Series) -> None:
        """Take values, none of them null."""


class ImageFit(Fit):
    """A sample of pictures, which shows how they can be decoded."""

    def __init__(self, feature: ImageFeature) -> None:
        super().__init__()
        self._feature = feature
        self.paths = Sample()

    def _take(self, known: pl.Series) -> None:
        self.paths.update(known)

    def finish(self, folder: PictureFolder, *, max_pixels: int) -> ImageStatistics:
        """The statistics of all rows seen; the sample's pictures are read now.

        Args:
            folder: Where the paths start.
            max_pixels: Largest picture that is decoded.
        """
        decode, quality = choose_decoding(self.paths.words, self._feature, folder, max_pixels=max_pixels)
        return ImageStatistics(count=self.known, missing=self.missing, decode=decode, quality=quality)


class NumericFit(Fit):
    """Moments of a number and of its signed logarithm, and its quantiles."""

    def __init__(self) -> None:
        super().__init__()
        self.values, self.logarithms, self.quantiles = Moments(), Moments(), Quantiles()

    def _take(self, known: pl.Series) -> None:
        numbers = known.to_numpy()
        self.values.update(numbers)
        self.logarithms.update(_signed_logarithm(numbers))
        self.quantiles.update(numbers)

    def finish(self) -> NumericStatistics:
        """The statistics of all rows seen; zeros and ones where there is no value at all."""
        mean, variance = self.values.mean_and_variance()
        log_mean, log_variance = self.logarithms.mean_and_variance()
        return NumericStatistics(
            count=self.known,
            missing=self.missing,
            mean=mean,
            variance=variance,
            log_mean=log_mean,
            log_variance=log_variance,
            minimum=self.quantiles.minimum if self.known else 0.0,
            maximum=self.quantiles.maximum if self.known else 0.0,
            quantiles=self.quantiles.at(QUANTILES),
            quantile_error=self.quantiles.error,
        )


def _signed_logarithm(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithms = np.abs(numbers)
    np.log1p(logarithms, out=logarithms)
    return np.copysign(logarithms, numbers, out=logarithms)


class CategoryFit(Fit):
    """The vocabulary of a category."""

    def __init__(self, feature: CategoryFeature) -> None:
        super().__init__()
        self._feature = feature
        self.counts = Counts()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(known)

    def vocabulary(self) -> pl.DataFrame:
        """`token`, `count`: the most frequent first, ties by code points."""
        return _most_frequent(self.counts, self._feature.min_count, self._feature.max_size)

    def finish(self, vocabulary: VocabularyFile) -> CategoryStatistics:
        """The statistics of all rows seen, with the vocabulary where it was written."""
        return CategoryStatistics(count=self.known, missing=self.missing, vocabulary=vocabulary)


class TextFit(Fit):
    """The terms of a text and the number of texts that have each."""

    def __init__(self, feature: TextFeature) -> None:
        super().__init__()
        self._feature = feature
        self.documents = Counts()

    def _take(self, known: pl.Series) -> None:
        for texts in known.to_frame().iter_slices(_TEXTS):
            terms = tokenizer.terms(texts.to_series(), self._feature.ngrams).list.unique()
            self.documents.update(terms.explode(empty_as_null=False))

    def vocabulary(self) -> pl.DataFrame:
        """`token`, `count` (documents), `idf`, by code points.

        idf = ln((1 + n) / (1 + df)) + 1, scikit-learn's smooth idf; n is the number of texts.
        """
        feature = self._feature
        chosen = _most_frequent(self.documents, feature.min_documents, feature.max_terms).sort("token")
        idf = [math.log((1 + self.known) / (1 + count)) + 1 for count in chosen["count"]]
        return chosen.with_columns(pl.Series("idf", idf, dtype=pl.Float64))

    def finish(self, vocabulary: VocabularyFile) -> TextStatistics:
        """The statistics of all rows seen, with the vocabulary where it was written."""
        return TextStatistics(
            count=self.known,
            missing=self.missing,
            documents=self.known,
            tokenizer=tokenizer.NAME,
            ngrams=self._feature.ngrams,
            vocabulary=vocabulary,
        )


def _most_frequent(counts: Counts, at_least: int, at_most: int) -> pl.DataFrame:
    kept = counts.table().filter(pl.col("count") >= at_least)
    return kept.sort("count", "token", descending=[True, False]).head(at_most)


class ClassFit(Fit):
    """Classes, counts and loss weights of a binary or multiclass target."""

    def __init__(self, name: str, target: BinaryTarget | MulticlassTarget) -> None:
        super().__init__()
        self._name, self._target = name, target
        self.counts = Counts()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(known)

    def finish(self) -> ClassStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two classes, or `positive` names an unknown one.
        """
        name, target, counted = self._name, self._target, self.counts.by_token()
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
                raise DataError(
                    f"has {len(counted)} labels, binary means two", where=where, hint="use kind: multiclass"
                )
            classes = _negative_then_positive(name, counted, target)
        else:
            classes = list(target.classes) if target.classes else sorted(counted)
        counts = [counted.get(label, 0) for label in classes]
        return ClassStatistics(kind=target.kind, classes=classes, counts=counts, missing=self.missing)


class LabelFit(Fit):
    """Labels, counts and loss weights of a multilabel target."""

    def __init__(self, name: str, target: MultilabelTarget) -> None:
        super().__init__()
        self._name, self._target = name, target
        self.counts = Counts()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(known.explode(empty_as_null=False))

    def finish(self) -> LabelStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold no label.
        """
        name, target, counted = self._name, self._target, self.counts.by_token()
        labels = list(target.labels) if target.labels else sorted(counted)
        if not labels:
            raise DataError("the train rows hold no label at all", where=f"target '{name}'", hint="check its separator")
        counts, rows = [counted.get(label, 0) for label in labels], self.known
        return LabelStatistics(
            labels=labels,
            counts=counts,
            rows=rows,
            missing=self.missing,
        )


class RegressionFit(Fit):
    """Mean and variance on the transformed scale and the median of a regression target."""

    def __init__(self, name: str, target: RegressionTarget) -> None:
        super().__init__()
        self._name, self._target = name, target
        self.transformed, self.quantiles = Moments(), Quantiles()

    def _take(self, known: pl.Series) -> None:
        numbers = known.to_numpy()
        self.transformed.update(np.log(numbers) if self._target.transform == "log" else numbers)
        self.quantiles.update(numbers)

    def finish(self) -> RegressionStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two different values.
        """
        different = 0 if not self.known else 1 if self.quantiles.minimum == self.quantiles.maximum else 2
        if different < 2:
            raise DataError(
                f"the train rows hold {different} different values, nothing to learn",
                where=f"target '{self._name}'",
                hint="change the split or add rows",
            )
        mean, variance = self.transformed.mean_and_variance()
        return RegressionStatistics(
            transform=self._target.transform,
            count=self.known,
            missing=self.missing,
            mean=mean,
            variance=variance,
            median=self.quantiles.at([0.5])[0],
            median_error=self.quantiles.error,
        )


FeatureFit = ImageFit | NumericFit | CategoryFit | TextFit
TargetFit = ClassFit | LabelFit | RegressionFit


def feature_fit(feature: Feature) -> FeatureFit:
    """An empty fit of a feature's kind."""
    match feature:
        case ImageFeature():
            return ImageFit(feature)
        case NumericFeature():
            return NumericFit()
        case CategoryFeature():
            return CategoryFit(feature)
        case TextFeature():
            return TextFit(feature)


def target_fit(name: str, target: Target) -> TargetFit:
    """An empty fit of a target's kind; the name is for messages."""
    match target:
        case RegressionTarget():
            return RegressionFit(name, target)
        case MultilabelTarget():
            return LabelFit(name, target)
        case BinaryTarget() | MulticlassTarget():
            return ClassFit(name, target)


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
