"""Sets of values in the graph: ids as those of a category, one table of vectors for all columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.coercion import EMPTY_SET
from polyhead.kinds.entries import entry_name
from polyhead.kinds.features.category.config import MISSING_ID, UNSEEN_ID, CategoryFeature, CategoryStatistics
from polyhead.kinds.features.category.graph import CategoryTransform
from polyhead.kinds.features.graph import (
    HIDDEN,
    PACKAGE,
    Hide,
    TermsBlock,
    WeightedTerms,
    column_units,
    occurrences,
    seed_of,
)
from polyhead.kinds.features.multicategory.config import MulticategoryFeature, MulticategoryStatistics
from polyhead.kinds.protocols.graph import Batch, Encoded, Held, TreeColumns
from polyhead.kinds.strings import stripped

_NAME = "multicategory"
_IDS, _WEIGHTS = f"{_NAME}_ids", f"{_NAME}_weights"
_VALUE = CategoryFeature(kind="category")  # as which each value of a set is looked up
_MOST_COLUMNS = 256  # that trees see one by one; beyond, what a line over them says


class MulticategoryTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """Sets of values to the ids of their values, as a category has them, and to weights.

    A value weighs 1, or as often as the set has it, over the root of what the squares of these add up to in a train
    row on average. So a set weighs about as much as a category does, and a large one more than a small one. All values
    that the vocabulary lacks are one. A missing set is the id of a missing category, with weight 1; an empty one has no
    id.

    Args:
        features: Configuration of each column.
        columns: Statistics of the same columns.
        directory: Where their vocabularies lie.
        stored: Whether values come from shards and are spelled as they should be.
    """

    def __init__(
        self,
        features: Sequence[MulticategoryFeature],
        columns: Sequence[MulticategoryStatistics],
        directory: Path,
        *,
        stored: bool = False,
    ) -> None:
        super().__init__()
        words = [CategoryStatistics(count=of.count, missing=of.missing, vocabulary=of.vocabulary) for of in columns]
        self._words = CategoryTransform([_VALUE] * len(words), words, directory, stored=stored)
        self._cut = None if stored else _Cut([feature.separator for feature in features])
        self._columns = len(columns)
        self._ids = max(of.vocabulary.size for of in columns) + _VALUE.first_id
        counted = [feature.encoding == "counts" for feature in features]
        squares = [of.squares if counts else of.presence for counts, of in zip(counted, columns, strict=True)]
        self._scale = np.array([1 / np.sqrt(total or 1.0) for total in squares], np.float32)
        self._most = np.array([of.most if counts else 1 for counts, of in zip(counted, columns, strict=True)], np.int32)

    def __call__(self, cells: Any) -> Batch:
        """To both inputs of the network.

        Args:
            cells: Of raw rows, string (batch, columns), cut at the separators; of shards, ragged string (batch,
                columns, None), of a missing set the empty string.
        """
        sets = cells.merge_dims(0, 1) if self._cut is None else self._cut(cells)
        row, ids, counts = occurrences(self._looked_up(sets), self._ids)
        ids = tf.cast(ids, tf.int32)
        column = row % self._columns
        often = tf.cast(tf.minimum(counts, tf.gather(self._most, column)), tf.float32)
        weights = tf.where(ids == MISSING_ID, 1.0, often * tf.gather(self._scale, column))

        def padded(values: tf.Tensor) -> tf.Tensor:
            dense = tf.RaggedTensor.from_value_rowids(values, row, nrows=sets.nrows(), validate=False).to_tensor()
            dense = tf.pad(dense, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(dense)[1])]])
            return tf.reshape(dense, [-1, self._columns, tf.shape(dense)[1]])

        return {_IDS: padded(ids), _WEIGHTS: padded(weights)}

    def _looked_up(self, sets: tf.RaggedTensor) -> tf.RaggedTensor:
        """Ragged string (batch * columns, None) to ids."""
        words = sets.to_tensor("")
        shape = tf.shape(words)
        by_place = tf.transpose(tf.reshape(words, [shape[0] // self._columns, self._columns, shape[1]]), [0, 2, 1])
        ids = tf.reshape(tf.transpose(self._words(by_place), [0, 2, 1]), shape)
        return tf.RaggedTensor.from_tensor(ids, lengths=sets.row_lengths())


class _Cut:
    """Raw cells to sets, as validation cuts text.

    Args:
        separators: Of each column.
    """

    def __init__(self, separators: Sequence[str]) -> None:
        self._by_separator: dict[str, list[int]] = {}
        for column, separator in enumerate(separators):
            self._by_separator.setdefault(separator, []).append(column)
        self._place = np.argsort(np.concatenate(list(self._by_separator.values()))).astype(np.int64)

    def __call__(self, cells: tf.Tensor) -> tf.RaggedTensor:
        """String (batch, columns) to ragged string (batch * columns, None); a missing set is the empty string."""
        rows = tf.shape(cells, out_type=tf.int64)[0]
        cells = tf.transpose(stripped(cells))
        parts = []
        for separator, columns in self._by_separator.items():
            own = tf.reshape(tf.gather(cells, columns), [-1])
            items = tf.strings.split(tf.where(own == EMPTY_SET, separator, own), separator)
            items = items.with_flat_values(stripped(items.flat_values))
            missing = tf.repeat(own == "", items.row_lengths())
            parts.append(tf.ragged.boolean_mask(items, (items != "").with_values(missing | (items.flat_values != ""))))
        order = self._place[None] * rows + tf.range(rows)[:, None]
        return tf.gather(tf.concat(parts, 0), tf.reshape(order, [-1]))


@keras.saving.register_keras_serializable(PACKAGE)
class HideSets(Hide):
    """`Hide` for sets: some become missing, and as many of the values of others unseen, so that both are learned.

    Input shape:
        Ids and weights in a list, `(batch, columns, n)` each.

    Output shape:
        Both.
    """

    def call(self, sets: Any, training: bool = False) -> Any:
        """Ids and weights, some of them hidden while training."""
        ids, weights = sets
        if not training:
            return ids, weights
        unseen = (self.draw(ops.shape(ids)) < self.rate) & (ids != MISSING_ID)
        ids = ops.where(unseen, ops.full_like(ids, UNSEEN_ID), ids)
        missing = ops.expand_dims(self.draw(ops.shape(ids)[:-1]) < self.rate, -1)
        first = ops.cast(ops.arange(ops.shape(ids)[-1]) == 0, weights.dtype)
        return ops.where(missing, ops.full_like(ids, MISSING_ID), ids), ops.where(missing, first, weights)


class MulticategoryBlock(TermsBlock[MulticategoryFeature, MulticategoryStatistics]):
    """All multicategories; of shards a raw block is ragged string (batch, columns, None)."""

    KIND = _NAME
    IS_SLICED = True

    def columns(self, raw: tf.Tensor | tf.RaggedTensor) -> Batch:
        """Of raw rows string (batch,), of shards ragged string (batch, None) by name."""
        if not isinstance(raw, tf.RaggedTensor):
            return super().columns(raw)
        cells = raw.merge_dims(0, 1)
        return {name: cells[at :: len(self.names)] for at, name in enumerate(self.names)}

    @property
    def is_wide(self) -> bool:
        """Where there are too many values for a column of each."""
        return sum(self.terms) > _MOST_COLUMNS

    def entries(self, held: Held) -> dict[str, Any]:  # each column has entries of its own
        """The values of each column, and whether the set is known."""
        entries: dict[str, Any] = {}
        for name in self.names:
            entry = entry_name("feature", self.KIND, name)
            entries[entry] = tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)
            entries[f"{entry}/known"] = tf.io.FixedLenFeature([], tf.int64, 0)
        return entries

    def parsed(self, parsed: Batch, held: Held) -> tf.RaggedTensor:
        """The values of each set, of a missing one the empty string."""
        columns = []
        for name in self.names:
            entry = entry_name("feature", self.KIND, name)
            missing = 1 - parsed[f"{entry}/known"]
            empty = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(missing)], ""), missing, validate=False)
            columns.append(tf.concat([parsed[entry], empty], 1))
        return tf.stack(columns, 1)

    def transform(self, directory: Path, *, stored: bool) -> MulticategoryTransform:
        """String (batch, columns), empty where missing; of shards ragged."""
        statistics = list(self.statistics.values())
        return MulticategoryTransform(list(self.features.values()), statistics, directory, stored=stored)

    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """The sum of the values' vectors, which are longer the more values a column has."""
        hide = HideSets(HIDDEN, seed_of(seed, _NAME), name=f"{_NAME}__hide")
        ids, weights = hide([inputs[_IDS], inputs[_WEIGHTS]])
        units = min(column_units(model.width, len(self.names)), 4 + 2 * int(max(self.terms) ** 0.5))
        vectors = WeightedTerms(self.terms, units, name=f"{_NAME}__encoder")(ids, weights)
        return Encoded(
            layers.Flatten(name=f"{_NAME}__vectors")(vectors),
            lambda units, head: self.line({_IDS: ids, _WEIGHTS: weights}, units, f"{_NAME}__to__{head}"),
        )

    def trees(self, inputs: Mapping[str, Any]) -> TreeColumns:
        """The weight of each id, column after column."""
        ids, weights = inputs[_IDS], ops.expand_dims(inputs[_WEIGHTS], -1)
        sizes = np.add(self.terms, 1)
        parts = [
            ops.sum(ops.one_hot(ids[:, at], int(size), dtype="float32") * weights[:, at], axis=1)
            for at, size in enumerate(sizes)
        ]
        return TreeColumns(ops.concatenate(parts, axis=1), [0] * int(sizes.sum()))

    @property
    def terms(self) -> list[int]:
        """The values of each column, and one for all that are not in the vocabulary."""
        return [statistics.vocabulary.size + _VALUE.first_id - 1 for statistics in self.statistics.values()]
