"""Which column names the rows, which one tells their split, and which ones only count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from polyhead.contracts.splits import SPLITS, Split
from polyhead.kinds.booleans import NO_YES
from polyhead.kinds.guessing.columns import Column

_CODE_NAMES = re.compile(
    r"account|barcode|code|ean|gtin|handle|hash|isbn|md5|no|nr|num|number|ref|reference|serial|sha1|sha256|sku|slug"
)
_INDEX_NAME = re.compile(r"(?i)unnamed(: ?| |_)\d+(_level_\d+)?|__index_level_\d+__|level_\d+")
_COUNTER_NAME = re.compile(r"(?i)index|idx|row([ _]?(id|names?|no|nr|num|number|index))?|nr|no|num|#|_c0|\.\.\.1|obs")
_COUNTED = r"^(\D*)(\d{1,18})(\D*)$"
_ENOUGH_ROWS = 10  # fewer unique cells prove nothing about a column whose name says nothing
_NEARLY_UNIQUE = 0.99
_SENTENCE = 3.0

_SPLIT_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "trainset", "train_set", "fit"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development", "tune", "tuning"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "testset", "test_set", "holdout", "hold-out", "hold_out"), "test"),
    **dict.fromkeys(("eval", "evaluation", "evaluate"), "test"),
}
_EVALUATION = frozenset({"eval", "evaluation", "evaluate"})
_FLAGS: Mapping[str, tuple[Split, Split]] = {
    "is_train": ("train", "test"),
    "is_training": ("train", "test"),
    "is_test": ("test", "train"),
    "is_holdout": ("test", "train"),
    "is_valid": ("test", "train"),
    "is_validation": ("test", "train"),
    "is_val": ("test", "train"),
    "is_dev": ("test", "train"),
}


def counts_rows(column: Column) -> bool:
    """Whether a column only counts the table's rows: an index that was saved, or a counter in whatever spelling.

    That is a column that pandas calls `Unnamed: 0` or `__index_level_0__`; unique whole numbers under a name such as
    `index` or `row`; the numbers 0 to n - 1 or 1 to n in any order; words that differ in one counting number only, such
    as `row-001`.
    """
    if column.words is None or not column.distinct:
        return False
    by_name = _INDEX_NAME.fullmatch(column.name) is not None
    numbers = column.numbers
    if numbers is not None and column.is_whole:
        low, high = column.range
        if by_name and low >= 0:
            return True
        if numbers.null_count() or column.different_numbers < column.rows:
            return False
        whole_range = high - low == column.rows - 1 and low in (0, 1)
        return _COUNTER_NAME.fullmatch(column.name) is not None or (whole_range and column.rows >= _ENOUGH_ROWS)
    if not column.is_unique or column.rows < _ENOUGH_ROWS or column.length >= _SENTENCE:
        return False
    parts = column.known.str.extract_groups(_COUNTED).struct.unnest()
    before, count, after = (parts[name] for name in parts.columns)
    if count.null_count() or before.n_unique() > 1 or after.n_unique() > 1:
        return False
    return bool(np.ptp(count.cast(pl.Int64).to_numpy()) < 2 * column.rows)


def key_rank(column: Column) -> int | None:
    """How well a column serves as the key, 0 best; None where it does not.

    0: a name such as `user_id`, and 99 of 100 rows have a word of their own; 1: `sku`, `isbn` or the like; 2: other
    unique words without spaces; 3: a counter; 4: web addresses, and unique words with few spaces.
    """
    if column.words is None or column.series.dtype.is_temporal() or not column.distinct:
        return None
    fraction = column.numbers is not None and not column.is_whole
    if column.names_things and column.distinct >= _NEARLY_UNIQUE * column.rows and not fraction:
        return 0
    if not column.is_unique or fraction:
        return None
    counter = counts_rows(column)
    if column.rows < _ENOUGH_ROWS and not counter:
        return None
    if counter:
        return 3
    if column.numbers is not None:
        return 1 if column.named(_CODE_NAMES) else None
    if column.length >= _SENTENCE or column.is_boolean:
        return None
    return 1 if column.named(_CODE_NAMES) else 4 if column.share(r"\s|://") > 0 else 2


def choose_key(columns: Sequence[Column]) -> Column | None:
    """The column that names the rows best, the first of equals; None where there is none."""
    ranked = [(rank, place) for place, column in enumerate(columns) if (rank := key_rank(column)) is not None]
    return columns[min(ranked)[1]] if ranked else None


def split_meanings(column: Column) -> dict[str, Split] | None:
    """What the words of a column mean, where they are the names of splits; None where they are not.

    There are train rows and others. Where no word means test, those that mean val are the test rows, since a model
    without a test is not evaluated.
    """
    if column.words is None or not 2 <= column.distinct <= 8 or len(column.known) < column.rows:
        return None
    words = sorted(column.known.unique())
    lower = [word.lower() for word in words]
    flag = _FLAGS.get("_".join(column.parts))
    if flag is not None:
        for no, yes in NO_YES:
            if sorted(lower) == sorted((yes, no)):
                meaning = dict(zip((yes, no), flag, strict=True))
                return {word: meaning[word.lower()] for word in words}
    if not set(lower) <= _SPLIT_WORDS.keys():
        return None
    found = {word: _SPLIT_WORDS[word.lower()] for word in words}
    tests = {word for word in words if found[word] == "test"}
    if "val" not in found.values() and any(word.lower() not in _EVALUATION for word in tests):
        found |= {word: "val" for word in tests if word.lower() in _EVALUATION}
    if "test" not in found.values():
        found = {word: "test" if split == "val" else split for word, split in found.items()}
    return found if {"train", "test"} <= set(found.values()) else None


def renamed(meanings: Mapping[str, Split]) -> dict[str, list[str]]:
    """The words that the config has to name, by split: those that are not its own."""
    others = {split: [word for word, meant in meanings.items() if meant == split != word] for split in SPLITS}
    return {split: words for split, words in others.items() if words}
