"""Numbers in the graph: all columns scaled and encoded at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from polyhead.kinds.features.graph import NumberBlock, Scaling
from polyhead.kinds.features.numeric.config import QUANTILES, NumericFeature, NumericStatistics, Scale

_SHARES = np.array([0.0, *QUANTILES, 1.0])
_VIEWS = _VALUE, _LOGARITHM, _RANK = range(3)


class _Part(NamedTuple):
    """What becomes one of the two numbers that the network sees of a column; see `Scaling`."""

    view: int
    centre: float
    spread: float
    lowest: float
    highest: float
    deviation: float


_NOTHING = _Part(_VALUE, 0.0, 1.0, 0.0, 0.0, 0.0)


def _signed_logarithm(numbers: tf.Tensor) -> tf.Tensor:
    return tf.sign(numbers) * tf.math.log1p(tf.abs(numbers))


def _parts(scale: Scale, of: NumericStatistics) -> list[_Part]:
    """Two of them, the first for `NumericBlock.TREE_PARTS`."""
    deviation = math.sqrt(of.variance)
    value = _Part(_VALUE, of.mean, deviation, of.minimum, of.maximum, deviation)
    ends = np.array([of.minimum, of.maximum])
    low, high = np.sign(ends) * np.log1p(np.abs(ends))
    logarithm = _Part(_LOGARITHM, of.log_mean, math.sqrt(of.log_variance), low, high, math.sqrt(of.log_variance))
    lower, median, upper = (of.quantiles[QUANTILES.index(share)] for share in (0.25, 0.5, 0.75))
    return {
        "both": [value, logarithm],
        "standard": [value, _NOTHING],
        "log1p": [logarithm, _NOTHING],
        "minmax": [value._replace(centre=of.minimum, spread=of.maximum - of.minimum), _NOTHING],
        "robust": [value._replace(centre=median, spread=upper - lower), _NOTHING],
        "quantile": [_Part(_RANK, 0.0, 1.0, 0.0, float(of.minimum < of.maximum), 1.0), _NOTHING],
        "none": [value._replace(centre=0.0, spread=1.0), _NOTHING],
    }[scale]


class NumericTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A number to what its `scale` asks for, as `Scaling` has it, 0 where that is one number only, and 1 if missing.

    Args:
        features: Configuration of each column.
        columns: Statistics of each column.
    """

    def __init__(self, features: Sequence[NumericFeature], columns: Sequence[NumericStatistics]) -> None:
        super().__init__()
        parts = [_parts(feature.scale, of) for feature, of in zip(features, columns, strict=True)]
        views, *scaling = np.array(parts).transpose(2, 0, 1)
        self._scaling = Scaling(*scaling)
        self._ranked = np.flatnonzero(views[:, 0] == _RANK)
        marks = [[of.minimum, *of.quantiles, of.maximum] for of in columns]
        self._marks = np.array(marks)[self._ranked]
        rank = np.zeros(len(columns), np.int64)
        rank[self._ranked] = np.arange(len(self._ranked))
        own = np.arange(len(columns))
        starts = np.stack([own, own + len(columns), rank + 2 * len(columns)], 1)
        self._places = np.take_along_axis(starts, views.astype(np.int64), 1)
        clips = [feature.clip or (None, None) for feature in features]
        self._low = np.array([-np.inf if low is None else low for low, _ in clips])
        self._high = np.array([np.inf if high is None else high for _, high in clips])

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, columns), NaN where missing, to float32 (batch, columns, 3)."""
        if np.isfinite([self._low, self._high]).any():
            clipped = tf.clip_by_value(values, self._low, self._high)
            values = tf.where(tf.math.is_nan(values), values, clipped)
        views = [values, _signed_logarithm(values)]
        if len(self._ranked):
            views.append(self._ranks(tf.gather(values, self._ranked, axis=1)))
        return self._scaling(tf.gather(tf.concat(views, 1), self._places, axis=1))

    def _ranks(self, values: tf.Tensor) -> tf.Tensor:
        """The share of the train rows below each number, (batch, ranked columns), as `QuantileTransformer` has it.

        Straight between two marks; where several marks have a number's very value, midway between their shares.
        """
        columns = tf.transpose(values)
        below, through = (tf.searchsorted(self._marks, columns, side=side) for side in ("left", "right"))
        is_mark = through > below
        left, right = tf.where(is_mark, below, below - 1), tf.where(is_mark, through - 1, below)
        left, right = (tf.clip_by_value(at, 0, len(_SHARES) - 1) for at in (left, right))
        start, end = (tf.gather(self._marks, at, batch_dims=1) for at in (left, right))
        way = tf.where(is_mark, tf.constant(0.5, tf.float64), (columns - start) / (end - start))
        shares = tf.gather(_SHARES, left) + way * (tf.gather(_SHARES, right) - tf.gather(_SHARES, left))
        shares = tf.where(columns >= self._marks[:, -1:], tf.ones_like(shares), shares)
        shares = tf.where(columns <= self._marks[:, :1], tf.zeros_like(shares), shares)
        return tf.transpose(tf.where(tf.math.is_nan(columns), columns, shares))


class NumericBlock(NumberBlock[NumericFeature, NumericStatistics]):
    """All numbers."""

    KIND = "numeric"
    IS_SLICED = True
    PARTS = 2
    TREE_PARTS = 1

    def scaled(self, *, stored: bool) -> NumericTransform:  # numbers are spelled alike everywhere
        """`NumericTransform` of all columns."""
        return NumericTransform(list(self.features.values()), list(self.statistics.values()))
