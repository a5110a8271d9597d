"""Columns into the canonical type of their kind, and the cells that do not fit.

Pure functions over polars series. The canonical types are those of `polyhead.contracts.validation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from polyhead.contracts.config import SPLITS
from polyhead.contracts.features import CategoryFeature, Feature, ImageFeature, NumericFeature
from polyhead.contracts.targets import BinaryTarget, MulticlassTarget, MultilabelTarget, RegressionTarget, Target
from polyhead.errors import DataError, did_you_mean

NO_NUMBER = ("", "na", "n/a", "nan", "null", "none")
"""Spellings of a missing number, in any case."""

LARGEST = 3.4028234663852886e38
"""Magnitude that shards and models, which hold 32-bit floats, can take."""

EMPTY_SET = "[]"
"""How a text cell spells a multilabel target without any label."""

_HINTED_SPLITS = 20  # different wrong words in the split column that get a hint of their own
_SPELLED = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null, pl.Date, pl.Datetime, pl.Time)


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

    def refuse(self, mask: pl.Series, reason: str, detail: str) -> None:
        """Turn cells into nulls and remember why."""
        mask = mask.fill_null(False)
        if mask.any():
            self.faults.append(Fault(reason, detail, mask))
            self.values = self.values.set(mask, None) if self.values.dtype != pl.List else _nulled(self.values, mask)


def _nulled(values: pl.Series, mask: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"values": values, "mask": mask})
    return frame.select(pl.when(~pl.col("mask")).then(pl.col("values")).alias("values")).to_series()


def coerce(column: pl.Series, member: Feature | Target) -> Coerced:
    """A column as its feature or target kind wants it.

    Args:
        column: As read.
        member: The feature or target that it belongs to.

    Raises:
        DataError: The column's type as a whole cannot hold this kind, lists in a numeric column for instance.
    """
    match member:
        case NumericFeature():
            coerced = numbers(column)
            _check_range(coerced, member.min, member.max)
        case RegressionTarget():
            coerced = numbers(column)
            _check_range(coerced, member.min, member.max)
            if member.transform == "log":
                coerced.refuse(coerced.values <= 0, "not_positive", "transform: log needs numbers above zero")
        case MultilabelTarget():
            coerced = label_sets(column, member.separator)
            if member.labels is not None:
                unknown = coerced.values.list.eval(~pl.element().is_in(member.labels)).list.any()
                coerced.refuse(unknown, "not_allowed", f"labels are {_listed(member.labels)}")
        case ImageFeature():
            coerced = Coerced(words(column))
        case CategoryFeature() | MulticlassTarget() | BinaryTarget():
            coerced = Coerced(words(column))
            allowed = getattr(member, "allowed", None) or getattr(member, "classes", None)
            if allowed is not None:
                coerced.refuse(~coerced.values.is_in(allowed), "not_allowed", f"accepted are {_listed(allowed)}")
        case _:
            coerced = Coerced(words(column, strip=False))
    if getattr(member, "required", False):
        faulty = pl.Series([False]).new_from_index(0, len(column))
        for fault in coerced.faults:
            faulty = faulty | fault.mask
        coerced.refuse(coerced.values.is_null() & ~faulty, "missing", "the config requires a value")
    return coerced


def numbers(column: pl.Series) -> Coerced:
    """A column as float64.

    Text is read as numbers; NaN and the spellings of `NO_NUMBER` are missing; infinite values are faults, and so
    are those that a 32-bit float cannot hold.
    """
    if column.dtype == pl.Null:
        return Coerced(column.cast(pl.Float64))
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        coerced = Coerced(column.cast(pl.Float64))
    elif column.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = column.cast(pl.String).str.strip_chars()
        missing = text.is_null() | text.str.to_lowercase().is_in(NO_NUMBER)
        coerced = Coerced(text.cast(pl.Float64, strict=False))
        coerced.refuse(coerced.values.is_null() & ~missing, "not_a_number", "cannot be read as a number")
    else:
        raise DataError(f"holds {column.dtype}, which is no number", where=f"column '{column.name}'")
    coerced.values = coerced.values.fill_nan(None)
    coerced.refuse(coerced.values.is_infinite(), "infinite", "must be finite")
    coerced.refuse(coerced.values.abs() > LARGEST, "too_large", f"the largest number is {LARGEST:.3g}, that of 32 bits")
    return coerced


def words(column: pl.Series, *, strip: bool = True) -> pl.Series:
    """A column as text; empty text is missing.

    Whole numbers lose their decimals (85255.0 becomes `85255`) and booleans become `true` and `false`, so that a
    column spells its values the same whether it was read from CSV, JSON or Parquet.

    Raises:
        DataError: The column holds lists, bytes or other values that have no one spelling.
    """
    spelling = _spelling(column.name, column.dtype, pl.col("value"), strip=strip)
    return pl.DataFrame({"value": column}).select(spelling.alias(column.name)).to_series()


def _spelling(name: str, dtype: pl.DataType, value: pl.Expr, *, strip: bool) -> pl.Expr:
    """The expression behind `words`, which also spells the members of lists."""
    if not (dtype.is_numeric() or dtype in _SPELLED):
        raise DataError(f"holds {dtype}, which is no single value", where=f"column '{name}'")
    text = value.cast(pl.String)
    if dtype.is_float():
        known = value.fill_nan(None)
        whole = known.is_finite() & (known == known.round()) & (known.abs() < 2**63)
        text = pl.when(whole).then(known.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(known.cast(pl.String))
    bare = text.str.strip_chars()
    return pl.when(bare != "").then(bare if strip else text)


def label_sets(column: pl.Series, separator: str) -> Coerced:
    """A column of label sets as list<string>, each sorted and without repeats.

    Text is cut at the separator; `[]` is the empty set and an empty cell is missing. Lists are taken as they are,
    their labels spelled as `words` spells them.

    Raises:
        DataError: The column holds neither words nor lists of words.
    """
    if isinstance(column.dtype, (pl.List, pl.Array)):
        inner = column.dtype.inner
        assert isinstance(inner, pl.DataType)
        label = _spelling(column.name, inner, pl.element(), strip=True)
        lists = column.cast(pl.List(inner)).list.eval(label)
    else:
        text = words(column)
        lists = text.set(text == EMPTY_SET, "").str.split(separator).list.eval(pl.element().str.strip_chars())
    clean = lists.cast(pl.List(pl.String)).list.eval(pl.element().filter(pl.element() != ""))
    return Coerced(clean.list.unique().list.sort())


def split_names(column: pl.Series) -> Coerced:
    """The split column: train, val or test in every row."""
    coerced = Coerced(words(column))
    coerced.refuse(coerced.values.is_null(), "missing", "every row needs train, val or test")
    others = coerced.values.drop_nulls().filter(~coerced.values.drop_nulls().is_in(SPLITS)).unique().sort()
    for other in others[:_HINTED_SPLITS]:
        coerced.refuse(coerced.values == other, "unknown_split", did_you_mean(other, SPLITS))
    coerced.refuse(~coerced.values.is_in(SPLITS), "unknown_split", f"one of: {', '.join(SPLITS)}")
    return coerced


def keys(column: pl.Series) -> Coerced:
    """The key column: a different, non-empty name in every row. The first row of a name keeps it."""
    coerced = Coerced(words(column))
    coerced.refuse(coerced.values.is_null(), "missing", "the key column must name every row")
    repeated = ~coerced.values.is_first_distinct() & coerced.values.is_not_null()
    coerced.refuse(repeated, "duplicate_key", "an earlier row has this key")
    return coerced


def _check_range(coerced: Coerced, low: float | None, high: float | None) -> None:
    if low is not None:
        coerced.refuse(coerced.values < low, "out_of_range", f"the smallest accepted value is {low:g}")
    if high is not None:
        coerced.refuse(coerced.values > high, "out_of_range", f"the largest accepted value is {high:g}")


def _listed(values: Sequence[str]) -> str:
    shown = ", ".join(values[:8])
    return shown + (", …" if len(values) > 8 else "")
