"""How the key, the split and the weight columns become canonical."""

from __future__ import annotations

from dataclasses import replace

from polyhead.contracts.config import SPLITS, SplitSection
from polyhead.errors import did_you_mean
from polyhead.kinds.coercion import (
    Coercion,
    Source,
    is_other,
    number_coercion,
    one_word_coercion,
    word_coercion,
)

_HINTED_SPLITS = 20  # different wrong words in the split column that get a hint of their own


def split_coercion(source: Source, section: SplitSection) -> Coercion:
    """How the split column becomes train, val or test in every row; only the first wrong words get a hint each.

    Args:
        source: The column.
        section: The config's split section, which may have other words for the three.

    Raises:
        DataError: The column holds no words.
    """
    meanings = section.meanings
    known = list(meanings)
    hints: dict[str, str] = {}

    def hint(word: str) -> str:
        if word not in hints and len(hints) < _HINTED_SPLITS:
            hints[word] = did_you_mean(word, known)
        return hints.get(word, f"one of: {', '.join(known)}")

    made = word_coercion(source)
    if section.names is not None:
        made = replace(made, values=made.values.replace(meanings))
    made = made.refusing("missing", "every row needs train, val or test", source.values.is_null())
    return made.refusing("unknown_split", hint, is_other(source.values, SPLITS))


def weight_coercion(source: Source) -> Coercion:
    """How a column of row weights becomes a number from 0 in every row.

    Raises:
        DataError: The column's type holds no numbers.
    """
    made = number_coercion(source)
    made = made.refusing("negative", "a weight is 0 or more; with 0 a row teaches nothing", source.values < 0)
    return made.refusing("missing", "every row needs a weight; with 0 it teaches nothing", source.values.is_null())


def key_coercion(source: Source) -> Coercion:
    """How the key column becomes a name for every row. That no two are the same is for others to see.

    Raises:
        DataError: The column holds no words.
    """
    made = one_word_coercion(source)
    return made.refusing("missing", "the key column must name every row", source.values.is_null())
