"""Strings in the graph: white space, spelling and look-up, as validation and the vocabularies mean them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import tensorflow as tf

from polyhead.contracts.words import RESPELLINGS

_SPACE = r"[\p{Z}\t-\r\x{85}]+"


def stripped(texts: tf.Tensor) -> tf.Tensor:
    """Texts of any shape without white space around them, in the sense of Unicode, as validation strips them."""
    return tf.strings.regex_replace(texts, f"^{_SPACE}|{_SPACE}$", "")


def respelled(words: tf.Tensor) -> tf.Tensor:
    """Words of any shape as validation spells them, so that `85255.0` is served as `85255`.

    Not what no pattern can do: numbers from 1e16 and below 0.0001 with an exponent, and times with an offset.
    """
    for pattern, replacement in RESPELLINGS:
        words = tf.strings.regex_replace(words, pattern, replacement)
    return words


def lookup_table(ids: Mapping[str, int] | Iterable[tuple[str, int]], default: int) -> tf.lookup.StaticHashTable:
    """A table from strings to int32 ids; strings that it does not know get the default. It must not be empty."""
    keys, values = zip(*dict(ids).items(), strict=True)
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(keys, tf.string), tf.constant(values, tf.int32))
    return tf.lookup.StaticHashTable(initializer, default)
