"""How columns become numbers, words, paths and sets of words, and the cells that do not fit.

Pure expressions: what is said here of one cell, the columnar engine does to whole tables while it reads them. The
canonical type of each kind is in `polyhead.kinds.examples`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from polyhead.contracts.numbers import NumbersSection
from polyhead.contracts.validation import MASKED
from polyhead.contracts.words import COMPUTED, RESPELLINGS, computed
from polyhead.errors import DataError, Problem
from polyhead.kinds import numerals
from polyhead.kinds.lists import LIKE_A_LIST, NO_LIST, read_list
from polyhead.tables.columns import named

NO_NUMBER = frozenset(
    [
        *("", "#n/a", "#na", "+nan", "-", "--", "-nan", ".", "<na>", "?", "n.a.", "n/a", "na", "nan", "nat"),
        *("nil", "none", "null"),
    ]
)
"""How cells spell a missing number, in lower case: pandas' words, and those of R, SQL, Excel, SAS and UCI tables."""

LARGEST = 1e150
"""Magnitude whose square, and sums of it, are 64-bit numbers."""

VECTOR = pl.List(pl.Float32)
"""The canonical type of vectors."""

NUMBERS = pl.List(pl.Float64)
"""The canonical type of several numbers of which some may be missing, which are null."""

EMPTY_SET = "[]"
"""How a text cell spells a set without any word."""

TEXTS = (pl.String, pl.Categorical, pl.Enum, pl.Binary)
"""Types whose cells are text."""

_SPELLED = (*TEXTS, pl.Boolean, pl.Null, pl.Date, pl.Datetime, pl.Time)
_COMPOSED = (  # what another normal form may hold: marks, Hangul's vowels and ends, and characters that NFC replaces
    r"[\p{M}\x{1161}-\x{11FF}\x{374}\x{37E}\x{387}\x{958}-\x{95F}\x{9DC}-\x{9DF}\x{A33}-\x{A5E}\x{B5C}\x{B5D}"
    r"\x{F43}-\x{FB9}\x{1F71}-\x{1FFD}\x{2000}\x{2001}\x{2126}-\x{212B}\x{2329}\x{232A}\x{2ADC}\x{F900}-\x{FB4E}"
    r"\x{16D67}-\x{16D6A}\x{1D15E}-\x{1D1C0}\x{2F800}-\x{2FA1F}]"
)
_SAMPLE, _FEW = 1_024, 64
"""Cells of a column that are looked at first, and different words among them that are few."""
_REPLACEMENTS = [(pattern, re.sub(r"\\([0-9])", r"${\1}", replacement)) for pattern, replacement in RESPELLINGS]
_RESPELLED = "|".join([*(pattern for pattern, _ in RESPELLINGS), COMPUTED])


@dataclass(frozen=True)
class Source:
    """A column of a table that is to become canonical.

    Attributes:
        name: What messages call it.
        dtype: Its type.
        received: The column as read.
        values: The column that will hold its canonical values, for rules about those.
        numbers: How the table spells numbers in text. Default: as programs do.
    """

    name: str
    dtype: pl.DataType
    received: pl.Expr
    values: pl.Expr
    numbers: NumbersSection = numerals.PLAIN


@dataclass(frozen=True)
class Rule:
    """What a cell must not be.

    Attributes:
        reason: A word for counting, such as `not_a_number`. Where it begins with `MASKED`, the cell is used, in part.
        detail: One line for a person, or what gives one for a cell's canonical value.
        broken: Boolean per cell, of the source's columns; null counts as False.
    """

    reason: str
    detail: str | Callable[[Any], str]
    broken: pl.Expr


@dataclass(frozen=True)
class Coercion:
    """How a column becomes canonical.

    Attributes:
        values: The column in its canonical type, from the column as read; what a faulty cell holds means nothing.
        rules: A cell is at fault by the first of these that it breaks.
    """

    values: pl.Expr
    rules: tuple[Rule, ...] = ()

    def refusing(self, reason: str, detail: str | Callable[[Any], str], broken: pl.Expr) -> Coercion:
        """This coercion with one more rule."""
        return replace(self, rules=(*self.rules, Rule(reason, detail, broken)))

    @property
    def fault(self) -> pl.Expr:
        """UInt8 per cell: the number of the rule that it breaks first, from 1; 0 where it is fine."""
        code = pl.lit(0, pl.UInt8)
        for number, rule in reversed(list(enumerate(self.rules, 1))):
            code = pl.when(rule.broken).then(pl.lit(number, pl.UInt8)).otherwise(code)
        return code


@dataclass(frozen=True)
class Fault:
    """Cells of one column that do not fit for one reason.

    Attributes:
        reason: A word for counting, such as `not_a_number`.
        detail: One line for a person.
        mask: Boolean series, True at the cells.
    """

    reason: str
    detail: str
    mask: pl.Series


@dataclass
class Coerced:
    """A column in its canonical type.

    Attributes:
        values: Same length as the input, under a name of its own; null where missing and where a fault is.
        faults: The cells that do not fit.
    """

    values: pl.Series
    faults: list[Fault] = field(default_factory=list)


def received_of(
    columns: Mapping[str, pl.DataType], numbers: NumbersSection = numerals.PLAIN
) -> tuple[pl.Expr, pl.DataType]:
    """What a feature or target has of a table, and its type: a column as it is, or several as lists of numbers.

    A row none of whose cells has a number has no list. In the others a missing number is null, and a cell that cannot
    be read as one NaN.

    Args:
        columns: Their types.
        numbers: How the table spells numbers in text. Default: as programs do.

    Raises:
        DataError: One of several holds no numbers; all of these columns.
    """
    if len(columns) == 1:
        ((name, dtype),) = columns.items()
        return named(name), dtype
    problems: list[Problem] = []
    found = []
    for name, dtype in columns.items():
        try:
            made = number_coercion(Source(name, dtype, named(name), named(name), numbers))
        except DataError as error:
            problems += error.problems
            continue
        number = made.values
        if dtype in TEXTS:
            text = text_of(named(name), dtype).str.strip_chars().str.to_lowercase()
            unread = number.is_null() & text.is_not_null() & ~text.is_in(sorted(NO_NUMBER))
            number = pl.when(unread).then(math.nan).otherwise(number)
        found.append(number)
    if problems:
        raise DataError(problems)
    nothing = pl.all_horizontal(number.is_null() for number in found)
    return pl.when(~nothing).then(pl.concat_list(found)), pl.List(pl.Float64())


def numbers(column: pl.Series, spelling: NumbersSection = numerals.PLAIN) -> Coerced:
    """A column as float64; see `number_coercion`."""
    return applied(column, number_coercion, spelling)


def number_coercion(
    source: Source, low: float | None = None, high: float | None = None, units: Sequence[str] | None = None
) -> Coercion:
    """How a column becomes float64.

    Text is read as numbers in the table's spelling, `true` and `false` are 1 and 0 as in a column of booleans; NaN and
    the spellings of `NO_NUMBER` are missing; infinite values are faults, and so are those above `LARGEST`.

    Args:
        source: The column.
        low: The smallest accepted number. Default: any.
        high: The largest accepted number. Default: any.
        units: What may be before or behind a number in text, and is stripped. Default: nothing.

    Raises:
        DataError: The column's type holds no numbers.
    """
    values, dtype, units = source.values, source.dtype, units or ()
    if dtype == pl.Null:
        made = Coercion(source.received.cast(pl.Float64))
    elif dtype == pl.Boolean or dtype.is_numeric():
        made = Coercion(source.received.cast(pl.Float64).fill_nan(None))
    elif dtype in TEXTS:
        text = text_of(source.received, dtype).str.strip_chars()
        unread = pl.when(values.is_null()).then(text)
        if not numerals.is_plain(source.numbers, units):
            spelled = functools.partial(numerals.plain_numbers, spelling=source.numbers, units=units)
            text = text.map_batches(spelled, pl.String, is_elementwise=True)
        made = requiring_text(Coercion(text.map_batches(_numbers_in, pl.Float64, is_elementwise=True)), source)
        odd = unread.is_not_null() & ~unread.str.to_lowercase().is_in(sorted(NO_NUMBER))
        detail = "has separators or a unit that are not stated: see numbers.decimal, numbers.thousands and unit"
        made = made.refusing("not_a_number", detail, odd & unread.str.contains(numerals.OTHER_SPELLING))
        detail = f"cannot be read as a number{numerals.said(source.numbers, units)}"
        made = made.refusing("not_a_number", detail, odd)
    else:
        raise DataError("not-a-number", f"holds {dtype}, which is not a number", where=f"column '{source.name}'")
    made = made.refusing("infinite", "must be finite", values.is_infinite())
    too_large = values.abs() > LARGEST
    made = made.refusing("too_large", f"the largest number is {LARGEST:.3g}", too_large)
    if low is not None:
        made = made.refusing("out_of_range", f"the smallest accepted value is {low:g}", values < low)
    if high is not None:
        made = made.refusing("out_of_range", f"the largest accepted value is {high:g}", values > high)
    return made


def _numbers_in(text: pl.Series) -> pl.Series:
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() > text.null_count():
        rows = (numbers.is_null() & text.is_not_null()).arg_true()
        booleans = text.gather(rows).str.to_lowercase()
        numbers = numbers.scatter(rows, booleans.replace_strict({"true": 1.0, "false": 0.0}, default=None))
    return numbers.fill_nan(None)


def vectors(column: pl.Series) -> Coerced:
    """A column as lists of float32; see `vector_coercion`."""
    return applied(column, vector_coercion)


def vector_coercion(source: Source, length: int | None = None, names: Sequence[str] | None = None) -> Coercion:
    """How a column becomes lists of float32, each the number nearest to what the cell has.

    Lists are taken as they are; text is read as one, such as `[0.1, 0.2]` or, as NumPy writes it, `[0.1 0.2]`. The
    spellings of `NO_NUMBER` are missing cells. A list has all its numbers: one that is missing, NaN or infinite in
    32 bits is a fault.

    Args:
        source: The column.
        length: How many numbers a cell must have. Default: any, but not none.
        names: What messages call the numbers of a cell, where they have names.

    Raises:
        DataError: The column's type holds no lists of numbers.
    """
    values, dtype = source.values, source.dtype
    inner = dtype.inner if isinstance(dtype, (pl.List, pl.Array)) else None
    if dtype == pl.Null:
        return Coercion(source.received.cast(VECTOR))
    if isinstance(inner, pl.DataType) and (inner.is_numeric() or inner in (pl.Boolean, pl.String, pl.Null)):
        made = Coercion(source.received.cast(pl.List(inner)).cast(VECTOR, strict=False))
    elif dtype in TEXTS:
        text = text_of(source.received, dtype).str.strip_chars()
        body = text.str.extract(r"(?s)^\[(.*)\]$").str.strip_chars()
        items = body.str.replace_all(r"np\.\w+\(([^()]*)\)", "$1").str.replace_all(r"\s*,\s*|\s+", ",").str.split(",")
        empty = pl.lit([], pl.List(pl.String))
        made = requiring_text(
            Coercion(pl.when(body == "").then(empty).otherwise(items).cast(VECTOR, strict=False)), source
        )
        odd = text.is_not_null() & body.is_null() & ~text.str.to_lowercase().is_in(sorted(NO_NUMBER))
        made = made.refusing("not_a_list", "is not a list of numbers in brackets, such as [0.1, 0.2]", odd)
    else:
        what = f"holds {dtype}, which is not a list of numbers"
        raise DataError("not-a-vector", what, where=f"column '{source.name}'")
    if length is None:
        made = made.refusing("no_numbers", "is an empty list: leave out what is missing", values.list.len() == 0)
    else:

        def detail(cell: pl.Series) -> str:
            return f"has {len(cell)} numbers, and length is {length}"

        made = made.refusing("wrong_length", detail, values.list.len() != length)
    unread = values.list.eval(pl.element().fill_nan(None).is_null()).list.any()
    if names is None:
        made = made.refusing(
            "not_a_number", "has an item that is not a number: a vector has all of its numbers", unread
        )
    else:

        def named_detail(cell: pl.Series) -> str:
            at = int(cell.fill_nan(None).is_null().arg_max() or 0)
            what = "is missing" if cell[at] is None else "cannot be read as a number"
            return f"{names[at]} {what}: a vector has all of its numbers"

        made = made.refusing("not_a_number", named_detail, unread)
    infinite = values.list.eval(pl.element().is_infinite()).list.any()
    return made.refusing("infinite", "must have finite numbers, of 32 bits", infinite)


def numbers_coercion(source: Source, names: Sequence[str], *, from_columns: bool) -> Coercion:
    """How a column becomes lists of float64, in which a missing number is null; a list without any is missing.

    Lists are taken as they are; text is read as one, such as `[0.1, nan]`. NaN and the spellings of `NO_NUMBER` are
    missing.

    Args:
        source: The column.
        names: What messages call the numbers of a cell, which has as many.
        from_columns: Whether `received_of` made the lists, in which NaN is what could not be read.

    Raises:
        DataError: The column's type holds no lists of numbers.
    """
    values, dtype = source.values, source.dtype
    inner = dtype.inner if isinstance(dtype, (pl.List, pl.Array)) else None
    if dtype == pl.Null:
        return Coercion(source.received.cast(NUMBERS))
    if isinstance(inner, pl.DataType) and (inner.is_numeric() or inner in (pl.Boolean, pl.Null)):
        number = pl.element().cast(pl.Float64)
        lists = source.received.cast(pl.List(inner)).list.eval(number if from_columns else number.fill_nan(None))
        made = Coercion(lists)
    elif inner == pl.String:
        made = Coercion(source.received.cast(pl.List(pl.String)).list.eval(_number_or_nan(pl.element())))
    elif dtype in TEXTS:
        text = text_of(source.received, dtype).str.strip_chars()
        body = text.str.extract(r"(?s)^\[(.*)\]$").str.strip_chars()
        items = body.str.replace_all(r"np\.\w+\(([^()]*)\)", "$1").str.replace_all(r"\s*,\s*|\s+", ",").str.split(",")
        made = requiring_text(Coercion(items.list.eval(_number_or_nan(pl.element()))), source)
        odd = text.is_not_null() & body.is_null() & ~text.str.to_lowercase().is_in(sorted(NO_NUMBER))
        made = made.refusing("not_a_list", "is not a list of numbers in brackets, such as [0.1, 0.2]", odd)
    else:
        what = f"holds {dtype}, which is not a list of numbers"
        raise DataError("not-a-vector", what, where=f"column '{source.name}'")
    whole = made.values
    nothing = whole.list.eval(pl.element().is_null()).list.all() & (whole.list.len() == len(names))
    made = replace(made, values=pl.when(~nothing).then(whole))

    def wrong_length(cell: pl.Series) -> str:
        return f"has {len(cell)} numbers, and length is {len(names)}"

    def unread(cell: pl.Series) -> str:
        at = int(cell.is_nan().arg_max() or 0)
        return f"{names[at]} cannot be read as a number"

    made = made.refusing("wrong_length", wrong_length, values.list.len() != len(names))
    made = made.refusing("not_a_number", unread, values.list.eval(pl.element().is_nan()).list.any())
    infinite = values.list.eval(pl.element().is_infinite()).list.any()
    made = made.refusing("infinite", "must have finite numbers", infinite)
    too_large = values.list.eval(pl.element().abs() > LARGEST).list.any()
    return made.refusing("too_large", f"the largest number is {LARGEST:.3g}", too_large)


def _number_or_nan(text: pl.Expr) -> pl.Expr:
    """Text as float64: null where it spells a missing number, NaN where it cannot be read."""
    bare = text.str.strip_chars()
    missing = bare.is_null() | bare.str.to_lowercase().is_in(sorted(NO_NUMBER))
    return pl.when(~missing).then(bare.cast(pl.Float64, strict=False).fill_null(math.nan))


def words(column: pl.Series, *, strip: bool = True) -> pl.Series:
    """A column as text; see `word_coercion`."""
    return applied(column, lambda source: word_coercion(source, strip=strip)).values


def word_coercion(source: Source, *, strip: bool = True) -> Coercion:
    """How a column becomes text; empty text is missing.

    Every cell is spelled as `polyhead.contracts.words` says, so that a column holds the same words whether it was read
    from CSV, JSON or Parquet, and whatever wrote it. Bytes are text in UTF-8. Names, which are stripped, are in normal
    form C; texts are not, since the served graph cannot bring them into it.

    Raises:
        DataError: The column holds lists, records or other values that have no one spelling.
    """
    return requiring_text(Coercion(_spelling(source.received, source.name, source.dtype, strip=strip)), source)


def path_coercion(source: Source) -> Coercion:
    """How a column becomes the paths of files, which are spelled as they are.

    Raises:
        DataError: The column holds no words.
    """
    made = Coercion(_bare(text_of(source.received, _require_single(source.name, source.dtype, is_path=True))))
    return requiring_text(made, source)


def paths_coercion(source: Source, separator: str, most: int) -> Coercion:
    """How a column becomes lists of the paths of files, in the cells' order, spelled as they are.

    Text is cut at the separator. Lists are taken as they are, and so are lists that Python, NumPy or JSON wrote into a
    cell. A list without a path is missing.

    Args:
        source: The column.
        separator: What separates the paths of a text cell.
        most: Paths of a cell that are taken, the first ones; a cell that has more is masked in part.

    Raises:
        DataError: The column holds neither words nor lists of words.
    """
    if isinstance(source.dtype, (pl.List, pl.Array)):
        inner = source.dtype.inner
        assert isinstance(inner, pl.DataType)
        text = text_of(pl.element(), _require_single(source.name, inner))
        lists = source.received.cast(pl.List(inner)).list.eval(text)
    else:
        cells = _bare(text_of(source.received, _require_single(source.name, source.dtype)))
        lists = cells.map_batches(lambda cells: cut_cells(cells, separator), pl.List(pl.String), is_elementwise=True)
    bare = lists.list.eval(pl.element().str.strip_chars())
    paths = bare.list.eval(pl.element().filter(pl.element() != ""))
    made = requiring_text(Coercion(pl.when(paths.list.len() > 0).then(paths.list.head(most))), source)
    detail = f"names more than {most} pictures (max_pictures): the first {most} are used"
    return made.refusing("masked_too_many_pictures", detail, paths.list.len() > most)


def requiring_text(made: Coercion, source: Source) -> Coercion:
    """A coercion that refuses bytes that are not text, where the column holds bytes."""
    if source.dtype != pl.Binary:
        return made
    broken = source.received.is_not_null() & text_of(source.received, source.dtype).is_null()
    return made.refusing("not_text", "holds bytes that are not UTF-8 text", broken)


def one_word_coercion(source: Source, accepted: Sequence[str] | None = None) -> Coercion:
    """How a column becomes one word a cell, which is a name, a class or a category.

    Args:
        source: The column.
        accepted: The only words that a cell may have. Default: any.

    Raises:
        DataError: The column holds no words.
    """
    made = word_coercion(source)
    if source.dtype in TEXTS:
        detail = "is a list: give one word, or set kind: multicategory (multilabel for a target)"
        broken = source.values.map_batches(_lists_in, pl.Boolean, is_elementwise=True)
        made = made.refusing("a_list", detail, broken)
    if accepted is not None:
        detail = f"accepted are {listed(accepted)}"
        made = made.refusing("not_allowed", detail, is_other(source.values, accepted))
    return made


def _lists_in(cells: pl.Series) -> pl.Series:
    """Which cells are lists in brackets."""
    bracketed = cells.filter(cells.str.starts_with("[")).unique()
    lists = [cell for cell in bracketed.filter(bracketed.str.contains(LIKE_A_LIST)) if read_list(cell) is not None]
    return cells.is_in(lists) if lists else pl.repeat(False, len(cells), dtype=pl.Boolean, eager=True)


def _spelling(value: pl.Expr, name: str, dtype: pl.DataType, *, strip: bool = True) -> pl.Expr:
    """How a word is spelled, in a column or in a list."""
    text = text_of(value, _require_single(name, dtype))
    if strip and dtype in TEXTS:
        return text.map_batches(_spelled, pl.String, is_elementwise=True)
    word = _bare(text) if strip else pl.when(text.str.strip_chars() != "").then(text)
    if dtype.is_integer() or dtype in (pl.Boolean, pl.Date, pl.Null):
        return word
    return word.map_batches(_respelled_text, pl.String, is_elementwise=True)


def _require_single(name: str, dtype: pl.DataType, *, is_path: bool = False) -> pl.DataType:
    if dtype.is_numeric() or dtype in _SPELLED:
        return dtype
    is_list = dtype in (pl.List, pl.Array)
    hint = "set kind: multicategory (multilabel for a target), or join a list's words into one text" if is_list else ""
    if is_list and is_path:
        hint = "set kind: images, which takes several pictures in a cell"
    raise DataError(
        "not-a-single-value", f"holds {dtype}, which is not a single value", where=f"column '{name}'", hint=hint
    )


def text_of(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Cells of some type as text, before any respelling; null where bytes are not text."""
    if dtype.is_float():
        value = value.fill_nan(None)
    elif isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        value = value.dt.convert_time_zone("UTC")
    elif dtype == pl.Binary:
        return value.map_batches(_decoded_bytes, pl.String, is_elementwise=True)
    return value.cast(pl.String)


def _decoded_bytes(cells: pl.Series) -> pl.Series:
    """UTF-8 as text; null where a cell is none."""
    try:
        return cells.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(cells.name, [_decoded_cell(cell) for cell in cells], dtype=pl.String)


def _decoded_cell(cell: bytes | None) -> str | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError:
        return None


def _bare(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().replace("", None)


def _spelled(cells: pl.Series) -> pl.Series:
    """Words as they are spelled. Where few different words repeat, all of them right, that is seen from those few."""
    if cells.head(_SAMPLE).n_unique() <= _FEW:
        words = cells.unique()
        if _respelled(words).equals(words):
            return cells
    return _respelled(cells)


def _respelled(cells: pl.Series) -> pl.Series:
    """Words as they are spelled, without white space around them and in normal form C."""
    words = _respelled_text(cells.str.strip_chars().replace("", None))
    if words.str.len_bytes().sum() == words.str.len_chars().sum():
        return words  # ASCII has one form
    rows = words.str.contains(_COMPOSED).arg_true()
    return words.scatter(rows, words.gather(rows).str.normalize("NFC")) if len(rows) else words


def _respelled_text(words: pl.Series) -> pl.Series:
    """Words as they are spelled. Few can be spelled otherwise, and only those are looked at closely."""
    rows = words.str.contains(_RESPELLED).arg_true()
    if not len(rows):
        return words
    new = words.gather(rows)
    for pattern, replacement in _REPLACEMENTS:
        if new.str.contains(pattern).any():
            new = new.str.replace(pattern, replacement)
    rare = new.filter(new.str.contains(COMPUTED)).unique().to_list()
    if rare:
        new = new.replace({word: computed(word) for word in rare})
    return new.alias(words.name) if len(rows) == len(words) else words.scatter(rows, new)


def set_coercion(
    source: Source, separator: str, accepted: Sequence[str] | None = None, *, repeats: bool = False
) -> Coercion:
    """How a column becomes sets of words as list<string>, each sorted.

    Text is cut at the separator; `[]` is the empty set and an empty cell is missing. Lists are taken as they are, and
    so are lists that Python, NumPy or JSON wrote into a cell. The words of a set are spelled as all words are.

    Args:
        source: The column.
        separator: What separates the words of a text cell.
        accepted: The only words that a set may have. Default: any.
        repeats: Whether a word counts as often as a cell has it, so that the result is a multiset. Default: once.

    Raises:
        DataError: The column holds neither words nor lists of words.
    """
    if isinstance(source.dtype, (pl.List, pl.Array)):
        inner = source.dtype.inner
        assert isinstance(inner, pl.DataType)
        made = Coercion(_set_of(source.received.cast(pl.List(inner)), source.name, inner, repeats=repeats))
    else:
        text = _bare(text_of(source.received, _require_single(source.name, source.dtype)))
        lists = text.map_batches(lambda cells: cut_cells(cells, separator), pl.List(pl.String), is_elementwise=True)
        made = requiring_text(Coercion(_set_of(lists, source.name, pl.String(), repeats=repeats)), source)
    if source.dtype in TEXTS:
        detail = f"is not a list that Python or JSON writes; separate its values with {separator!r}"
        broken = source.values.list.eval(pl.element().str.contains(NO_LIST)).list.any()
        made = made.refusing("not_a_list", detail, broken)
    if accepted is not None:
        unknown = source.values.list.eval(~pl.element().is_in(accepted)).list.any()
        made = made.refusing("not_allowed", f"accepted are {listed(accepted)}", unknown)
    return made


def _set_of(lists: pl.Expr, name: str, dtype: pl.DataType, *, repeats: bool) -> pl.Expr:
    spelled = lists.list.eval(_spelling(pl.element(), name, dtype)).cast(pl.List(pl.String))
    words = spelled.list.eval(pl.element().filter(pl.element() != ""))
    return (words if repeats else words.list.unique()).list.sort()


def cut_cells(cells: pl.Series, separator: str) -> pl.Series:
    """Cells as lists: read where they spell one, cut at the separator otherwise."""
    cut = cells.replace(EMPTY_SET, "").str.split(separator)
    rows = cells.str.contains(LIKE_A_LIST)
    if not rows.any():
        return cut
    read = {cell: read_list(cell) for cell in cells.filter(rows).unique()}
    lists = pl.Series([read.get(cell) for cell in cells], dtype=pl.List(pl.String))
    return pl.select(pl.coalesce(lists, cut)).to_series().alias(cells.name)


def details(rule: Rule, values: pl.Series) -> pl.Series:
    """What a rule says of each of some cells that break it.

    Args:
        rule: The rule.
        values: The cells in their canonical type.
    """
    said = rule.detail
    if isinstance(said, str):
        return pl.Series("detail", [said], dtype=pl.String).new_from_index(0, len(values))
    return pl.Series("detail", [said(value) for value in values], dtype=pl.String)


def applied(
    column: pl.Series, make: Callable[[Source], Coercion], spelling: NumbersSection = numerals.PLAIN
) -> Coerced:
    """A coercion done to one column.

    Args:
        column: As read.
        make: Gives the coercion of the column.
        spelling: How its table spells numbers in text. Default: as programs do.

    Raises:
        DataError: The column's type as a whole cannot hold what is wanted.
    """
    made = make(Source(column.name, column.dtype, pl.col("received"), pl.col("values"), spelling))
    frame = pl.DataFrame({"received": column}).with_columns(made.values.alias("values"))
    frame = frame.with_columns(made.fault.alias("fault")).with_row_index("row")
    faults = []
    refusing = [number for number, rule in enumerate(made.rules, 1) if not rule.reason.startswith(MASKED)]
    for number in refusing:
        rule = made.rules[number - 1]
        cells = frame.filter(pl.col("fault") == number)
        said = cells.with_columns(details(rule, cells["values"])).sort("detail", maintain_order=True)
        for (detail,), rows in said.group_by("detail", maintain_order=True):
            faults.append(Fault(rule.reason, str(detail), frame["row"].is_in(rows["row"].implode())))
    fine = pl.when(~pl.col("fault").is_in(refusing)).then(pl.col("values"))
    return Coerced(frame.select(fine.alias("values")).to_series(), faults)


def is_other(values: pl.Expr, accepted: Sequence[str]) -> pl.Expr:
    """Which words are none of some. As a cast this takes half the time of `is_in`."""
    known = pl.Enum(list(dict.fromkeys(accepted)))
    return values.is_not_null() & values.cast(known, strict=False).is_null()


def listed(values: Sequence[str]) -> str:
    """At most eight words, for a message."""
    shown = ", ".join(values[:8])
    return shown + (", …" if len(values) > 8 else "")
