"""What one column shows: its words, its numbers, and what its name says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import polars as pl

from polyhead.contracts.numbers import NumbersSection
from polyhead.errors import DataError
from polyhead.kinds import coercion
from polyhead.kinds.booleans import FALSE, NO_YES, TRUE
from polyhead.kinds.numerals import PLAIN

JUNK = 0.05
"""Share of known cells that may be no numbers in a column of numbers; their rows are rejected."""

_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_ID_NAMES = re.compile(r"ids?|key|uuid|guid|pk")
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_UNSPACED_WORD = 2  # characters that a word takes, about, in a script without spaces
_LEADING_ZERO = r"^0\d+$"
_SHOWN = 40
_MOST_BOOLEANS = 50
"""Different words, counting every case in which they are written."""


class Column:
    """One column of a table, looked at once.

    Args:
        series: The column as read.
        spelling: How its table spells numbers in text. Default: as programs do.

    Attributes:
        name: Its name.
        series: The column as read, under another name: polars takes some names for patterns.
        rows: How many cells.
        spelling: How its table spells numbers in text.
    """

    def __init__(self, series: pl.Series, spelling: NumbersSection = PLAIN) -> None:
        self.spelling = spelling
        self.name = series.name
        self.series = series.alias("cells")
        self.rows = len(series)

    @cached_property
    def words(self) -> pl.Series | None:
        """The cells as validate spells them, null where missing; None where they have no one spelling."""
        try:
            words = coercion.words(self.series)
        except DataError:
            return None
        bare = self.series.dtype == pl.Binary and words.null_count() == self.rows > self.series.null_count()
        return None if bare else words

    @cached_property
    def known(self) -> pl.Series:
        """The words that are there."""
        return pl.Series([], dtype=pl.String) if self.words is None else self.words.drop_nulls()

    @cached_property
    def distinct(self) -> int:
        """How many different words."""
        return self.known.n_unique()

    @property
    def is_unique(self) -> bool:
        """Whether every row has a word of its own."""
        return self.distinct == self.rows

    @cached_property
    def holds_pictures(self) -> bool:
        """Whether the cells are the bytes of files, alone, in records `{bytes, path}` or in lists of these."""
        dtype = self.series.dtype
        if isinstance(dtype, (pl.List, pl.Array)):
            return dtype.inner == pl.Binary or holds_files(dtype.inner)
        return holds_files(dtype) or (dtype == pl.Binary and self.words is None)

    @cached_property
    def numbers(self) -> pl.Series | None:
        """The cells as float64, null where missing or no number; None where the column holds no numbers.

        A column holds numbers where at most `JUNK` of the cells that are not missing are something else. Codes with
        leading zeros are not numbers, and neither are true and false.
        """
        if self.words is None or not self.distinct or self.series.dtype.is_temporal() or self.is_boolean:
            return None
        try:
            read = coercion.numbers(self.series, self.spelling)
        except DataError:
            return None
        good = self.rows - read.values.null_count()
        if good == 0 or sum(int(fault.mask.sum()) for fault in read.faults) > JUNK * self.rows:
            return None
        if self.series.dtype == pl.String and self.share(_LEADING_ZERO) > JUNK:
            return None
        return read.values

    @cached_property
    def vectors(self) -> pl.Series | None:
        """The cells as lists of float32, null where missing or none; None where the column holds no vectors.

        A column holds vectors where at most `JUNK` of the cells that are not missing are something else.
        """
        try:
            read = coercion.vectors(self.series)
        except DataError:
            return None
        faults = sum(int(fault.mask.sum()) for fault in read.faults)
        return None if faults > JUNK * self.rows or read.values.null_count() == self.rows else read.values

    @cached_property
    def different_numbers(self) -> int:
        """How many different numbers."""
        return 0 if self.numbers is None else self.numbers.drop_nulls().n_unique()

    @cached_property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest number; NaN where it holds none."""
        if self.numbers is None:
            return math.nan, math.nan
        known = self.numbers.drop_nulls().to_numpy()
        return float(known.min()), float(known.max())

    @cached_property
    def is_whole(self) -> bool:
        """Whether the column holds whole numbers only."""
        return self.numbers is not None and bool((self.numbers == self.numbers.round()).all())

    @cached_property
    def is_boolean(self) -> bool:
        """Whether the words are true and false, or other pairs that mean yes and no, beside spellings of nothing.

        0 and 1 alone are numbers.
        """
        if not 0 < self.distinct <= _MOST_BOOLEANS:
            return False
        words = set(self.known.unique().str.to_lowercase()) - coercion.NO_NUMBER
        paired = {word for pair in NO_YES if set(pair) <= words for word in pair}
        return bool(words) and (words <= {FALSE, TRUE} or words == paired != {"0", "1"})

    @property
    def missing(self) -> float:
        """Share of the cells that are missing, as the kind that the column seems to have counts them."""
        if self.words is None:
            return self.series.null_count() / self.rows
        held = len(self.known) if self.numbers is None else self.rows - self.numbers.null_count()
        if self.is_boolean:
            held -= int(self.known.str.to_lowercase().is_in(sorted(coercion.NO_NUMBER)).sum())
        return 1 - held / self.rows

    @property
    def kinds(self) -> int:
        """How many different values: numbers where it holds those, words otherwise."""
        return self.distinct if self.numbers is None else self.different_numbers

    def share(self, pattern: str) -> float:
        """Share of the known words that a regular expression is found in."""
        return float(self.known.str.contains(pattern).mean() or 0) if len(self.known) else 0.0  # type: ignore[arg-type]

    @cached_property
    def length(self) -> float:
        """Mean words in a cell. Scripts without spaces count by their characters, two to a word."""
        if not len(self.known):
            return 0.0
        spaced = self.known.str.replace_all(_UNSPACED, " ").str.extract_all(r"\S*[\p{L}\p{N}]\S*").list.len()
        return float((spaced + self.known.str.count_matches(_UNSPACED) / _UNSPACED_WORD).mean())  # type: ignore[arg-type]

    @property
    def is_unspaced(self) -> bool:
        """Whether most of the text is in a script without spaces between words, such as Chinese or Japanese."""
        letters = self.known.str.count_matches(r"\p{L}").sum()
        return self.known.str.count_matches(_UNSPACED).sum() > letters / 2

    @cached_property
    def parts(self) -> list[str]:
        """The words that the name is made of, in lower case: `PassengerId` is passenger and id."""
        return [part.lower() for part in _NAME_PARTS.findall(self.name)]

    @property
    def names_things(self) -> bool:
        """Whether the name says that the values are ids."""
        return self.named(_ID_NAMES) or (self.is_unique and self.name.lower().endswith("id"))

    def named(self, words: re.Pattern[str]) -> bool:
        """Whether the name in lower case, or a word in it, is one of some."""
        return any(words.fullmatch(word) for word in (*self.parts, self.name.lower()))


def holds_files(dtype: Any) -> bool:
    """Whether values of a type are records `{bytes, path}`."""
    return isinstance(dtype, pl.Struct) and {"bytes", "path"} == {part.name for part in dtype.fields}


def shown(value: object, *, most: int = _SHOWN) -> str:
    """A cell or a name in a comment: on one line, printable, and of so many characters at most."""
    text = "".join(character if character.isprintable() else " " for character in str(value))
    return f"'{text if len(text) <= most else text[: most - 1] + '…'}'"


def counted(number: int, one: str, several: str = "") -> str:
    """`1 cell`, `2 cells`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def listed(words: Sequence[object]) -> str:
    """Some cells or names in a comment, at most six."""
    return ", ".join(shown(word) for word in words[:6]) + (", …" if len(words) > 6 else "")


def percent(share: float) -> str:
    """`12 %`, `0.4 %`."""
    rounded = round(100 * share, 1 if share < 0.1 or share > 0.99 else 0)
    return f"{rounded:g} %"
