"""Columns into the canonical type of their kind, and the cells that do not fit.

Pure expressions: what is said here of one cell, the columnar engine does to whole tables while it reads them. The
canonical types are those of `polyhead.contracts.validation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from polyhead.contracts.config import SPLITS, SplitSection
from polyhead.contracts.features import CategoryFeature, Feature, ImageFeature, NumericFeature
from polyhead.contracts.targets import BinaryTarget, MulticlassTarget, MultilabelTarget, RegressionTarget, Target
from polyhead.errors import DataError, did_you_mean

NO_NUMBER = frozenset(
    ["", "#n/a", "#na", "-", "--", "-nan", ".", "<na>", "?", "n.a.", "n/a", "na", "nan", "nat", "nil", "none", "null"]
)
"""How cells spell a missing number, in lower case: pandas' words, and those of R, SQL, Excel, SAS and UCI tables."""

LARGEST = 3.4028234663852886e38
"""Magnitude that shards and models, which hold 32-bit floats, can take."""

EMPTY_SET = "[]"
"""How a text cell spells a multilabel target without any label."""

_HINTED_SPLITS = 20  # different wrong words in the split column that get a hint of their own
_SPELLED = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null, pl.Date, pl.Datetime, pl.Time)


@dataclass(frozen=True)
class Source:
    """A column of a table that is to become canonical.

    Attributes:
        name: What messages call it.
        dtype: Its type.
        received: The column as read.
        values: The column that its canonical values will stand in, for what is said of those.
    """

    name: str
    dtype: pl.DataType
    received: pl.Expr
    values: pl.Expr


@dataclass(frozen=True)
class Rule:
    """What a cell must not be.

    Attributes:
        reason: A word for counting, such as `not_a_number`.
        detail: One line for a person, or what gives one for a cell's canonical word.
        broken: Boolean per cell, of the source's columns; null counts as False.
    """

    reason: str
    detail: str | Callable[[str], str]
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

    def refusing(self, reason: str, detail: str | Callable[[str], str], broken: pl.Expr) -> Coercion:
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
        values: Same length as the input; null where missing and where a fault is.
        faults: The cells that do not fit.
    """

    values: pl.Series
    faults: list[Fault] = field(default_factory=list)


def coerce(column: pl.Series, member: Feature | Target) -> Coerced:
    """A column as its feature or target kind wants it.

    Args:
        column: As read.
        member: The feature or target that it belongs to.

    Raises:
        DataError: The column's type as a whole cannot hold this kind, lists in a numeric column for instance.
    """
    return _applied(column, lambda source: coercion(source, member))


def coercion(source: Source, member: Feature | Target) -> Coercion:
    """How a column becomes what its feature or target kind wants.

    Raises:
        DataError: The column's type as a whole cannot hold this kind.
    """
    values = source.values
    match member:
        case NumericFeature():
            made = _ranged(number_coercion(source), values, member.min, member.max)
        case RegressionTarget():
            made = _ranged(number_coercion(source), values, member.min, member.max)
            if member.transform == "log":
                made = made.refusing("not_positive", "transform: log needs numbers above zero", values <= 0)
        case MultilabelTarget():
            made = set_coercion(source, member.separator)
            if member.labels is not None:
                unknown = values.list.eval(~pl.element().is_in(member.labels)).list.any()
                made = made.refusing("not_allowed", f"labels are {_listed(member.labels)}", unknown)
        case CategoryFeature() | MulticlassTarget() | BinaryTarget():
            made = word_coercion(source)
            allowed = getattr(member, "allowed", None) or getattr(member, "classes", None)
            if allowed is not None:
                made = made.refusing("not_allowed", f"accepted are {_listed(allowed)}", _is_other(values, allowed))
        case _:
            made = word_coercion(source, strip=isinstance(member, ImageFeature))
    if getattr(member, "required", False):
        made = made.refusing("missing", "the config requires a value", values.is_null())
    return made


def numbers(column: pl.Series) -> Coerced:
    """A column as float64; see `number_coercion`."""
    return _applied(column, number_coercion)


def number_coercion(source: Source) -> Coercion:
    """How a column becomes float64.

    Text is read as numbers; NaN and the spellings of `NO_NUMBER` are missing; infinite values are faults, and so
    are those that a 32-bit float cannot hold.

    Raises:
        DataError: The column's type holds no numbers.
    """
    values, dtype = source.values, source.dtype
    if dtype == pl.Null:
        return Coercion(source.received.cast(pl.Float64))
    if dtype == pl.Boolean or dtype.is_numeric():
        made = Coercion(source.received.cast(pl.Float64).fill_nan(None))
    elif dtype in (pl.String, pl.Categorical, pl.Enum):
        text = source.received.cast(pl.String).str.strip_chars()
        made = Coercion(text.cast(pl.Float64, strict=False).fill_nan(None))
        unread = pl.when(values.is_null()).then(source.received).cast(pl.String).str.strip_chars()
        odd = unread.is_not_null() & unread.cast(pl.Float64, strict=False).is_null()
        odd &= ~unread.str.to_lowercase().is_in(sorted(NO_NUMBER))
        made = made.refusing("not_a_number", "cannot be read as a number", odd)
    else:
        raise DataError(f"holds {dtype}, which is no number", where=f"column '{source.name}'")
    made = made.refusing("infinite", "must be finite", values.is_infinite())
    too_large = values.abs() > LARGEST
    return made.refusing("too_large", f"the largest number is {LARGEST:.3g}, that of 32 bits", too_large)


def words(column: pl.Series, *, strip: bool = True) -> pl.Series:
    """A column as text; see `word_coercion`."""
    return _applied(column, lambda source: word_coercion(source, strip=strip)).values


def word_coercion(source: Source, *, strip: bool = True) -> Coercion:
    """How a column becomes text; empty text is missing.

    Whole numbers lose their decimals (85255.0 becomes `85255`) and booleans become `true` and `false`, so that a
    column spells its values the same whether it was read from CSV, JSON or Parquet.

    Raises:
        DataError: The column holds lists, bytes or other values that have no one spelling.
    """
    return Coercion(_spelling(source.received, source.name, source.dtype, strip=strip))


def _spelling(value: pl.Expr, name: str, dtype: pl.DataType, *, strip: bool = True) -> pl.Expr:
    """How a word is spelled, in a column or in a list."""
    if not (dtype.is_numeric() or dtype in _SPELLED):
        raise DataError(f"holds {dtype}, which is no single value", where=f"column '{name}'")
    text = value.cast(pl.String)
    if dtype.is_float():
        known = value.fill_nan(None)
        whole = known.is_finite() & (known == known.round()) & (known.abs() < 2**63)
        text = pl.when(whole).then(known.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(known.cast(pl.String))
    bare = text.str.strip_chars()
    return bare.replace("", None) if strip else pl.when(bare != "").then(text)


def label_sets(column: pl.Series, separator: str) -> Coerced:
    """A column of label sets; see `set_coercion`."""
    return _applied(column, lambda source: set_coercion(source, separator))


def set_coercion(source: Source, separator: str) -> Coercion:
    """How a column becomes label sets as list<string>, each sorted and without repeats.

    Text is cut at the separator; `[]` is the empty set and an empty cell is missing. Lists are taken as they are,
    their labels spelled as words are.

    Raises:
        DataError: The column holds neither words nor lists of words.
    """
    if isinstance(source.dtype, (pl.List, pl.Array)):
        inner = source.dtype.inner
        assert isinstance(inner, pl.DataType)
        lists = source.received.cast(pl.List(inner)).list.eval(_spelling(pl.element(), source.name, inner))
    else:
        text = _spelling(source.received, source.name, source.dtype)
        lists = text.replace(EMPTY_SET, "").str.split(separator).list.eval(pl.element().str.strip_chars())
    clean = lists.cast(pl.List(pl.String)).list.eval(pl.element().filter(pl.element() != ""))
    return Coercion(clean.list.unique().list.sort())


def split_names(column: pl.Series, section: SplitSection | None = None) -> Coerced:
    """The split column: train, val or test in every row."""
    return _applied(column, lambda source: split_coercion(source, section or SplitSection()))


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
    return made.refusing("unknown_split", hint, _is_other(source.values, SPLITS))


def key_coercion(source: Source) -> Coercion:
    """How the key column becomes a name for every row. That no two are the same is for others to see.

    Raises:
        DataError: The column holds no words.
    """
    made = word_coercion(source)
    return made.refusing("missing", "the key column must name every row", source.values.is_null())


def details(rule: Rule, values: pl.Series) -> pl.Series:
    """What a rule says of each of some cells that break it.

    Args:
        rule: The rule.
        values: The cells in their canonical type.
    """
    said = rule.detail
    if isinstance(said, str):
        return pl.Series("detail", [said], dtype=pl.String).new_from_index(0, len(values))
    return pl.Series("detail", [said(word) for word in values], dtype=pl.String)


def _applied(column: pl.Series, make: Callable[[Source], Coercion]) -> Coerced:
    """A coercion done to one column."""
    made = make(Source(column.name, column.dtype, pl.col("received"), pl.col("values")))
    frame = pl.DataFrame({"received": column}).with_columns(made.values.alias("values"))
    frame = frame.with_columns(made.fault.alias("fault")).with_row_index("row")
    faults = []
    for number, rule in enumerate(made.rules, 1):
        cells = frame.filter(pl.col("fault") == number)
        said = cells.with_columns(details(rule, cells["values"])).sort("detail", maintain_order=True)
        for (detail,), rows in said.group_by("detail", maintain_order=True):
            faults.append(Fault(rule.reason, str(detail), frame["row"].is_in(rows["row"].implode())))
    fine = pl.when(pl.col("fault") == 0).then(pl.col("values"))
    return Coerced(frame.select(fine.alias(column.name)).to_series(), faults)


def _ranged(made: Coercion, values: pl.Expr, low: float | None, high: float | None) -> Coercion:
    if low is not None:
        made = made.refusing("out_of_range", f"the smallest accepted value is {low:g}", values < low)
    if high is not None:
        made = made.refusing("out_of_range", f"the largest accepted value is {high:g}", values > high)
    return made


def _is_other(values: pl.Expr, allowed: Sequence[str]) -> pl.Expr:
    """Which words are none of some. As a cast this takes half the time of `is_in`."""
    known = pl.Enum(list(dict.fromkeys(allowed)))
    return values.is_not_null() & values.cast(known, strict=False).is_null()


def _listed(values: Sequence[str]) -> str:
    shown = ", ".join(values[:8])
    return shown + (", …" if len(values) > 8 else "")
