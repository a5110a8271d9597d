"""Texts in the graph: TF-IDF weights of their terms, one table of term vectors for all columns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.features.graph import (
    HIDDEN,
    PACKAGE,
    Hide,
    StandIn,
    TermsBlock,
    WeightedTerms,
    column_units,
    few_rows_rate,
    occurrences,
    seed_of,
)
from polyhead.kinds.features.text import tokenizer
from polyhead.kinds.features.text.config import Terms, TextFeature, TextStatistics
from polyhead.kinds.features.text.tokenizer import SHORTEST_WORD, WHITE_SPACE, WORD_CHARACTERS, stopped
from polyhead.kinds.protocols.graph import Batch, Encoded
from polyhead.kinds.strings import lookup_table, respelled, stripped
from polyhead.kinds.vocabulary import read_vocabulary

_NAME = "text"
_STAND_IN = f"{_NAME}__stand_in"
_IDS, _WEIGHTS, _KNOWN = "text_ids", "text_weights", "text_known"

_BEFORE_LOWER = {r"\x00": " ", "I": "i", "İ": "i̇", "J": "j", "Ì": "ì", "Í": "í", "Ĩ": "ĩ", "Į": "į"}
"""`tf.strings.lower` stops at a NUL, and lowers these letters by the machine's language (Turkish, Lithuanian)."""


class TextTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A text to its terms' ids and TF-IDF weights, L2-normalised, as scikit-learn's TfidfVectorizer weighs them.

    Words and characters are normalised each for itself. Only the terms that occur are kept, padded to the longest row
    of the batch: no dense matrix of the vocabulary.

    Args:
        feature: Its stop words.
        statistics: The terms' files and the lengths of n-grams.
        directory: The preprocessing artifact.
    """

    def __init__(self, feature: TextFeature, statistics: TextStatistics, directory: Path) -> None:
        super().__init__()
        left_out = stopped(feature.stop_words)
        self._left_out = lookup_table(dict.fromkeys(left_out, 1), 0) if left_out else None
        cuts: dict[str, Callable[[tf.Tensor, range], tf.RaggedTensor]] = {
            tokenizer.WORDS: functools.partial(word_terms, left_out=self._left_out),
            tokenizer.CHARACTERS: character_terms,
        }
        first, self._weighings = 1, []
        for terms in statistics.terms:
            if terms.vocabulary.size:  # TensorFlow has no empty tables; without terms none is needed
                self._weighings.append(_Weighing(terms, directory, first, cuts[terms.tokenizer]))
            first += terms.vocabulary.size

    def __call__(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """String (batch,) to int32 ids from 1 and float32 weights, both (batch, terms); 0 is padding."""
        if not self._weighings:
            rows = tf.shape(texts)[0]
            return tf.zeros([rows, 1], tf.int32), tf.zeros([rows, 1], tf.float32)
        lower = lowered(texts)
        ids, weights = zip(*(weigh(lower) for weigh in self._weighings), strict=True)

        def padded(parts: tuple[tf.RaggedTensor, ...]) -> tf.Tensor:
            dense = tf.concat(parts, 1).to_tensor()
            return tf.pad(dense, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(dense)[1])]])

        return padded(ids), padded(weights)


class _Weighing(tf.Module):  # type: ignore[misc]
    """Texts in lower case to the ids and weights of their terms of one kind.

    Args:
        terms: Of the kind, at least one.
        directory: The preprocessing artifact.
        first: The first term's id.
        cut: From texts in lower case, and the lengths of terms, to terms.
    """

    def __init__(
        self, terms: Terms, directory: Path, first: int, cut: Callable[[tf.Tensor, range], tf.RaggedTensor]
    ) -> None:
        super().__init__()
        vocabulary = read_vocabulary(directory, terms.vocabulary)
        self._size = vocabulary.height
        self._table = lookup_table(zip(vocabulary["token"], range(self._size), strict=True), -1)
        self._idf = vocabulary["idf"].to_numpy()
        self._cut = cut
        self._lengths = range(terms.shortest, terms.longest + 1)
        self._first = first

    def __call__(self, lower: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """String (batch,) to int32 ids and float32 weights, (batch, None) each."""
        rows = tf.shape(lower, out_type=tf.int64)[0]
        ids = self._table.lookup(self._cut(lower, self._lengths))
        ids = tf.ragged.boolean_mask(ids, ids >= 0)
        row, term, counts = occurrences(ids, self._size)
        weights = tf.cast(counts, tf.float64) * tf.gather(self._idf, term)
        squares = tf.math.unsorted_segment_sum(weights**2, row, rows)
        weights = tf.cast(weights / tf.sqrt(tf.gather(squares, row)), tf.float32)
        term = tf.cast(term, tf.int32) + self._first
        terms = tf.RaggedTensor.from_value_rowids(term, row, nrows=rows, validate=False)
        return terms, terms.with_values(weights)


def lowered(texts: tf.Tensor) -> tf.Tensor:
    """Texts in lower case, the same on every machine, with a space in place of NUL."""
    for pattern, replacement in _BEFORE_LOWER.items():
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return tf.strings.lower(texts, encoding="utf-8")


def word_terms(lower: tf.Tensor, lengths: range, left_out: tf.lookup.StaticHashTable | None = None) -> tf.RaggedTensor:
    """The terms by `tokenizer.WORDS` of texts in lower case, (batch, None).

    Args:
        lower: String (batch,).
        lengths: Words of a term.
        left_out: 1 for stop words, 0 for others. Default: there are none.
    """
    words = tf.strings.split(tf.strings.regex_replace(lower, f"[^{WORD_CHARACTERS}]+", " "))
    words = tf.ragged.boolean_mask(words, tf.strings.length(words, unit="UTF8_CHAR") >= SHORTEST_WORD)
    if left_out is not None:
        words = tf.ragged.boolean_mask(words, left_out.lookup(words) == 0)
    return words if lengths == range(1, 2) else tf.strings.ngrams(words, list(lengths), separator=" ")


def character_terms(lower: tf.Tensor, lengths: range) -> tf.RaggedTensor:
    """The terms by `tokenizer.CHARACTERS` of texts in lower case, (batch, None)."""
    words = tf.strings.split(tf.strings.regex_replace(lower, f"[{WHITE_SPACE}]+", " "))
    spaced = words.with_flat_values(tf.strings.join([" ", words.flat_values, " "]))
    characters = tf.strings.unicode_split(spaced, "UTF-8")
    return tf.strings.ngrams(characters, list(lengths), separator="").merge_dims(1, 2)


class _Inputs(tf.Module):  # type: ignore[misc]
    """All columns, padded to the longest of them."""

    def __init__(
        self,
        features: Sequence[TextFeature],
        columns: Sequence[TextStatistics],
        directory: Path,
        *,
        stored: bool,
    ) -> None:
        super().__init__()
        self._transforms = [
            TextTransform(feature, statistics, directory) for feature, statistics in zip(features, columns, strict=True)
        ]
        self._stored = stored

    def __call__(self, texts: tf.Tensor) -> Batch:
        """String (batch, columns)."""
        words = texts if self._stored else stripped(texts)
        known = tf.cast(tf.not_equal(words, ""), tf.float32)
        spelled = texts if self._stored else respelled(texts)
        columns = [transform(spelled[:, at]) for at, transform in enumerate(self._transforms)]
        longest = tf.reduce_max([tf.shape(ids)[1] for ids, _ in columns])

        def stacked(tensors: list[tf.Tensor]) -> tf.Tensor:
            return tf.stack([tf.pad(one, [[0, 0], [0, longest - tf.shape(one)[1]]]) for one in tensors], 1)

        return {
            _IDS: stacked([ids for ids, _ in columns]),
            _WEIGHTS: stacked([weights for _, weights in columns]),
            _KNOWN: known,
        }


@keras.saving.register_keras_serializable(PACKAGE)
class SlowTerms(keras.layers.Layer):  # type: ignore[misc]
    """Weights of terms, those of later ids times a rate.

    Args:
        firsts: The first of these ids, of each column.
        rates: Likewise.

    Input shape:
        Ids and weights, `(batch, columns, n)` each.

    Output shape:
        `(batch, columns, n)`.
    """

    def __init__(self, firsts: Sequence[int], rates: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.firsts = list(firsts)
        self.rates = list(rates)

    def call(self, ids: Any, weights: Any) -> Any:
        """The weights, scaled."""
        firsts = ops.convert_to_tensor(self.firsts, ids.dtype)[:, None]
        rates = ops.convert_to_tensor(self.rates, weights.dtype)[:, None]
        return ops.where(ids < firsts, weights, weights * rates)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "firsts": self.firsts, "rates": self.rates}


class TextBlock(TermsBlock[TextFeature, TextStatistics]):
    """All texts.

    The network's inputs are `text_ids` int32 and `text_weights` float32, both (batch, columns, terms), and `text_known`
    float32 (batch, columns).
    """

    KIND = _NAME

    @property
    def is_wide(self) -> bool:
        """Always."""
        return True

    def transform(self, directory: Path, *, stored: bool) -> _Inputs:
        """String (batch, columns), empty where missing."""
        features, statistics = list(self.features.values()), list(self.statistics.values())
        return _Inputs(features, statistics, directory, stored=stored)

    def inputs(self) -> dict[str, Any]:
        """`text_ids`, `text_weights` and `text_known`."""
        return {**super().inputs(), _KNOWN: keras.Input((len(self.names),), dtype="float32", name=_KNOWN)}

    @property
    def embedded(self) -> dict[str, tuple[str, int | None]]:
        """All."""
        return {name: (_STAND_IN, at) for at, name in enumerate(self.names)}

    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """A dense layer for each column over its terms, with a learned vector where there is no text.

        Beside words, characters are learned more slowly where the rows are few (`few_rows_rate`).
        """
        ids, known = inputs[_IDS], Hide(HIDDEN, seed_of(seed, _NAME), name=f"{_NAME}__hide")(inputs[_KNOWN])
        weights = inputs[_WEIGHTS] * ops.expand_dims(known, -1)  # the direct lines lose what is hidden too
        weights = SlowTerms(*self._slowed, name=f"{_NAME}__slowed")(ids, weights)
        units = column_units(model.width, len(self.names))
        terms = WeightedTerms(self.terms, units, name=f"{_NAME}__encoder")(ids, weights)
        vectors = StandIn(name=_STAND_IN)(layers.Activation("gelu", name=f"{_NAME}__activation")(terms), known)

        return Encoded(
            layers.Flatten(name=f"{_NAME}__vectors")(vectors),
            lambda units, head: self.line({_IDS: ids, _WEIGHTS: weights}, units, f"{_NAME}__to__{head}"),
        )

    @property
    def _slowed(self) -> tuple[list[int], list[float]]:
        """The first id of each column's characters, and what their weights are multiplied by."""
        columns = self.statistics.values()
        return (
            [of.terms[0].vocabulary.size + 1 for of in columns],
            [few_rows_rate(of.documents) for of in columns],
        )

    @property
    def terms(self) -> list[int]:
        """How many each column has."""
        return [statistics.size for statistics in self.statistics.values()]
