"""Many files as one table: their columns have to agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import polars as pl

from polyhead.errors import DataError, Problem, counted
from polyhead.tables.columns import choose_columns, named
from polyhead.tables.diagnosis import named_failures
from polyhead.tables.formats import Scan
from polyhead.tables.opened import TablePart
from polyhead.tables.source import Source

_NO_VALUE = ("__HIVE_DEFAULT_PARTITION__", "")
_NAMED_FILES = 20
_WORDS = (pl.String, pl.Categorical, pl.Enum)
_EXACT = 2**53
"""Whole numbers up to here are floating-point numbers too."""


class Member(NamedTuple):
    """One of a table's files.

    Attributes:
        name: Its path, relative to the table's folder.
        place: Its place.
        source: The file.
        scan: Its rows.
        partitions: The columns that its path gives, and their value in all its rows.
    """

    name: str
    place: str
    source: Source
    scan: Scan
    partitions: Sequence[tuple[str, str | None]]

    @property
    def columns(self) -> list[str]:
        """Its columns, and those of its path that it does not have itself; a name may be there twice."""
        own = set(self.scan.names)
        return [*self.scan.names, *(name for name, _ in self.partitions if name not in own)]

    def rows(self, columns: Collection[str]) -> pl.LazyFrame:
        """Its rows with some of its columns."""
        own = set(self.scan.names)
        paths = [pl.lit(value, pl.String).alias(name) for name, value in self.partitions if name not in own]
        scan = self.scan.having([column for column in columns if column in own])
        return scan.with_columns(paths).select(named(*columns))


def partitions_of(name: str) -> list[tuple[str, str | None]]:
    """The columns that the folders in a file's path give, as Hive has them: `country=de`, and escapes with `%`.

    Args:
        name: The path, relative to the table's folder.

    Returns:
        Names and values, from the outer folder to the inner; None for a missing value.
    """
    pairs = (folder.partition("=") for folder in name.split("/")[:-1])
    return [
        (unquote(column), None if value in _NO_VALUE else unquote(value)) for column, equal, value in pairs if equal
    ]


def joined(
    place: str, members: Sequence[Member], columns: Sequence[str] | None, optional: Sequence[str]
) -> list[TablePart]:
    """The rows of all files, with the same columns in the same types.

    A type that holds all values of the others is found where there is one: a column without a value in a file has the
    type of the others, whole numbers of several sizes are of the largest, and beside floating-point numbers they are
    such, unless one of them would change by that.

    Args:
        place: What messages call the table.
        members: The files.
        columns: Columns to keep, in this order. Default: all.
        optional: More columns to keep, of those that there are.

    Returns:
        A part for each file.

    Raises:
        DataError: A column is missing in a file, or there twice, or has types that do not go together; all of them.
    """
    held = [Counter(member.columns) for member in members]
    everywhere = list(dict.fromkeys(column for own in held for column in own))
    problems: list[Problem] = []
    try:
        chosen = choose_columns(place, everywhere, columns, optional)
    except DataError as error:
        problems += error.problems
        chosen = [column for column in (*(columns or ()), *optional) if column in everywhere]
    for column in chosen:
        without = [member.name for member, own in zip(members, held, strict=True) if column not in own]
        if without:
            what = (
                f"column '{column}' is missing in {len(without)} of {counted(len(members), 'file')}: {_listed(without)}"
            )
            hint = "write it into every file, empty where there is no value"
            problems.append(Problem("differing-columns", what, where=place, hint=hint))
    for member, own in zip(members, held, strict=True):
        if any(own[column] > 1 for column in chosen):
            problems += _repeated(member, [column for column in chosen if own[column] > 1])
    if problems:
        raise DataError(problems)
    return _with_one_schema(place, members, chosen)


def _repeated(member: Member, twice: Sequence[str]) -> list[Problem]:
    try:
        choose_columns(member.place, member.columns, twice)
    except DataError as error:
        return error.problems
    return []


def _with_one_schema(place: str, members: Sequence[Member], chosen: Sequence[str]) -> list[TablePart]:
    scans = [member.rows(chosen) for member in members]
    schemas = []
    for member, scan in zip(members, scans, strict=True):
        with named_failures(member.place, member.source):
            schemas.append(scan.collect_schema())
    problems: list[Problem] = []
    types: dict[str, pl.DataType] = {}
    for column in chosen:
        received = [schema[column] for schema in schemas]
        wider: pl.DataType | None = received[0]
        for dtype in dict.fromkeys(received):
            wider = _both(wider, dtype)
        pairs = zip(scans, received, strict=True)
        if wider is None or not all(_keeps(scan, column, dtype, wider) for scan, dtype in pairs):
            problems.append(_differing(place, column, [member.name for member in members], received))
        else:
            types[column] = wider
    if problems:
        raise DataError(problems)
    return [
        TablePart(member.place, scan.with_columns(_changes(schema, types)), member.source, member.scan.rows)
        for member, scan, schema in zip(members, scans, schemas, strict=True)
    ]


def _changes(schema: Mapping[str, pl.DataType], types: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    return [named(column).cast(dtype) for column, dtype in types.items() if schema[column] != dtype]


def _both(one: pl.DataType | None, other: pl.DataType) -> pl.DataType | None:
    """The type that holds the values of two; None where there is none."""
    if one is None or other in (one, pl.Null):
        return one
    if one == pl.Null:
        return other
    if isinstance(one, _WORDS) and isinstance(other, _WORDS):
        return pl.String()
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        inner = _both(_inner(one), _inner(other))
        return None if inner is None else pl.List(inner)
    if isinstance(one, pl.Decimal) and isinstance(other, pl.Decimal):
        scale = max(one.scale, other.scale)
        whole = max((each.precision or 38) - each.scale for each in (one, other))
        return pl.Decimal(whole + scale, scale) if whole + scale <= 38 else None
    if one.is_float() and other.is_float():
        return pl.Float64()
    if one.is_integer() and other.is_integer():
        wider = pl.concat([pl.DataFrame(schema={"": each}) for each in (one, other)], how="vertical_relaxed").dtypes[0]
        return wider if wider.is_integer() else None
    numbers = all(each.is_integer() or each.is_float() for each in (one, other))
    return pl.Float64() if numbers else None


def _inner(dtype: pl.List) -> pl.DataType:
    assert isinstance(dtype.inner, pl.DataType)
    return dtype.inner


def _keeps(scan: pl.LazyFrame, column: str, dtype: pl.DataType, wider: pl.DataType) -> bool:
    """Whether no value of a column would change in another type."""
    if not (dtype.is_integer() and wider == pl.Float64):
        return True
    inside: bool = scan.select(named(column).is_between(-_EXACT, _EXACT).all()).collect().item()
    return inside


def _differing(place: str, column: str, names: Sequence[str], types: Iterable[pl.DataType]) -> Problem:
    files: dict[str, list[str]] = {}
    for name, dtype in zip(names, types, strict=True):
        files.setdefault(str(dtype), []).append(name)
    groups = sorted(files.items(), key=lambda item: -len(item[1]))
    what = "; ".join(f"{dtype} in {_listed(held)}" for dtype, held in groups)
    return Problem(
        "differing-types",
        f"column '{column}' is of several types: {what}",
        where=place,
        hint="write it as one type in every file",
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_FILES
    return ", ".join(names[:_NAMED_FILES]) + (f" and {more:,} more" if more > 0 else "")
