"""What the targets are on average where a column has a value: fitted on the train rows, never seen by their own row.

A category with many values says little that a network or a tree can learn from a few rows of each. The mean of the
target over the rows of a value says it in one number, but to the train rows it also gives their own answer away. So the
train rows are dealt into five parts by a hash of their keys, and each part sees means over the other four; all other
rows see those over all train rows. That is scikit-learn's `TargetEncoder`, with its smoothing `auto`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.shards import ShardManifest
from polyhead.examples.parsing import Parser
from polyhead.examples.reading import records
from polyhead.kinds.features.category.config import TARGET_MEANS
from polyhead.kinds.features.category.graph import FOLDS, fold_of
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.kinds.protocols.graph import FeatureBlock
from polyhead.model.transforms import TargetTransforms

Floats = NDArray[np.float64]

_BATCH = 1024


@dataclass
class Sums:
    """What some rows hold of some numbers, by group.

    Attributes:
        counts: What the rows weigh of which each number is known, (…, groups, numbers).
        totals: Sums of the numbers by weight, likewise.
        squares: Sums of their squares.
    """

    counts: Floats
    totals: Floats
    squares: Floats

    @classmethod
    def nothing(cls, *shape: int) -> Self:
        """Of no rows."""
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def add(self, places: NDArray[np.int64], numbers: Floats, weights: Floats) -> None:
        """Take more rows.

        Args:
            places: Of each row, the place of its group among all but the last dimension, laid end to end.
            numbers: (rows, numbers).
            weights: Of each, likewise.
        """
        for sums, terms in (
            (self.counts, weights),
            (self.totals, weights * numbers),
            (self.squares, weights * numbers**2),
        ):
            flat = sums.reshape(-1, sums.shape[-1])
            for at in range(flat.shape[1]):
                flat[:, at] += np.bincount(places, terms[:, at], len(flat))

    def over(self, folds: Sequence[int]) -> Sums:
        """Of some of the folds, which are the first dimension."""
        at = list(folds)
        return Sums(self.counts[at].sum(0), self.totals[at].sum(0), self.squares[at].sum(0))

    def whole(self) -> tuple[Floats, Floats]:
        """Mean and variance of each number over all groups, (numbers,) each; 0 where no row has it."""
        return _mean_and_variance(self.counts.sum(0), self.totals.sum(0), self.squares.sum(0))

    def smoothed(self) -> Floats:
        """The mean of each number by group, drawn towards that of all rows, (groups, numbers).

        Between the two lies the share v n / (v n + w) of the way, where n is what the group weighs, w the variance
        within it and v that of all rows: the estimate of empirical Bayes by which scikit-learn's `TargetEncoder`
        smooths where it is told `auto`. (D. Micci-Barreca, A Preprocessing Scheme for High-Cardinality Categorical
        Attributes in Classification and Prediction Problems, SIGKDD Explorations 3, 2001, 27-32.)
        """
        mean, variance = self.whole()
        own, within = _mean_and_variance(self.counts, self.totals, self.squares)
        strength = variance * self.counts
        total = strength + within
        share = np.divide(strength, total, out=np.zeros(total.shape), where=total > 0)
        return share * own + (1 - share) * mean


def _mean_and_variance(counts: Floats, totals: Floats, squares: Floats) -> tuple[Floats, Floats]:
    def over(sums: Floats) -> Floats:
        return np.divide(sums, counts, out=np.zeros(counts.shape), where=counts > 0)

    mean = over(totals)
    return mean, np.maximum(over(squares) - mean**2, 0.0)


def encoded(sums: Sums, known: range) -> NDArray[np.float32]:
    """Means by fold and group, float32 (folds + 1, groups, numbers): the first of all rows, then without one fold each.

    They are in standard deviations of all rows from their mean. A group that has no mean of its own has 0.

    Args:
        sums: Of the train rows, (folds, groups, numbers).
        known: The groups that have one.
    """
    folds = range(len(sums.counts))
    mean, variance = sums.over(folds).whole()
    spread = np.sqrt(np.where(variance > 0, variance, np.inf))
    found = [sums.over(folds), *(sums.over([other for other in folds if other != one]) for one in folds)]
    means = np.stack([(of.smoothed() - mean) / spread for of in found])
    means[:, [at for at in range(means.shape[1]) if at not in known]] = 0.0
    return means.astype(np.float32)


def fit_target_means(fitted: Fitted, manifest: ShardManifest, shards: Path, directory: Path) -> Fitted:
    """Fit what the features ask for of the targets of the train rows, and write it beside their vocabularies.

    Args:
        fitted: What was fitted on the train rows.
        manifest: The shards.
        shards: Where they lie.
        directory: A copy of the preprocessing artifact's files, to which that is added.

    Returns:
        The same, with that folder.
    """
    blocks = [block for block in feature_blocks(fitted) if block.averaged]
    if blocks:
        (directory / TARGET_MEANS).mkdir(exist_ok=True)
    for block in blocks:
        for name, sums in _sums(fitted, block, manifest, shards).items():
            np.save(directory / TARGET_MEANS / f"{name}.npy", encoded(sums, block.averaged[name]), allow_pickle=False)
    return replace(fitted, directory=directory)


def _sums(fitted: Fitted, block: FeatureBlock[Any, Any], manifest: ShardManifest, shards: Path) -> dict[str, Sums]:
    """Of the train rows, by column."""
    found: dict[str, Sums] = {}
    for folds, groups, numbers, weights in _rows(fitted, block, manifest, shards):
        for name, of in groups.items():
            size = block.averaged[name].stop
            sums = found.setdefault(name, Sums.nothing(FOLDS, size, numbers.shape[1]))
            sums.add(folds * size + of, numbers, weights)
    return found


def _rows(
    fitted: Fitted, block: FeatureBlock[Any, Any], manifest: ShardManifest, shards: Path
) -> Iterator[tuple[NDArray[np.int64], Mapping[str, NDArray[np.int64]], Floats, Floats]]:
    """Folds from 0, groups by column, and the numbers of all heads with their weights, of some train rows at a time."""
    parse = Parser(replace(fitted, features={name: fitted.features[name] for name in block.names}))
    grouping, transform, of = block.grouping(), TargetTransforms(fitted), heads(fitted)

    def step(batch: tf.Tensor) -> Any:
        keys, features, targets = parse(batch)
        return fold_of(keys) - 1, grouping(features[block.KIND]), transform(targets)

    for folds, groups, (values, weights) in (
        records(manifest, shards, "train", batch_size=_BATCH)
        .map(tf.function(step, autograph=False))
        .as_numpy_iterator()
    ):
        numbers, counts = [], []
        for head in of:
            own = head.numbers(values[head.name])
            known = head.row_weights(values[head.name], weights[head.name]).reshape(len(own), -1)
            numbers.append(own[:, head.told])
            counts.append(np.broadcast_to(known, own.shape)[:, head.told])
        ids = {name: places.astype(np.int64) for name, places in groups.items()}
        yield folds.astype(np.int64), ids, np.hstack(numbers), np.hstack(counts)
