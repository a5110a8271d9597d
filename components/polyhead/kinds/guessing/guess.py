"""What a kind says of a column that it could hold, and looks at columns that several kinds share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import polars as pl

from polyhead.kinds import coercion
from polyhead.kinds.coercion import EMPTY_SET
from polyhead.kinds.guessing.columns import Column, listed, percent, shown
from polyhead.kinds.numerals import OTHER_SPELLING

FEW = 20
"""As many different values are few, whatever the column's length."""

MOSTLY = 0.95
"""Share of the cells that all is said of."""

SEPARATORS = ("|", ";", ",")
"""What may separate the labels of a cell."""

WORDS_OF_TEXT = 3.0
"""Mean words in a cell from which cells are sentences."""

ADDRESS = r"(?i)^\s*(?:https?|ftp)://|^\s*www\."
"""How web addresses begin."""

LIST = r"^\s*\[.*\]\s*$"
"""Lists, written as text."""

_CODE_NAMES = re.compile(r"category|class|code|group|kind|label|level|postal|postcode|status|type|zip|zipcode")
_CODE_ENDS = ("class", "code", "type", "zip")
_UNIT = r"(\p{L}{1,4}[23²³]?)\s*$"
_FEW_AMOUNTS = 10
_WORDS_OF_NAME = 1.5


class Rank(IntEnum):
    """How much a guess rests on. Where several kinds would take a column, the highest rank has it."""

    WORDS = 1
    """What the words are like."""
    NUMBERS = 2
    """The cells are numbers."""
    TAGS = 3
    """Cells hold several words each, with marks between them."""
    MOMENTS = 4
    """Cells are dates or times."""
    COUNTER = 5
    """The cells only count the rows."""
    PLACES = 6
    """Cells are paths or web addresses."""
    FEW = 7
    """There are hardly any different values."""
    TYPE = 8
    """The column's type, or text that spells the type out."""


@dataclass(frozen=True)
class Guess:
    """What a column seems to hold.

    Attributes:
        kind: A feature or target kind; empty where none holds the column.
        options: More of the config's keys and their values.
        why: The reason, a part of a sentence.
        left_out: Whether the column had better be no feature, although there is a kind for it.
        rank: How much that rests on.
    """

    kind: str
    options: Mapping[str, object] = field(default_factory=dict)
    why: str = ""
    left_out: bool = False
    rank: Rank = Rank.WORDS


def names_codes(column: Column) -> bool:
    """Whether a column's name is one of those that codes have, such as `zipcode` or `status`."""
    return column.named(_CODE_NAMES)


def holds_codes(column: Column) -> bool:
    """Whether whole numbers are codes or ids by the column's name, so that their distances mean nothing."""
    return column.is_whole and (column.names_things or names_codes(column) or column.name.lower().endswith(_CODE_ENDS))


def holds_classes(column: Column) -> bool:
    """Whether numbers are classes rather than amounts: few whole ones, more where they count from 0 or are labels."""
    different = column.different_numbers
    if not column.is_whole:
        return False
    labels = names_codes(column) or column.range == (0, different - 1)
    return different <= (FEW if labels else _FEW_AMOUNTS)


def holds_text(column: Column) -> bool:
    """Whether words are free text rather than values of a set: sentences, or names of words that come up again."""
    if column.numbers is not None or not column.distinct:
        return False
    share = column.distinct / len(column.known)
    sentences = column.length >= WORDS_OF_TEXT
    if column.distinct <= max(FEW, len(column.known) // 20) and not (sentences and share > 0.5):
        return False
    return sentences or (share > 0.5 and column.length >= _WORDS_OF_NAME and _repeats_words(column))


def _repeats_words(column: Column) -> bool:
    """Whether most words of the cells come up in other cells too."""
    words = column.known.str.to_lowercase().str.extract_all(r"[\p{L}\p{N}_]{2,}").list.unique().explode().drop_nulls()
    counts = words.value_counts()["count"]
    return bool(len(counts)) and counts.filter(counts > 1).sum() > len(words) / 2


def tag_separator(column: Column) -> str | None:
    """What separates the labels of a cell, if cells hold several labels of a small set; otherwise None.

    Cells hold different numbers of labels, few words each, and most labels come up in several cells and beside
    different others. So neither sentences nor `city, state` count, nor do numbers with commas, nor names of classes
    with a comma in them, such as `Craftsmen, Foremen`.
    """
    if column.series.dtype not in (pl.String, pl.Categorical, pl.Enum) or column.numbers is not None:
        return None
    for separator in SEPARATORS:
        several = column.known.str.contains(separator, literal=True)
        if several.mean() <= 0.1 and not (separator == "|" and (column.known == EMPTY_SET).mean() > 0.1):  # type: ignore[operator]
            continue
        labels = column.known.filter(column.known != EMPTY_SET).str.split(separator)
        flat = labels.explode().str.strip_chars().drop_nulls()
        flat = flat.filter(flat != "")
        counts = labels.list.len()
        if not len(flat) or flat.str.contains(r"^[-+\d.\s]*$").mean() > 0.5:  # type: ignore[operator]
            continue
        short = flat.str.split(" ").list.len().max() <= 4 and flat.str.len_chars().max() <= 40  # type: ignore[operator]
        repeated = len(flat) >= 2 * flat.n_unique() and flat.n_unique() <= max(FEW, column.distinct * 2)
        sentence = separator == "," and column.share(r"[.!?]\s|[.!?]$") > 0.2
        if short and repeated and counts.n_unique() > 1 and not sentence and _recombine(labels):
            return separator
    return None


def _recombine(cells: pl.Series) -> bool:
    """Whether at least half of the labels that have others beside them are also in another, different cell."""
    different = cells.list.eval(pl.element().str.strip_chars().filter(pl.element() != "")).list.unique().unique()
    each = pl.DataFrame({"label": different, "several": different.list.len() > 1}).explode("label")
    found = each.group_by("label").agg(pl.len().alias("cells"), pl.col("several").any())
    beside = found.filter(pl.col("several"))["cells"]
    return beside.is_empty() or bool((beside > 1).mean() >= 0.5)  # type: ignore[operator]


def set_guess(column: Column, kind: str, noun: str) -> Guess | None:
    """What a column seems to hold whose cells are sets of words: lists, also written as text, or words with a mark.

    Args:
        column: As read.
        kind: The feature or target kind that holds sets.
        noun: What it calls their words.
    """
    if isinstance(column.series.dtype, (pl.List, pl.Array)):
        return Guess(kind, why=f"lists of {noun}", rank=Rank.TYPE)
    if not column.distinct:
        return None
    if column.share(LIST) > MOSTLY and (column.known != EMPTY_SET).any():
        return Guess(kind, why=f"lists of {noun}, written as text", rank=Rank.TYPE)
    separator = tag_separator(column)
    if separator is None:
        return None
    options = {} if separator == "|" else {"separator": separator}
    why = f"several {noun} in a cell, with {separator!r} between them"
    return Guess(kind, options, why, rank=Rank.TAGS)


def almost_numbers(column: Column) -> str:
    """What to do where most words are numbers, and too many are not; empty for other columns."""
    if column.series.dtype != pl.String or column.numbers is not None:
        return ""
    odd = column.known.filter(coercion.numbers(column.known, column.spelling).values.is_null())
    odd = odd.filter(~odd.str.to_lowercase().is_in(sorted(coercion.NO_NUMBER)))
    if not 0 < len(odd) < len(column.known) / 2:
        return ""
    words = odd.alias("word").value_counts().sort("count", "word", descending=[True, False])["word"].head(3).to_list()
    return f"most cells are numbers, {listed(words)} and the like in {len(odd)} cells are not: empty these"


def other_spelling(column: Column) -> str:
    """What to do where the words are numbers in a spelling that is not read; empty for other columns."""
    if column.series.dtype != pl.String or column.share(OTHER_SPELLING) <= MOSTLY or column.share(r"^0\d") > 0.05:
        return ""
    if column.known.str.extract(_UNIT).drop_nulls().n_unique() > 3:
        return ""
    return f"{shown(column.known[0])} is not read as a number: state its separators in numbers, or its unit in unit"


def unlabelled(column: Column) -> str:
    """What to say of a target's cells that are missing, to be put behind a reason; empty where there are few."""
    return f"; {percent(column.missing)} missing, which its head ignores" if column.missing >= 0.005 else ""
