"""How the key, the row weights and the columns of the split become canonical."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.numbers import NumbersSection
from polyhead.contracts.splits import SPLITS, SplitSection
from polyhead.errors import DataError, did_you_mean
from polyhead.kinds.coercion import (
    NO_NUMBER,
    TEXTS,
    Coercion,
    Source,
    is_other,
    number_coercion,
    numbers,
    one_word_coercion,
    text_of,
    word_coercion,
)
from polyhead.kinds.features.datetime.config import DatetimeFeature
from polyhead.kinds.features.datetime.reading import moment_coercion
from polyhead.tables.columns import named
from polyhead.tables.opened import OpenTable

_HINTED_SPLITS = 20  # different wrong words in the split column that get a hint of their own
_FIRST_ROWS = 1_024
_NO_NUMBER = "cannot be read as a number, as the column's first cell can: a time column has numbers, or dates and times"


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


def group_coercion(source: Source) -> Coercion:
    """How the group column becomes a name in every row; a row without one is a group of its own.

    Raises:
        DataError: The column holds no words.
    """
    return word_coercion(source)


def time_coercion(source: Source, reading: DatetimeFeature | None) -> Coercion:
    """How the time column becomes float64: its numbers, or seconds since 1970-01-01 UTC.

    Args:
        source: The column.
        reading: How dates and times are read. None for numbers.

    Raises:
        DataError: The column's type holds neither.
    """
    if reading is not None:
        made = moment_coercion(source, reading)
    else:
        made = number_coercion(source)
        rules = (replace(rule, detail=_NO_NUMBER) if rule.reason == "not_a_number" else rule for rule in made.rules)
        made = replace(made, rules=tuple(rules))
    return made.refusing("missing", "every row needs a time, which says where it belongs", source.values.is_null())


def time_reading(table: OpenTable, config: Config) -> DatetimeFeature | None:
    """How the time column of a table is read; None where it has numbers, which are taken as they are.

    Text has numbers if its first cell does, so that a table means the same in every format.

    Raises:
        DataError: The configuration's gap does not go with what the column holds.
    """
    section, reading = config.split, config.time_reading
    assert section.time is not None
    assert reading is not None
    column = section.time.column
    dtype = table.schema[column]
    if reading.unit is None and reading.format is None:
        numeric = dtype.is_numeric() or (dtype in TEXTS and _begins_with_a_number(table, column, dtype, config.numbers))
        reading = None if numeric else reading
    if section.gap is not None and isinstance(section.gap, str) != (reading is not None):
        held, wanted = (
            ("numbers", "give a number; or, where they count from 1970, time: {column: …, unit: s}")
            if reading is None
            else ("dates or times", "give a duration, such as 30d or 12h")
        )
        raise DataError(
            "gap-mismatch",
            f"received {section.gap if isinstance(section.gap, str) else f'{section.gap:g}'}, and column '{column}' "
            f"holds {held}",
            where="split.gap",
            hint=wanted,
        )
    return reading


def _begins_with_a_number(table: OpenTable, column: str, dtype: pl.DataType, spelling: NumbersSection) -> bool:
    """Whether the first cell that is not missing is a number."""
    for batch in table.batches(_FIRST_ROWS):
        text = batch.select(text_of(named(column), dtype).str.strip_chars()).to_series()
        known = text.filter(text.is_not_null() & ~text.str.to_lowercase().is_in(sorted(NO_NUMBER)))
        if len(known):
            return numbers(known.head(1), spelling).values.null_count() == 0
    return True
