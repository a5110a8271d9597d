"""Categories in the graph: one table of words, one of vectors, for all columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.features.category.config import (
    MISSING_ID,
    UNSEEN_ID,
    CategoryFeature,
    CategoryStatistics,
)
from polyhead.kinds.features.graph import HIDDEN, PACKAGE, Hide, OneInput, column_units, seed_of
from polyhead.kinds.protocols.graph import Encoded, FeatureBlock, Table, TreeColumns
from polyhead.kinds.strings import lookup_table, respelled, stripped
from polyhead.kinds.vocabulary import read_vocabulary

_NAME = "category"
_HASHES = 2**63 - 1
"""More buckets TensorFlow does not number."""


class CategoryTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A value, in normal form C or D, to its id; see `MISSING_ID`, `UNSEEN_ID` and `CategoryFeature.first_id`.

    All columns share one table, in which a word follows the number of its column. A value outside the vocabulary gets
    one of its column's buckets by FarmHash's 64-bit fingerprint, which is the same everywhere and always.

    Args:
        features: Configuration of each column.
        columns: Statistics of each column.
        directory: Where their vocabularies lie.
        stored: Whether values come from shards and are spelled as they should be.
    """

    def __init__(
        self,
        features: Sequence[CategoryFeature],
        columns: Sequence[CategoryStatistics],
        directory: Path,
        *,
        stored: bool = False,
    ) -> None:
        super().__init__()
        self._stored = stored
        self._buckets = np.array([feature.hash_buckets for feature in features])
        self._prefixes = [_prefix(column) for column in range(len(columns))]
        self._table = lookup_table(
            (
                (prefix + token, token_id)
                for prefix, feature, statistics in zip(self._prefixes, features, columns, strict=True)
                for token, token_id in _ids(feature, statistics, directory)
            ),
            UNSEEN_ID,
        )

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """String (batch, columns) to int32 (batch, columns)."""
        words = values if self._stored else respelled(stripped(values))
        ids = self._table.lookup(tf.add(tf.constant([self._prefixes]), words))
        if self._buckets.max() == 1:
            return ids
        buckets = tf.math.floormod(tf.strings.to_hash_bucket_fast(words, _HASHES), self._buckets)
        return tf.where(ids == UNSEEN_ID, UNSEEN_ID + tf.cast(buckets, tf.int32), ids)


def _prefix(column: int) -> str:
    return f"{column} "


def _ids(feature: CategoryFeature, statistics: CategoryStatistics, directory: Path) -> Iterator[tuple[str, int]]:
    """Words to ids; where two words have the same normal form, later pairs win."""
    tokens = read_vocabulary(directory, statistics.vocabulary)["token"].to_list()
    ids = dict(zip(tokens, range(feature.first_id, feature.first_id + len(tokens)), strict=True))
    for token in reversed(tokens):
        yield unicodedata.normalize("NFD", token), ids[token]
    yield from ids.items()
    yield "", MISSING_ID


@keras.saving.register_keras_serializable(PACKAGE)
class HideCategory(Hide):
    """`Hide` for ids of categories: some become missing and as many others unseen, so that their vectors are learned.

    Args:
        rate: Chance that a known value becomes missing while training; it is as likely to become unseen.
        seed: Of the hiding.
        buckets: Ids of each column's unseen values, of which one is drawn. Default: one for each.

    Input shape:
        Ids `(batch, columns)`.

    Output shape:
        `(batch, columns)`.
    """

    def __init__(
        self, rate: float, seed: int | None = None, buckets: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.buckets = None if buckets is None else list(buckets)

    def call(self, ids: Any, training: bool = False) -> Any:
        """Ids, some of them hidden while training."""
        if not training:
            return ids
        drawn = self.draw(ops.shape(ids))
        new = ops.full_like(ids, UNSEEN_ID)
        if self.buckets is not None:
            buckets = np.array(self.buckets, np.int32)
            share = ops.clip(drawn / self.rate - 1, 0, 1)  # of those that become unseen: evenly from 0 to 1
            new += ops.minimum(ops.cast(share * buckets.astype(np.float32), ids.dtype), buckets - 1)
        unseen = ops.where(drawn < 2 * self.rate, new, ids)
        return ops.where(drawn < self.rate, ops.full_like(ids, MISSING_ID), unseen)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), **({} if self.buckets is None else {"buckets": self.buckets})}


@keras.saving.register_keras_serializable(PACKAGE)
class ColumnEmbeddings(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """An embedding for each column, each as long as it is asked to be, all of them in one vector of numbers.

    Args:
        sizes: Ids of each column.
        units: Length of each column's vectors.

    Input shape:
        Ids `(batch, columns)`, each from 0 to below its column's size.

    Output shape:
        `(batch, sum of units)`, column after column.
    """

    def __init__(self, sizes: Sequence[int], units: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = list(sizes)
        self.units = list(units)
        numbers = np.multiply(self.sizes, self.units)
        self._column = np.repeat(np.arange(len(self.units)), self.units)
        starts = (np.cumsum(numbers) - numbers)[self._column]
        self._place = (starts + np.concatenate([np.arange(count) for count in self.units])).astype(np.int32)
        self._step = np.array(self.units, np.int32)[self._column]

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        """Create the vectors."""
        total = int(np.multiply(self.sizes, self.units).sum())
        self.numbers = self.add_weight(shape=(total,), initializer="uniform", name="embeddings")

    def call(self, ids: Any) -> Any:
        """The vectors of the ids, end to end."""
        return ops.take(self.numbers, ops.take(ids, self._column, axis=1) * self._step + self._place, axis=0)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "sizes": self.sizes, "units": self.units}


@keras.saving.register_keras_serializable(PACKAGE)
class ColumnSums(keras.layers.Layer):  # type: ignore[misc]
    """A linear function of all columns at once: the sum over columns of the number of each one's id, from zero.

    Args:
        sizes: Ids of each column.
        units: Length of the result.

    Input shape:
        Ids `(batch, columns)`, each from 0 to below its column's size.

    Output shape:
        `(batch, units)`.
    """

    def __init__(self, sizes: Sequence[int], units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = list(sizes)
        self.units = units
        self._starts = (np.cumsum(self.sizes) - self.sizes).astype(np.int32)

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        """Create the numbers."""
        self.kernel = self.add_weight(shape=(sum(self.sizes), self.units), initializer="zeros", name="kernel")

    def call(self, ids: Any) -> Any:
        """The sums."""
        return ops.sum(ops.take(self.kernel, ids + self._starts, axis=0), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "sizes": self.sizes, "units": self.units}


class CategoryBlock(FeatureBlock[CategoryFeature, CategoryStatistics]):
    """All categories. The network's input is `category`, int32 (batch, columns)."""

    KIND = _NAME
    IS_SLICED = True

    def transform(self, directory: Path, *, stored: bool) -> OneInput:
        """String (batch, columns), empty where missing."""
        features, columns = list(self.features.values()), list(self.statistics.values())
        return OneInput(_NAME, CategoryTransform(features, columns, directory, stored=stored))

    def inputs(self) -> dict[str, Any]:
        """`category`."""
        return {_NAME: keras.Input((len(self.names),), dtype="int32", name=_NAME)}

    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """Embeddings that are longer the more values a column has."""
        buckets = [feature.hash_buckets for feature in self.features.values()]
        hidden = None if max(buckets) == 1 else buckets
        ids = HideCategory(HIDDEN, seed_of(seed, _NAME), hidden, name=f"{_NAME}__hide")(inputs[_NAME])
        sizes = self._sizes
        most = column_units(model.width, len(self.names))
        units = [min(most, 4 + 2 * int(size**0.5)) for size in sizes]
        return Encoded(
            ColumnEmbeddings(sizes, units, name=f"{_NAME}__encoder")(ids),
            lambda units, head: self.line({_NAME: ids}, units, f"{_NAME}__to__{head}"),
        )

    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """An indicator of each id, column after column."""
        ids = inputs[_NAME]
        starts = np.cumsum(self._sizes) - self._sizes
        return Table(sum(self._sizes), (ids + starts).astype(np.int32), np.ones(ids.shape, np.float32))

    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """`ColumnSums`."""
        return ColumnSums(self._sizes, units, name=name)(inputs[_NAME])

    def trees(self, inputs: Mapping[str, Any]) -> TreeColumns:
        """The ids."""
        return TreeColumns(ops.cast(inputs[_NAME], "float32"), self._sizes)

    @property
    def _sizes(self) -> list[int]:
        """Ids of each column."""
        return [self.features[name].first_id + of.vocabulary.size for name, of in self.statistics.items()]
