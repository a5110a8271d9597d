"""Tables in: Parquet, CSV, JSON Lines, in one file or many, or a DataFrame that is already in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import polars as pl

from polyhead.errors import DataError, Problem, counted
from polyhead.progress import say
from polyhead.storage.objects import list_objects
from polyhead.storage.parallel import ordered_map
from polyhead.storage.patterns import Files, files_of
from polyhead.storage.places import check_scheme, is_bigquery, is_remote
from polyhead.tables.bigquery import copy_table
from polyhead.tables.columns import choose_columns, named
from polyhead.tables.diagnosis import named_failures
from polyhead.tables.formats import KINDS, Scan, kind_of, scanned
from polyhead.tables.frames import from_pandas
from polyhead.tables.joining import Member, joined, partitions_of
from polyhead.tables.opened import OpenTable, TablePart
from polyhead.tables.source import Source

if TYPE_CHECKING:
    import pandas as pd

    Table = str | pl.DataFrame | pd.DataFrame
else:
    Table = object

_READERS = 16
_SHOWN_FILES = 5


def read_table(table: Table, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read a whole table; see `open_table`.

    Raises:
        DataError: As `open_table` and `OpenTable.frame` say.
    """
    return open_table(table, columns).frame()


def open_table(
    table: Table, columns: Sequence[str] | None = None, optional: Sequence[str] = (), *, copy: Path | None = None
) -> OpenTable:
    """Open a table, with CSV cells as text, so that `007` stays `007`.

    Args:
        table: A path, or a `gs://`, `s3://` or `minio://` place, ending in one of `polyhead.tables.formats.KINDS`; a
            folder, or a pattern as `polyhead.storage.patterns.files_of` has it, of files of one format; a table in
            BigQuery, `bq://project.dataset.table`; or a DataFrame.
        columns: Columns to keep, in this order. Default: all.
        optional: More columns to keep, of those that there are.
        copy: The Parquet file that `copy_table` wrote of a table in BigQuery, which is then not asked again.

    Returns:
        The table, its rows in order: file by file, sorted by their paths. Empty CSV cells are null; empty lines are not
        rows. Cells of CSV files are separated by commas and those of TSV files by tabs, unless only another of `,`,
        `;`, tab and `|` cuts the first lines evenly; that is said. An object in a bucket, or a table in
        BigQuery, is copied once into a temporary file, which is gone with the table, and so is a file that has to be
        written anew before it can be read. A folder `country=de` on the way from the table's folder to a file gives its
        rows a column `country` of text, unless the file has one.

    Raises:
        DataError: There is no such table, it cannot be parsed, has lines with more or fewer cells than the header, has
            no rows, or lacks columns or has two of one name (all named); of several files also where a column is
            missing in one of them, or has another type there.
    """
    if isinstance(table, str):
        return _open_place(table, columns, optional, copy)
    if isinstance(table, pl.DataFrame):
        frame = table.select(named(*choose_columns("the DataFrame", table.columns, columns, optional)))
    else:
        frame = from_pandas(table, columns, optional)
    return OpenTable("the DataFrame", [TablePart("the DataFrame", frame.lazy())])


def _open_place(
    place: str, columns: Sequence[str] | None, optional: Sequence[str], copy: Path | None = None
) -> OpenTable:
    if copy is not None:
        return _opened(place, Source(str(copy), "parquet"), columns, optional)
    if is_bigquery(place):
        source = Source(place, "parquet", partial(copy_table, place, columns, optional))
        return _opened(place, source, columns, optional)
    check_scheme(place)
    with named_failures(place):
        files = files_of(place)
    if files is not None:
        return _open_files(place, files, columns, optional)
    kind = kind_of(place)
    if kind is None:
        _refuse_unknown_format(place)
    with named_failures(place):
        try:
            source = Source(place, kind)
        except FileNotFoundError:
            _refuse_unnamed_folder(place)
            raise
    return _opened(place, source, columns, optional)


def _opened(place: str, source: Source, columns: Sequence[str] | None, optional: Sequence[str]) -> OpenTable:
    with named_failures(place, source):
        scan = scanned(source, columns)
        _tell(place, [scan])
        chosen = choose_columns(place, scan.names, columns, optional)
        return OpenTable(place, [TablePart(place, scan.having(chosen).select(named(*chosen)), source, scan.rows)])


def _tell(place: str, scans: Iterable[Scan]) -> None:
    """Say what is odd in a table's files, each once."""
    for remark in dict.fromkeys(scan.remark for scan in scans if scan.remark):
        say(f"{place}: {remark}")


def _refuse_unknown_format(place: str) -> NoReturn:
    _refuse_unnamed_folder(place)
    with named_failures(place):
        if not is_remote(place):
            os.stat(place)
    suffix = os.path.splitext(place)[1].lower()
    raise DataError(
        "unknown-table-format", f"unknown table format '{suffix}'", where=place, hint=f"one of: {', '.join(KINDS)}"
    )


def _refuse_unnamed_folder(place: str) -> None:
    """Say how a folder in a bucket is written, where a place is one."""
    if is_remote(place) and any(True for _ in list_objects(place)):
        raise DataError("not-a-file", "is a folder, not a file", where=place, hint=f"for all its files write {place}/")


def _open_files(place: str, files: Files, columns: Sequence[str] | None, optional: Sequence[str]) -> OpenTable:
    kind, names = _one_format(place, files)
    members: list[Member] = []
    problems: list[Problem] = []
    workers = _READERS if is_remote(place) else 1
    for member in ordered_map(partial(_member, files, kind, columns), names, workers=workers):
        if isinstance(member, Member):
            members.append(member)
        else:
            problems += member.problems
    if problems:
        raise DataError(problems)
    _tell(place, [member.scan for member in members])
    return OpenTable(place, joined(place, members, columns, optional), names)


def _one_format(place: str, files: Files) -> tuple[str, list[str]]:
    """The kind of format that the files of a table have, and their names; others that are there do not matter.

    Raises:
        DataError: There is none, or they have several.
    """
    kinds: dict[str, list[str]] = {}
    for name in files.names:
        kind = kind_of(name)
        if kind is not None:
            kinds.setdefault(kind, []).append(name)
    if not kinds:
        there = f"; there are {', '.join(files.names[:_SHOWN_FILES])}" if files.names else ""
        hint = f"its files' names end in one of: {', '.join(KINDS)}"
        raise DataError("no-table-files", f"has no file in the format of a table{there}", where=place, hint=hint)
    if len(kinds) > 1:
        what = "; ".join(f"{counted(len(names), f'{kind} file')}, first {names[0]}" for kind, names in kinds.items())
        suffix = os.path.splitext(max(kinds.values(), key=len)[0])[1]
        hint = f"give a pattern of one of them, such as {files.place(f'**/*{suffix}')}"
        raise DataError("mixed-formats", f"has files of several formats: {what}", where=place, hint=hint)
    return next(iter(kinds.items()))


def _member(files: Files, kind: str, columns: Sequence[str] | None, name: str) -> Member | DataError:
    """One of a table's files, or what is wrong with it."""
    place = files.place(name)
    try:
        with named_failures(place):
            source = Source(place, kind)
        with named_failures(place, source):
            partitions = partitions_of(name)
            own = columns and [column for column in columns if column not in dict(partitions)]
            return Member(name, place, source, scanned(source, own), partitions)
    except DataError as error:
        return error
