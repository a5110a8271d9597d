"""Which kind of feature or target a column seems to hold, and why: every kind is asked, and the surest has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from polyhead.errors import DataError
from polyhead.kinds.guessing.columns import Column, listed, percent, shown
from polyhead.kinds.guessing.guess import (
    ADDRESS,
    MOSTLY,
    WORDS_OF_TEXT,
    Guess,
    Rank,
    almost_numbers,
    other_spelling,
)
from polyhead.kinds.tables import FEATURE_TABLES, TARGET_TABLES
from polyhead.validate.infer.roles import counts_rows

_OTHER_FORMATS = r"(?i)\.(?:heic|heif|svg|ico|jp2|dng|cr2|nef|raw|dcm|pdf|mp4|mov|avi)$"
_PICTURE_ADDRESS = r"(?i)\.(?:jpe?g|jfif|png|webp|bmp|gif|tiff?|avif)(?:$|[?#])"
_PICTURE_NAMES = re.compile(
    r"avatar|cover|frame|icon|images?|imgs?|jpe?g|photos?|pics?|pictures?|png|poster|thumb|thumbnail"
)
_DATE = (
    r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?$"
    r"|^\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?: \d{1,2}:\d{2}(?::\d{2})?)?(?: ?[AaPp][Mm])?$"
    r"|^(?:\d{1,2}[ -])?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ -](?:\d{1,2},? )?\d{2,4}$"
)
_TIME = r"^\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?$"
_ALMOST_EMPTY = 0.05
_CONSTANT = 0.98


def guess_feature(column: Column) -> Guess:
    """The feature kind that a column seems to hold, before any picture is opened."""
    claims = (guess for table in FEATURE_TABLES.values() if (guess := table.guess(column)) is not None)
    guess = max([*claims, *_refusals(column)], key=lambda guess: guess.rank)  # of equals the first, which is a kind's
    if not guess.kind or guess.left_out:
        return guess
    filled = 1 - column.missing
    if filled < _ALMOST_EMPTY:
        return replace(guess, why=f"a value in only {round(filled * column.rows)} of {column.rows} rows", left_out=True)
    notes = [guess.why]
    if column.missing >= 0.005:
        notes.append(f"{percent(column.missing)} missing")
    if FEATURE_TABLES[guess.kind].single:
        top = float(column.known.value_counts()["count"].to_numpy().max()) / column.rows
        if top > _CONSTANT:
            notes.append(f"{percent(top)} of the rows have the same value")
    return replace(guess, why="; ".join(notes))


def guess_target(column: Column) -> Guess:
    """The target kind that a column seems to hold.

    Raises:
        DataError: No kind of target holds it, or it has nothing to learn.
    """
    where = f"column '{column.name}'"
    if column.words is not None and column.kinds < 2:
        what = f"has the value {shown(column.known[0])} only" if column.kinds else "is empty"
        raise DataError("constant-target" if column.kinds else "empty-target", f"{what}: nothing to learn", where=where)
    claims = [guess for table in TARGET_TABLES.values() if (guess := table.guess(column)) is not None]
    if claims:
        return max(claims, key=lambda guess: guess.rank)
    if column.words is None:
        raise DataError(
            "not-predictable", f"holds {column.series.dtype}, which no kind of target can predict", where=where
        )
    raise DataError(
        "not-predictable",
        f"has {column.distinct} different values in {len(column.known)} rows, such as {listed(_examples(column))}: "
        "neither numbers nor classes",
        where=where,
        hint=_way_out(column),
    )


def _refusals(column: Column) -> Iterator[Guess]:
    """What speaks against any kind, each as sure as a kind's guess of its rank."""
    unsuitable = _unsuitable_type(column)
    if unsuitable:
        yield Guess("", why=unsuitable, rank=Rank.TYPE)
        return
    if column.distinct == 0:
        yield Guess("", why="empty", rank=Rank.FEW)
        return
    if column.distinct == 1 and column.missing == 0:
        yield Guess("", why=f"the same in every row, {shown(column.known[0])}", rank=Rank.FEW)
    if column.share(ADDRESS) > MOSTLY:
        why = "web addresses"
        if column.share(_PICTURE_ADDRESS) > 0.5 or column.named(_PICTURE_NAMES):
            why = "web addresses of pictures: download these, and put their paths into a column"
        yield Guess("", why=why, rank=Rank.PLACES)
    if column.share(_OTHER_FORMATS) > MOSTLY:
        why = "paths of files that are not read: pictures are JPEG, PNG, WEBP, BMP, GIF, TIFF, AVIF, with "
        why += "polyhead[heic] HEIC, and with polyhead[dicom] DICOM"
        yield Guess("", why=why, rank=Rank.PLACES)
    if counts_rows(column):
        yield Guess("", why="only counts the rows", rank=Rank.COUNTER)
    moments = _moments(column)
    if moments:
        yield Guess("", why=f"{moments}, which no kind holds: add numbers made from them", rank=Rank.MOMENTS)


def _unsuitable_type(column: Column) -> str:
    """Why no feature kind holds a column of its type; empty where the words decide."""
    dtype = column.series.dtype
    if isinstance(dtype, pl.Struct):
        return "records of several fields: make a column of each field"
    if isinstance(dtype, (pl.List, pl.Array)):
        return "lists that are not all of one length, or not of numbers: make a column of each item"
    if dtype == pl.Duration:
        return "durations, which no kind holds: add their lengths as numbers"
    return f"{dtype}, which no feature kind holds" if column.words is None else ""


def _moments(column: Column) -> str:
    """What dates and times a column holds; empty where it holds others."""
    if column.series.dtype == pl.Time or column.share(_TIME) > MOSTLY:
        return "times of day"
    return "dates or times" if column.series.dtype.is_temporal() or column.share(_DATE) > MOSTLY else ""


def _way_out(column: Column) -> str:
    if _moments(column):
        return "predict a number made from the date, such as the days until it"
    return (
        almost_numbers(column)
        or other_spelling(column)
        or (
            "free text cannot be predicted; if these are classes after all, write the config by hand"
            if column.length >= WORDS_OF_TEXT
            else "if these are classes after all, write the config by hand"
        )
    )


def _examples(column: Column) -> Sequence[str]:
    return column.known.unique(maintain_order=True).head(3).to_list()
