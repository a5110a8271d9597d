"""The fitted statistics as graph operations: what turns a batch of raw rows into what the model sees.

This is the only form of every transform. Training and evaluation map it over the shards, serving carries it in
its graph. Inputs are batches by feature name; a missing number is NaN and any other missing value is empty.
"""

from __future__ import annotations

import ctypes
import functools
import unicodedata
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.words import RESPELLINGS
from polyhead.kinds.base import ClassWeight
from polyhead.kinds.features.category.config import FIRST_ID, MISSING_ID, UNSEEN_ID, CategoryStatistics
from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
from polyhead.kinds.features.numeric.config import NumericStatistics
from polyhead.kinds.features.text.config import TextStatistics
from polyhead.kinds.features.text.tokenizer import SHORTEST_WORD, WORD_CHARACTERS
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.regression.config import RegressionStatistics
from polyhead.kinds.union import Feature
from polyhead.kinds.vocabulary import read_vocabulary
from polyhead.pictures import graph

Batch = dict[str, tf.Tensor]

_ALIGNMENT = 64

_BEYOND = 1.0
"""Standard deviations beyond the train rows' range up to which a number counts for what it is."""

_SPACE = r"[\p{Z}\t-\r\x{85}]+"
_BEFORE_LOWER = {r"\x00": " ", "I": "i", "İ": "i̇", "J": "j", "Ì": "ì", "Í": "í", "Ĩ": "ĩ", "Į": "į"}
"""`tf.strings.lower` stops at a NUL, and lowers these letters by the machine's language (Turkish, Lithuanian)."""


class NumericTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A number to (standardised value, standardised signed logarithm, 1 if missing).

    Both are centred in 64 bits before they become 32, so close numbers far from zero stay apart. Each is held within
    the train rows' range and one standard deviation beyond it: what a number can add is bounded, however far outside
    it lies. A column that is constant in the train rows tells nothing, so any value of it becomes 0.
    """

    def __init__(self, statistics: NumericStatistics) -> None:
        super().__init__()
        self._mean = np.array([statistics.mean, statistics.log_mean])
        deviation = np.sqrt([statistics.variance, statistics.log_variance])
        self._scale = np.where(deviation > 0, deviation, 1.0)
        ends = np.array([statistics.minimum, statistics.maximum])
        ends = (np.stack([ends, np.sign(ends) * np.log1p(np.abs(ends))], 1) - self._mean) / self._scale
        varies = (deviation > 0) & (statistics.minimum < statistics.maximum)
        self._lowest, self._highest = np.where(varies, ends + _BEYOND * np.array([[-1], [1]]), 0.0)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Float64 (batch,), NaN where missing, to float32 (batch, 3)."""
        missing = tf.math.is_nan(values)
        both = tf.stack([values, tf.sign(values) * tf.math.log1p(tf.abs(values))], 1)
        scaled = tf.clip_by_value((both - self._mean) / self._scale, self._lowest, self._highest)
        scaled = tf.where(missing[:, None], tf.zeros_like(scaled), scaled)
        return tf.concat([tf.cast(scaled, tf.float32), tf.cast(missing, tf.float32)[:, None]], 1)


class CategoryTransform(tf.Module):  # type: ignore[misc]
    """A value, in normal form C or D, to its id; see `MISSING_ID`, `UNSEEN_ID`, `FIRST_ID` of the contract."""

    def __init__(self, statistics: CategoryStatistics, directory: Path) -> None:
        super().__init__()
        tokens = read_vocabulary(directory, statistics.vocabulary)["token"].to_list()
        ids = dict(zip(["", *tokens], [MISSING_ID, *range(FIRST_ID, FIRST_ID + len(tokens))], strict=True))
        for token in tokens:
            ids.setdefault(unicodedata.normalize("NFD", token), ids[token])
        self._table = _table(list(ids), list(ids.values()), UNSEEN_ID)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """String (batch,) to int32 (batch,)."""
        return self._table.lookup(_stripped(values))


class TextTransform(tf.Module):  # type: ignore[misc]
    """A text to its terms' ids and TF-IDF weights, L2-normalised, as scikit-learn's TfidfVectorizer weighs them.

    Only the terms that occur are kept, padded to the longest row of the batch: no dense matrix of the vocabulary.
    """

    def __init__(self, statistics: TextStatistics, directory: Path) -> None:
        super().__init__()
        vocabulary = read_vocabulary(directory, statistics.vocabulary)
        self._ngrams = statistics.ngrams
        self._size = vocabulary.height
        # TensorFlow has no empty tables; without terms none is needed.
        self._table = _table(vocabulary["token"].to_list(), list(range(self._size)), -1) if self._size else None
        self._idf = vocabulary["idf"].to_numpy()

    def __call__(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """String (batch,) to int32 ids from 1 and float32 weights, both (batch, terms); 0 is padding."""
        rows = tf.shape(texts, out_type=tf.int64)[0]
        if self._table is None:
            return tf.zeros([rows, 1], tf.int32), tf.zeros([rows, 1], tf.float32)
        ids = self._table.lookup(self._terms(texts))
        ids = tf.ragged.boolean_mask(ids, ids >= 0)
        counts = tf.sparse.bincount(ids, axis=-1, minlength=self._size, maxlength=self._size)
        row, term = counts.indices[:, 0], counts.indices[:, 1]
        weights = tf.cast(counts.values, tf.float64) * tf.gather(self._idf, term)
        squares = tf.math.unsorted_segment_sum(weights**2, row, rows)
        weights /= tf.sqrt(tf.gather(squares, row))

        def padded(values: tf.Tensor) -> tf.Tensor:
            dense = tf.RaggedTensor.from_value_rowids(values, row, nrows=rows).to_tensor()
            return tf.pad(dense, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(dense)[1])]])

        return padded(tf.cast(term, tf.int32) + 1), padded(tf.cast(weights, tf.float32))

    def _terms(self, texts: tf.Tensor) -> tf.RaggedTensor:
        for pattern, replacement in _BEFORE_LOWER.items():
            texts = tf.strings.regex_replace(texts, pattern, replacement)
        lower = tf.strings.lower(texts, encoding="utf-8")
        words = tf.strings.split(tf.strings.regex_replace(lower, f"[^{WORD_CHARACTERS}]+", " "))
        words = tf.ragged.boolean_mask(words, tf.strings.length(words, unit="UTF8_CHAR") >= SHORTEST_WORD)
        if self._ngrams == 1:
            return words
        return tf.strings.ngrams(words, ngram_width=list(range(1, self._ngrams + 1)), separator=" ")


class ServedPictures(tf.Module):  # type: ignore[misc]
    """Files' bytes to pixels: uint8 (batch, height, width, 3), black where there is none."""

    def __init__(self, feature: ImageFeature, statistics: ImageStatistics) -> None:
        super().__init__()
        self._size = feature.size
        self._load = functools.partial(
            graph.load,
            size=feature.size,
            scaled=statistics.decode == "scaled",
            background=feature.background_colour,
            sample_range=feature.range,
        )

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to uint8 (batch, height, width, 3)."""
        black = tf.zeros([*self._size, 3], tf.uint8)
        return tf.map_fn(
            lambda content: tf.cond(
                tf.equal(content, ""),
                lambda: black,
                lambda: self._load(content),
            ),
            contents,
            fn_output_signature=tf.TensorSpec([*self._size, 3], tf.uint8),
        )


class StoredPictures(tf.Module):  # type: ignore[misc]
    """A shard's picture entries to pixels; shapes as in `ServedPictures`."""

    def __init__(self, feature: ImageFeature) -> None:
        super().__init__()
        self._size = feature.size
        self._store = feature.store
        self._free: list[NDArray[np.uint8]] = []

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to uint8 (batch, height, width, 3)."""
        height, width = self._size
        if self._store == "raw":
            black = tf.constant(bytes(height * width * 3))
            filled = tf.where(tf.equal(contents, ""), black, contents)
            return tf.reshape(tf.io.decode_raw(filled, tf.uint8), [-1, height, width, 3])
        if self._store == "png":
            black = tf.io.encode_png(tf.zeros([height, width, 3], tf.uint8))
            return tf.map_fn(
                lambda content: tf.ensure_shape(tf.io.decode_png(content, channels=3), [height, width, 3]),
                tf.where(tf.equal(contents, ""), black, contents),
                fn_output_signature=tf.TensorSpec([height, width, 3], tf.uint8),
            )
        pixels = tf.numpy_function(self._decoded, [contents], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, [None, height, width, 3])

    def _decoded(self, contents: NDArray[np.object_]) -> NDArray[np.uint8]:
        """A batch of JPEG files decoded in place: the accurate decoder of libjpeg-turbo, without the lock."""
        pixels = self._memory(len(contents))
        for picture, content in zip(pixels, contents, strict=True):
            if content:
                simplejpeg.decode_jpeg(content, "RGB", buffer=picture)
            else:
                picture[:] = 0
        return pixels

    def _memory(self, count: int) -> NDArray[np.uint8]:
        """Room for some pictures, which serves again once no array or tensor holds it any more.

        The operating system would clear fresh memory first, which costs a twentieth of decoding. It begins at an
        address that TensorFlow takes over without copying.
        """
        height, width = self._size
        size = count * height * width * 3
        memory = self._free.pop() if self._free else np.empty(0, np.uint8)
        if memory.size < size + _ALIGNMENT:
            memory = np.empty(size + _ALIGNMENT, np.uint8)
        lent: Any = (ctypes.c_uint8 * memory.size).from_buffer(memory.data)
        weakref.finalize(lent, self._free.append, memory)
        start = -memory.ctypes.data % _ALIGNMENT
        return np.frombuffer(lent, np.uint8)[start : start + size].reshape(count, height, width, 3)


class FeatureTransforms(tf.Module):  # type: ignore[misc]
    """All features of a row: raw values to the core model's inputs.

    Args:
        preprocessing: The fitted statistics.
        directory: Where the preprocessing artifact's vocabularies lie.
        stored: True for the picture entries of shards, False for the bytes of files.
    """

    def __init__(self, preprocessing: Preprocessing, directory: Path, *, stored: bool) -> None:
        super().__init__()
        self._features: dict[str, Feature] = dict(preprocessing.features)
        self._stored = stored
        self._transforms: dict[str, tf.Module] = {}
        for name, feature in preprocessing.features.items():
            statistics = preprocessing.feature_statistics[name]
            if isinstance(feature, ImageFeature):
                assert isinstance(statistics, ImageStatistics)
                self._transforms[name] = StoredPictures(feature) if stored else ServedPictures(feature, statistics)
            elif isinstance(statistics, NumericStatistics):
                self._transforms[name] = NumericTransform(statistics)
            elif isinstance(statistics, CategoryStatistics):
                self._transforms[name] = CategoryTransform(statistics, directory)
            elif isinstance(statistics, TextStatistics):
                self._transforms[name] = TextTransform(statistics, directory)

    def raw_spec(self) -> dict[str, tf.TensorSpec]:
        """What a raw batch looks like: float64 for numbers, string for everything else."""
        return {
            name: tf.TensorSpec([None], tf.float64 if feature.kind == "numeric" else tf.string, name=name)
            for name, feature in self._features.items()
        }

    def __call__(self, raw: Batch) -> Batch:
        """A raw batch to the core model's inputs; see `polyhead.model.encoders.core_inputs` for names and shapes."""
        inputs: Batch = {}
        if not self._stored:
            raw = {name: _respelled(values, self._features[name].kind) for name, values in raw.items()}
        for name, feature in self._features.items():
            transformed = self._transforms[name](raw[name])
            if feature.kind == "image":
                inputs[name] = transformed
                inputs[f"{name}__known"] = tf.cast(tf.not_equal(raw[name], ""), tf.float32)
            elif feature.kind == "text":
                inputs[f"{name}__ids"], inputs[f"{name}__weights"] = transformed
                inputs[f"{name}__known"] = tf.cast(tf.not_equal(_stripped(raw[name]), ""), tf.float32)
            else:
                inputs[name] = transformed
        return inputs


class TargetTransforms(tf.Module):  # type: ignore[misc]
    """All targets of a row: raw labels to what the losses compare, and each row's weight in each head's loss.

    A missing target has weight 0 in its own head and touches no other.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self._statistics = dict(preprocessing.target_statistics)
        self._asked = {name: target.weighing for name, target in preprocessing.targets.items()}
        self._tables = {
            name: _table(statistics.classes, list(range(len(statistics.classes))), -1)
            for name, statistics in self._statistics.items()
            if isinstance(statistics, ClassStatistics)
        }

    def __call__(self, raw: Batch) -> tuple[Batch, Batch]:
        """Raw targets to values and weights.

        Returns:
            Values: float32 (batch, 1) for binary and regression (standardised, transformed), int32 (batch,) for
            multiclass, float32 (batch, labels) for multilabel. Weights: float32 (batch,), (batch, labels) for
            multilabel.
        """
        values: Batch = {}
        weights: Batch = {}
        for name, statistics in self._statistics.items():
            if isinstance(statistics, ClassStatistics):
                ids = self._tables[name].lookup(raw[name])
                class_weights = tf.constant(statistics.weights(self._asked[name]), tf.float32)
                weights[name] = tf.where(ids >= 0, tf.gather(class_weights, tf.maximum(ids, 0)), 0.0)
                ids = tf.maximum(ids, 0)
                values[name] = tf.cast(ids, tf.float32)[:, None] if statistics.kind == "binary" else ids
            elif isinstance(statistics, LabelStatistics):
                values[name], weights[name] = self._labels(
                    statistics, self._asked[name], raw[name], raw[f"{name}/known"]
                )
            else:
                values[name], weights[name] = _standardised(statistics, raw[name])
        return values, weights

    def _labels(
        self, statistics: LabelStatistics, asked: ClassWeight, sets: tf.RaggedTensor, known: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        present = tf.stack([tf.reduce_any(sets == label, axis=1) for label in statistics.labels], 1)
        positive, negative = (tf.constant(weights, tf.float32) for weights in statistics.weights(asked))
        weights = tf.where(present, positive, negative) * tf.cast(known, tf.float32)[:, None]
        return tf.cast(present, tf.float32), weights


def _standardised(statistics: RegressionStatistics, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    known = tf.math.is_finite(raw)
    filled = tf.where(known, raw, tf.cast(statistics.median, tf.float64))
    transformed = tf.math.log(filled) if statistics.transform == "log" else filled
    scaled = (transformed - statistics.mean) / np.sqrt(statistics.variance)
    return tf.cast(scaled, tf.float32)[:, None], tf.cast(known, tf.float32)


def _stripped(texts: tf.Tensor) -> tf.Tensor:
    """Texts without white space around them, in the sense of Unicode, as validation strips them."""
    return tf.strings.regex_replace(texts, f"^{_SPACE}|{_SPACE}$", "")


def _respelled(values: tf.Tensor, kind: str) -> tf.Tensor:
    """Words as validation spells them, so that `85255.0` is served as `85255`; numbers and pictures as they are.

    Not what no pattern can do: numbers from 1e16 and below 0.0001 with an exponent, and times with an offset.
    """
    if kind not in ("category", "text"):
        return values
    words = _stripped(values) if kind == "category" else values
    for pattern, replacement in RESPELLINGS:
        words = tf.strings.regex_replace(words, pattern, replacement)
    return words


def _table(keys: list[str], values: list[int], default: int) -> tf.lookup.StaticHashTable:
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(keys, tf.string), tf.constant(values, tf.int32))
    return tf.lookup.StaticHashTable(initializer, default)
