"""Categories in the graph: one table of words, one of vectors, for all columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
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
    TARGET_MEANS,
    UNSEEN_ID,
    CategoryFeature,
    CategoryStatistics,
)
from polyhead.kinds.features.graph import HIDDEN, PACKAGE, Hide, column_units, seed_of
from polyhead.kinds.protocols.graph import Batch, Encoded, FeatureBlock, Table, TreeColumns
from polyhead.kinds.strings import lookup_table, respelled, stripped
from polyhead.kinds.vocabulary import read_vocabulary

_NAME = "category"
_MEANS = "category_means"
FOLDS = 5
"""Parts of the train rows, each of which sees means of the others."""
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


class TargetMeans(tf.Module):  # type: ignore[misc]
    """Means of the targets by the ids of some columns, from which every other column has zeros.

    Args:
        means: Of each column, float32 (folds + 1, ids, numbers), those of all train rows first; None where it has none.
    """

    def __init__(self, means: Sequence[NDArray[np.float32] | None]) -> None:
        super().__init__()
        held = [of for of in means if of is not None]
        nothing = np.zeros((held[0].shape[0], 1, held[0].shape[2]), np.float32)
        table = np.concatenate([nothing, *held], 1)
        self._rows = table.shape[1]
        self._table = table.reshape(-1, table.shape[2])
        sizes = np.array([0 if of is None else of.shape[1] for of in means])
        self._asks = sizes > 0
        self._starts = (1 + np.cumsum(sizes) - sizes).astype(np.int32)

    def __call__(self, ids: tf.Tensor, keys: tf.Tensor | None = None) -> tf.Tensor:
        """Int32 (batch, columns) to float32 (batch, columns, numbers).

        Args:
            ids: Of the columns' values.
            keys: Of train rows, string (batch,). Default: the rows are no train rows, or count as such.
        """
        rows = tf.where(self._asks, ids + self._starts, 0)
        if keys is not None:
            rows += self._rows * fold_of(keys)[:, None]
        return tf.gather(self._table, rows)


def fold_of(keys: tf.Tensor) -> tf.Tensor:
    """The part of the train rows that each is in, by FarmHash's fingerprint of its key, int32 (batch,) from 1."""
    return 1 + tf.cast(tf.strings.to_hash_bucket_fast(keys, FOLDS), tf.int32)


class _CategoryInputs(tf.Module):  # type: ignore[misc]
    """The network's inputs from values."""

    def __init__(self, ids: CategoryTransform, means: TargetMeans | None) -> None:
        super().__init__()
        self._ids, self._means = ids, means

    def __call__(self, values: tf.Tensor, keys: tf.Tensor | None = None) -> Batch:
        ids = self._ids(values)
        return {_NAME: ids} if self._means is None else {_NAME: ids, _MEANS: self._means(ids, keys)}


class _Grouping(tf.Module):  # type: ignore[misc]
    """The ids of some columns by name."""

    def __init__(self, ids: CategoryTransform, places: Mapping[str, int]) -> None:
        super().__init__()
        self._ids, self._places = ids, dict(places)

    def __call__(self, values: tf.Tensor) -> Batch:
        ids = self._ids(values)
        return {name: ids[:, place] for name, place in self._places.items()}


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
    """All categories.

    The network's inputs are `category`, int32 (batch, columns), and, where a column asks for means of the targets,
    `category_means`, float32 (batch, columns, numbers), zeros for the columns that do not. Trees and the mixing layer
    see these. A straight line does not: the mean over a value's other rows, less a number for the value itself, is a
    linear function of the row's own target, so a line would learn to take it from there.
    """

    KIND = _NAME
    IS_SLICED = True

    def transform(self, directory: Path, *, stored: bool) -> _CategoryInputs:
        """String (batch, columns), empty where missing."""
        return _CategoryInputs(self._ids(directory, stored=stored), self._means)

    def _ids(self, directory: Path, *, stored: bool) -> CategoryTransform:
        features, columns = list(self.features.values()), list(self.statistics.values())
        return CategoryTransform(features, columns, directory, stored=stored)

    @property
    def averaged(self) -> dict[str, range]:
        """The columns that ask for it, and the ids of their vocabularies."""
        sizes = zip(self.features.items(), self._sizes, strict=True)
        return {name: range(feature.first_id, size) for (name, feature), size in sizes if feature.target_means}

    def grouping(self) -> _Grouping:
        """By the ids."""
        places = {name: self.names.index(name) for name in self.averaged}
        return _Grouping(self._ids(self.directory, stored=True), places)

    @cached_property
    def _means(self) -> TargetMeans | None:
        found = self._tables
        return TargetMeans([found.get(name) for name in self.names]) if found else None

    @cached_property
    def _tables(self) -> dict[str, NDArray[np.float32]]:
        folder = self.directory / TARGET_MEANS
        return {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in self.averaged}

    def inputs(self) -> dict[str, Any]:
        """`category`, and `category_means` where there are some."""
        columns = len(self.names)
        found = {_NAME: keras.Input((columns,), dtype="int32", name=_NAME)}
        if self._tables:
            numbers = next(iter(self._tables.values())).shape[2]
            found[_MEANS] = keras.Input((columns, numbers), dtype="float32", name=_MEANS)
        return found

    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """Embeddings that are longer the more values a column has, and the means; those of a hidden value are 0."""
        buckets = [feature.hash_buckets for feature in self.features.values()]
        hidden = None if max(buckets) == 1 else buckets
        ids = HideCategory(HIDDEN, seed_of(seed, _NAME), hidden, name=f"{_NAME}__hide")(inputs[_NAME])
        sizes = self._sizes
        most = column_units(model.width, len(self.names))
        units = [min(most, 4 + 2 * int(size**0.5)) for size in sizes]
        vector = ColumnEmbeddings(sizes, units, name=f"{_NAME}__encoder")(ids)
        if self._tables:
            kept = ops.expand_dims(ops.cast(ops.equal(ids, inputs[_NAME]), "float32"), -1)
            vector = ops.concatenate([vector, self._beside(inputs[_MEANS] * kept)], axis=1)
        return Encoded(vector, lambda units, head: self.line({_NAME: ids}, units, f"{_NAME}__to__{head}"))

    def _beside(self, means: Any) -> Any:
        """The means of the columns that ask for them, end to end, (batch, numbers)."""
        places = [self.names.index(name) for name in self._tables]
        return ops.reshape(ops.take(means, places, axis=1), (-1, len(places) * means.shape[2]))

    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """An indicator of each id, column after column."""
        ids = inputs[_NAME]
        starts = np.cumsum(self._sizes) - self._sizes
        return Table(sum(self._sizes), (ids + starts).astype(np.int32), np.ones(ids.shape, np.float32))

    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """`ColumnSums`."""
        return ColumnSums(self._sizes, units, name=name)(inputs[_NAME])

    def trees(self, inputs: Mapping[str, Any]) -> TreeColumns:
        """The ids, and the means."""
        ids = ops.cast(inputs[_NAME], "float32")
        if not self._tables:
            return TreeColumns(ids, self._sizes)
        means = self._beside(inputs[_MEANS])
        return TreeColumns(ops.concatenate([ids, means], axis=1), [*self._sizes, *[0] * means.shape[1]])

    @property
    def _sizes(self) -> list[int]:
        """Ids of each column."""
        return [self.features[name].first_id + of.vocabulary.size for name, of in self.statistics.items()]
