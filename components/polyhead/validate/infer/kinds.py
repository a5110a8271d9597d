"""Which kind of feature or target a column seems to hold, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from polyhead.errors import DataError
from polyhead.validate import coerce
from polyhead.validate.coerce import EMPTY_SET
from polyhead.validate.infer.columns import Column, counted, listed, shown
from polyhead.validate.infer.roles import counts_rows, names_things

SEPARATORS = ("|", ";", ",")
"""What may stand between the labels of a cell."""

FORMATS = r"(?i)\.(?:jpe?g|jfif|png|webp|bmp|gif)$"
"""How the path of a picture ends that Polyhead reads."""

_OTHER_FORMATS = r"(?i)\.(?:tiff?|heic|heif|avif|svg|ico|jp2|dng|cr2|nef|raw|dcm|pdf|mp4|mov|avi)$"
_ADDRESS = r"(?i)^\s*(?:https?|ftp)://|^\s*www\."
_PICTURE_ADDRESS = r"(?i)\.(?:jpe?g|jfif|png|webp|bmp|gif)(?:$|[?#])"
_PICTURE_NAMES = re.compile(
    r"avatar|cover|frame|icon|images?|imgs?|jpe?g|photos?|pics?|pictures?|png|poster|thumb|thumbnail"
)
_DATE = (
    r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?$"
    r"|^\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?: \d{1,2}:\d{2}(?::\d{2})?)?(?: ?[AaPp][Mm])?$"
    r"|^(?:\d{1,2}[ -])?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ -](?:\d{1,2},? )?\d{2,4}$"
    r"|^\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?$"
)
_LIST = r"^\s*\[.*\]\s*$"
_OTHER_NUMBER = (
    r"^\s*(?:\p{Sc}|[A-Z]{3} )?\s?[-+]?(?:\d{1,3}(?:[,' .\u00a0\u202f]\d{3})+|\d+)(?:[.,]\d+)?"
    r"\s?(?:[%°\p{Sc}]|\p{L}{1,4}[23²³]?)?\s*$"
)
_UNIT = r"(\p{L}{1,4}[23²³]?)\s*$"
_CODE_NAMES = re.compile(r"category|class|code|group|kind|label|level|postal|postcode|status|type|zip|zipcode")
_CODE_ENDS = ("class", "code", "type", "zip")
_TIME_NAMES = re.compile(r"date|time|timestamp|datetime|ts|created|updated")
_UNIX_TIME = (3e8, 4e9)  # seconds: the years 1979 to 2096
_FOLD_NAMES = re.compile(r"k?[ _-]?folds?")

_MOSTLY = 0.95
_ALMOST_EMPTY = 0.05
_FEW = 20
_FEW_AMOUNTS = 10
_MANY_CLASSES = 50
_RARE = 0.25
_WORDS_OF_TEXT = 3.0
_WORDS_OF_NAME = 1.5
_SKEW_OF_LOG = 1.0
_CONSTANT = 0.98


@dataclass(frozen=True)
class Guess:
    """What a column seems to hold.

    Attributes:
        kind: A feature or target kind; empty where none holds the column.
        options: More of the config's keys and their values.
        why: The reason, a part of a sentence.
        left_out: Whether the column had better be no feature, although there is a kind for it.
    """

    kind: str
    options: Mapping[str, object] = field(default_factory=dict)
    why: str = ""
    left_out: bool = False


def guess_feature(column: Column) -> Guess:
    """The feature kind that a column seems to hold, before any picture is opened."""
    guess = _feature_of_type(column) or _feature_of_words(column)
    if not guess.kind or guess.left_out:
        return guess
    filled = 1 - column.missing
    if filled < _ALMOST_EMPTY:
        return replace(guess, why=f"a value in only {round(filled * column.rows)} of {column.rows} rows", left_out=True)
    notes = [guess.why]
    if column.missing >= 0.005:
        notes.append(f"{_percent(column.missing)} missing")
    if guess.kind in ("category", "numeric"):
        top = float(column.known.value_counts()["count"].to_numpy().max()) / column.rows
        if top > _CONSTANT:
            notes.append(f"{_percent(top)} of the rows have the same value")
    return replace(guess, why="; ".join(notes))


def guess_target(column: Column) -> Guess:
    """The target kind that a column seems to hold.

    Raises:
        DataError: No kind of target holds it, or it has nothing to learn.
    """
    where = f"column '{column.name}'"
    if isinstance(column.series.dtype, (pl.List, pl.Array)):
        return Guess("multilabel", {}, "lists of labels")
    if column.words is None:
        raise DataError(f"holds {column.series.dtype}, which no target kind predicts", where=where)
    if column.kinds < 2:
        what = f"has the value {shown(column.known[0])} only" if column.kinds else "is empty"
        raise DataError(f"{what}: nothing to learn", where=where)
    if column.share(_LIST) > _MOSTLY and (column.known != EMPTY_SET).any():
        return Guess("multilabel", {}, "lists of labels, written as text")
    missing = f"; {_percent(column.missing)} missing, which its head ignores" if column.missing >= 0.005 else ""
    if column.kinds == 2 and (column.numbers is None or column.distinct == 2):
        return _binary(column, missing)
    if column.numbers is not None and not _is_few_classes(column):
        return _regression(column, missing)
    separator = tag_separator(column)
    if separator is not None:
        options = {} if separator == "|" else {"separator": separator}
        return Guess("multilabel", options, f"several labels in a cell, with {separator!r} between them{missing}")
    if column.distinct > max(_MANY_CLASSES, len(column.known) // 2):
        raise DataError(
            f"has {column.distinct} different values in {len(column.known)} rows, such as {listed(_examples(column))}: "
            "neither numbers nor classes",
            where=where,
            hint=_way_out(column),
        )
    why = f"{column.distinct} classes"
    if column.numbers is not None:
        why = f"{column.different_numbers} different whole numbers; as kind: regression where their distances count"
    single = int((column.known.value_counts()["count"] == 1).sum())
    if single:
        why += f"; {counted(single, 'class', 'classes')} with a single row"
    unknown = [word for word in column.known.unique().sort() if word.lower() in ("?", "-", "unknown", "na", "n/a")]
    if unknown:
        why += f"; {listed(unknown)} is a class too: empty these cells if it means that nobody knows"
    return Guess("multiclass", {}, why + missing)


def tag_separator(column: Column) -> str | None:
    """What stands between the labels of a cell, where cells hold several labels of a small set; otherwise None.

    Cells hold different numbers of labels, few words each, and most labels come up in several cells. So neither
    sentences nor `city, state` count, nor do numbers with commas.
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
        repeated = len(flat) >= 2 * flat.n_unique() and flat.n_unique() <= max(_FEW, column.distinct * 2)
        sentence = separator == "," and column.share(r"[.!?]\s|[.!?]$") > 0.2
        if short and repeated and counts.n_unique() > 1 and not sentence:
            return separator
    return None


def seems_pictures(column: Column) -> bool:
    """Whether the cells read like paths of pictures."""
    return column.share(FORMATS) > _MOSTLY and column.share(_ADDRESS) <= 1 - _MOSTLY


def _feature_of_type(column: Column) -> Guess | None:
    """What a column's type says; None where the words have to."""
    dtype = column.series.dtype
    if isinstance(dtype, pl.Struct):
        if {"bytes", "path"} <= {part.name for part in dtype.fields}:
            return Guess("", why="pictures inside the table: write them to files, and their paths into a column")
        return Guess("", why="records of several fields: make a column of each field")
    if isinstance(dtype, (pl.List, pl.Array)):
        if dtype.inner == pl.String:
            return Guess("", why="lists of words: join each with spaces to use it as kind: text")
        return Guess("", why="lists: make a column of each number")
    if dtype.is_temporal():
        return Guess("", why=_dates("durations" if dtype == pl.Duration else "dates or times"))
    if column.words is None:
        return Guess("", why=f"{dtype}, which no feature kind holds")
    return None


def _feature_of_words(column: Column) -> Guess:
    known, distinct = column.known, column.distinct
    if distinct == 0:
        return Guess("", why="empty")
    if distinct == 1:
        value = shown(known[0])
        if column.missing == 0:
            return Guess("", why=f"the same in every row, {value}")
        return Guess("category", why=f"{value} or empty")
    if column.named(_FOLD_NAMES) and column.is_whole:
        return Guess("category", why="looks like the number of a fold", left_out=True)
    address = _feature_of_address(column)
    if address is not None:
        return address
    if counts_rows(column):
        return Guess("", why="only counts the rows")
    special = _feature_of_shape(column)
    if special is not None:
        return special
    if column.numbers is not None:
        return _number(column)
    return _word(column)


def _feature_of_address(column: Column) -> Guess | None:
    """Web addresses and the paths of files; None for other cells."""
    if column.share(_ADDRESS) > _MOSTLY:
        if column.share(_PICTURE_ADDRESS) > 0.5 or column.named(_PICTURE_NAMES):
            return Guess("", why="web addresses of pictures: download these, and put their paths into a column")
        return Guess("", why="web addresses")
    if seems_pictures(column):
        return Guess("image", why="paths of pictures")
    if column.share(_OTHER_FORMATS) > _MOSTLY:
        return Guess("", why="paths of files that are not read: pictures are JPEG, PNG, WEBP, BMP or GIF")
    return None


def _feature_of_shape(column: Column) -> Guess | None:
    """Dates, lists and tags; None for other cells."""
    if column.share(_DATE) > _MOSTLY:
        return Guess("", why=_dates("dates or times"))
    if column.share(_LIST) > _MOSTLY:
        return Guess("text", why="lists, written as text; their words count one by one")
    separator = tag_separator(column)
    if separator is not None:
        count = len(_labels(column, separator))
        return Guess("text", why=f"tags: {count} labels with {separator!r} between them; each word of them counts")
    return None


def _number(column: Column) -> Guess:
    kinds, known = column.different_numbers, column.rows - column.numbers.null_count()  # type: ignore[union-attr]
    is_id = names_things(column)
    if is_id and column.is_whole and kinds > max(_FEW, known // 20):
        why = "every row has its own" if column.is_unique else f"{kinds} different ids say little of rows to come"
        return Guess("category", why=why, left_out=True)
    if column.is_whole and (is_id or column.named(_CODE_NAMES) or column.name.lower().endswith(_CODE_ENDS)):
        if kinds <= max(_FEW, known // 2):
            return Guess("category", why=f"{kinds} codes")
        return Guess("category", why=f"{kinds} different codes in {known} rows", left_out=True)
    junk = column.rows - column.series.null_count() - known if column.series.dtype == pl.String else 0
    why = f"{kinds} different {'whole ' if column.is_whole else ''}numbers"
    low, high = column.range
    if kinds == 2:
        why = f"{low:g} or {high:g}"
    elif column.named(_TIME_NAMES) and _UNIX_TIME[0] < low and high < _UNIX_TIME[1] and kinds > _FEW:
        why += "; looks like seconds since 1970, as the model will take it"
    if junk:
        odd = column.known.filter(column.numbers.is_null().filter(column.words.is_not_null()))  # type: ignore[union-attr]
        why += f"; {listed(odd.unique().sort().head(3).to_list())} in {counted(len(odd), 'cell')}"
    return Guess("numeric", why=why)


def _word(column: Column) -> Guess:
    known, distinct = column.known, column.distinct
    share = distinct / len(known)
    few = distinct <= max(_FEW, len(known) // 20)
    sentences = column.length >= _WORDS_OF_TEXT
    if few and not (sentences and share > 0.5):
        why = "true or false" if column.is_boolean else f"{distinct} different words"
        return Guess("category", why=why + _spelling_note(column))
    if sentences or (share > 0.5 and column.length >= _WORDS_OF_NAME and _repeats_words(column)):
        if column.is_unspaced:
            return Guess("text", why="free text; what stands between two marks is one term, unless spaces cut words")
        return Guess("text", why=f"free text, about {column.length:.0f} words in a cell")
    if share > 0.5:
        if _almost_numbers(column):
            why = _almost_numbers(column)
        elif column.is_unique:
            why = "every row has its own"
        else:
            why = f"{distinct} different words in {len(known)} rows: too few rows of each to learn from"
        return Guess("category", why=why + _spelling_note(column), left_out=True)
    return Guess("category", why=f"{distinct} different words" + _spelling_note(column))


def _binary(column: Column, missing: str) -> Guess:
    counts = column.known.alias("word").value_counts().sort("count", "word")
    rarer, often = (shown(word) for word in counts["word"])
    rows = counts["count"][0]
    options: dict[str, object] = {"class_weight": "balanced"} if rows < len(column.known) * _RARE else {}
    return Guess("binary", options, f"{rarer} or {often}, {_percent(rows / len(column.known))} are {rarer}{missing}")


def _is_few_classes(column: Column) -> bool:
    """Whether numbers are classes rather than amounts: few whole ones, more where they count from 0 or are labels."""
    different = column.different_numbers
    if not column.is_whole:
        return False
    labels = column.named(_CODE_NAMES) or column.range == (0, different - 1)
    return different <= (_FEW if labels else _FEW_AMOUNTS)


def _regression(column: Column, missing: str) -> Guess:
    numbers = column.numbers.drop_nulls()  # type: ignore[union-attr]
    skewed = numbers.min() > 0 and (numbers.skew() or 0) > _SKEW_OF_LOG  # type: ignore[operator]
    why = f"{column.different_numbers} different numbers"
    if skewed:
        why += ", a few far above the others"
    return Guess("regression", {"transform": "log"} if skewed else {}, why + missing)


def _labels(column: Column, separator: str) -> list[str]:
    flat = column.known.filter(column.known != EMPTY_SET).str.split(separator).explode().str.strip_chars()
    return flat.filter(flat != "").unique().sort().to_list()


def _repeats_words(column: Column) -> bool:
    """Whether most words of the cells come up in other cells too."""
    words = column.known.str.to_lowercase().str.extract_all(r"[\p{L}\p{N}_]{2,}").list.unique().explode().drop_nulls()
    counts = words.value_counts()["count"]
    return bool(len(counts)) and counts.filter(counts > 1).sum() > len(words) / 2


def _spelling_note(column: Column) -> str:
    """What to do where the words are numbers in a spelling that is not read."""
    reason = "" if _almost_numbers(column) else _other_spelling(column)
    return f"; {reason}" if reason else ""


def _almost_numbers(column: Column) -> str:
    """What to do where most words are numbers, and too many are not."""
    if column.series.dtype != pl.String or column.numbers is not None:
        return ""
    odd = column.known.filter(coerce.numbers(column.known).values.is_null())
    odd = odd.filter(~odd.str.to_lowercase().is_in(sorted(coerce.NO_NUMBER)))
    if not 0 < len(odd) < len(column.known) / 2:
        return ""
    words = odd.alias("word").value_counts().sort("count", "word", descending=[True, False])["word"].head(3).to_list()
    return f"most cells are numbers, {listed(words)} and the like in {len(odd)} cells are not: empty these"


def _other_spelling(column: Column) -> str:
    if column.series.dtype != pl.String or column.share(_OTHER_NUMBER) <= _MOSTLY or column.share(r"^0\d") > 0.05:
        return ""
    if column.known.str.extract(_UNIT).drop_nulls().n_unique() > 3:
        return ""
    return f"{shown(column.known[0])} is not read as a number: write digits and a decimal point only"


def _way_out(column: Column) -> str:
    if column.share(_DATE) > _MOSTLY:
        return "predict a number made from the date, such as the days until it"
    return (
        _almost_numbers(column)
        or _other_spelling(column)
        or (
            "free text cannot be predicted; where these are classes after all, write the config by hand"
            if column.length >= _WORDS_OF_TEXT
            else "write the config by hand where these are classes after all"
        )
    )


def _examples(column: Column) -> Sequence[str]:
    return column.known.unique(maintain_order=True).head(3).to_list()


def _dates(what: str) -> str:
    return f"{what}, which no kind holds: add numbers made from them, such as the month or the days since"


def _percent(share: float) -> str:
    percent = round(100 * share, 1 if share < 0.1 or share > 0.99 else 0)
    return f"{percent:g} %"
