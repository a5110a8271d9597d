"""CSV and TSV files: what separates their cells, how many rows they have, and what is odd about them.

The columnar engine reads plain files as Python's `csv` module does, many times faster. A file with empty lines
between rows, quotes in cells that are not quoted, or other line ends is read by that module, and written anew for the
engine.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from polyhead.errors import DataError, Problem

Numbers = NDArray[Any]

SEPARATORS = (",", ";", "\t", "|")

_CHUNK = 4 * 2**20
_SAMPLED_BYTES = 64 * 1024
_SAMPLED_ROWS = 30
_TOLD_LINES = 10
_QUOTE, _LINE_FEED, _RETURN = b'"\n\r'


def separator_of(stream: IO[bytes], usual: str, wanted: Collection[str] = ()) -> str:
    """What separates the cells: the usual mark, unless only another cuts the first rows evenly.

    Where several do, one that makes the wanted columns is preferred.

    Args:
        stream: The file, from its start.
        usual: The mark that the file's name promises.
        wanted: Columns that the file must have.
    """
    sample = stream.read(_SAMPLED_BYTES)
    if len(sample) == _SAMPLED_BYTES:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    lines = sample.decode("utf-8-sig", errors="replace").splitlines(keepends=True)
    marks = [usual, *(mark for mark in SEPARATORS if mark != usual)]
    headers = {mark: header for mark in marks if (header := _even_header(lines, mark))}
    named = (mark for mark, header in headers.items() if set(wanted) <= set(header))
    return next(named, next(iter(headers), usual))


def _even_header(lines: list[str], mark: str) -> list[str]:
    """The first row where a mark cuts all of the first rows into as many cells, two at least; else empty."""
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(lines, delimiter=mark):
            if any(cells):
                rows.append(cells)
            if len(rows) == _SAMPLED_ROWS:
                break
    except csv.Error:
        return []
    return rows[0] if len({len(cells) for cells in rows}) == 1 and len(rows[0]) > 1 else []


def plain_rows(stream: IO[bytes], separator: str) -> int | None:
    """How many rows a plain file has.

    A file is plain where every line has as many cells as the header, quotes are around whole cells only, lines end
    with a line feed, with or without a carriage return, and empty lines are at the end only.

    Args:
        stream: The file, from its start, without a byte order mark.
        separator: What separates cells.

    Returns:
        The rows, without the header and the empty lines at the end; None for any other file.
    """
    census = _Census(ord(separator))
    for chunk in _chunks(stream):
        if not census.add(np.frombuffer(chunk, np.uint8)):
            return None
    return census.rows()


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """The file in parts, none of which ends where the next byte matters."""
    while chunk := stream.read(_CHUNK):
        while chunk[-1] in (_QUOTE, _RETURN) and (more := stream.read(1)):
            chunk += more
        yield chunk


class _Census:
    """Counts the rows of a file while it is plain."""

    def __init__(self, separator: int) -> None:
        self._separator = separator
        self._quoted = False  # whether the next byte is in quotes
        self._before = _LINE_FEED  # the byte before the next one
        self._length = 0  # bytes of the line so far
        self._marks = 0  # separators of the line so far
        self._width: int | None = None
        self._blank = False  # whether an empty line was seen
        self._lines = 0

    def add(self, chunk: Numbers) -> bool:
        """Count more bytes; False where the file is not plain."""
        quotes = np.flatnonzero(chunk == _QUOTE)
        if len(quotes) and not self._well_quoted(chunk, quotes):
            return False
        ends = self._outside(np.flatnonzero(chunk == _LINE_FEED), quotes)
        marks = self._outside(np.flatnonzero(chunk == self._separator), quotes)
        returns = self._outside(np.flatnonzero(chunk == _RETURN), quotes)
        if len(returns) and (returns[-1] + 1 == len(chunk) or (chunk[returns + 1] != _LINE_FEED).any()):
            return False
        lengths = np.diff(ends, prepend=-1 - self._length) - 1
        after_return = (ends > 0) & (chunk[ends - 1] == _RETURN)
        counts = np.diff(np.searchsorted(marks, ends), prepend=-self._marks)
        plain = self._count(lengths - after_return, counts)
        last = int(ends[-1]) + 1 if len(ends) else 0
        self._length = len(chunk) - last + (0 if len(ends) else self._length)
        self._marks = len(marks) - int(np.searchsorted(marks, last)) + (0 if len(ends) else self._marks)
        self._quoted ^= bool(len(quotes) % 2)
        self._before = int(chunk[-1])
        return plain

    def _outside(self, places: Numbers, quotes: Numbers) -> Numbers:
        if not len(quotes):
            return places[:0] if self._quoted else places
        outside: Numbers = places[(np.searchsorted(quotes, places) + self._quoted) % 2 == 0]
        return outside

    def _well_quoted(self, chunk: Numbers, quotes: Numbers) -> bool:
        opening = (np.arange(len(quotes)) + self._quoted) % 2 == 0
        opened, closed = quotes[opening], quotes[~opening]
        before = np.where(opened > 0, chunk[opened - 1], self._before)
        after = chunk[np.minimum(closed + 1, len(chunk) - 1)]
        after[closed + 1 == len(chunk)] = _LINE_FEED  # the file's end
        good_before = np.isin(before, (self._separator, _LINE_FEED, _QUOTE))
        good_after = np.isin(after, (self._separator, _LINE_FEED, _RETURN, _QUOTE))
        return bool(good_before.all() and good_after.all())

    def _count(self, lengths: Numbers, marks: Numbers) -> bool:
        """Count whole lines, of which the lengths and the separators are known."""
        if not len(lengths):
            return True
        empty = lengths == 0
        full = len(lengths)
        if empty.any():
            full = int(np.argmax(empty))
            if not empty[full:].all():
                return False
        if full and self._blank:
            return False
        self._blank |= full < len(lengths)
        if self._width is None:
            if not full:
                return False
            self._width = int(marks[0])
        self._lines += full
        return bool((marks[:full] == self._width).all())

    def rows(self) -> int | None:
        """The rows, once all bytes are counted."""
        if self._quoted:
            return None
        if self._length and not self._count(np.array([self._length]), np.array([self._marks])):
            return None
        return max(0, self._lines - 1)


def rewrite(stream: IO[bytes], separator: str, file: IO[bytes], *, place: str) -> int:
    """Read a file as Python's `csv` does, without its empty lines, and write it as a plain one with commas.

    Args:
        stream: The file, from its start.
        separator: What separates cells.
        file: Where the plain file is written.
        place: What messages call the file.

    Returns:
        The rows, without the header.

    Raises:
        DataError: Lines have more or fewer cells than the header, all of them, or a quote is never closed.
        UnicodeDecodeError: It is not UTF-8 text.
    """
    csv.field_size_limit(sys.maxsize)
    plain = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(plain, lineterminator="\r\n")  # so that a cell with either of the two is put in quotes
    lines = _Lines(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
    reader = csv.reader(lines, delimiter=separator)
    problems: list[Problem] = []
    width = rows = bad = 0
    record: list[str] = []
    for cells in reader:
        record, lines.record = lines.record, []
        if len(cells) <= 1 and not "".join(cells).strip() and not record[0].startswith('"'):
            continue  # an empty line; an empty cell in quotes is none
        if width == 0:
            width = len(cells)
        elif len(cells) == width:
            rows += 1
        else:
            bad += 1
            if bad <= _TOLD_LINES:
                problems.append(_uneven(place, reader.line_num, len(cells), width))
        writer.writerow(cells)
    if _is_open(record, separator):
        first = reader.line_num - len(record) + 1
        raise DataError(
            "unclosed-quote",
            f"line {first} opens a quote that is never closed",
            where=place,
            hint="close it, or double it",
        )
    if bad > _TOLD_LINES:
        problems.append(
            Problem("ragged-line", f"{bad - _TOLD_LINES:,} more lines have too many or too few cells", where=place)
        )
    if problems:
        raise DataError(problems)
    plain.flush()
    plain.detach()
    return rows


def _uneven(place: str, line: int, cells: int, width: int) -> Problem:
    hint = "put cells that hold the separator in quotes" if cells > width else "write its empty cells too"
    count = "1 cell" if cells == 1 else f"{cells} cells"
    return Problem("ragged-line", f"line {line} has {count}, the header has {width}", where=place, hint=hint)


class _Lines:
    """A file's lines, and those of the record that is being read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.record.append(line)
        return line


def _is_open(record: list[str], separator: str) -> bool:
    """Whether the file's last record ends within quotes, so that another line would belong to it."""
    *_, last = csv.reader([*record, "\n", "end"], delimiter=separator)
    return last != ["end"]
