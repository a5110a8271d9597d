"""What keeps a file from being read as a table, in words that name the file and, where one does, the line."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import polars as pl

from polyhead.errors import DataError
from polyhead.tables.source import Source


@contextlib.contextmanager
def named_failures(place: str, source: Source | None = None) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an error that names it.

    Args:
        place: What messages call the file.
        source: The file, where it is known to be one.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError("file-not-found", "no such table", where=place) from None
    except pl.exceptions.NoDataError:
        raise DataError("empty-file", "is empty", where=place) from None
    except PermissionError:
        raise DataError("permission-denied", "may not be read: permission denied", where=place) from None
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        if source is not None and not isinstance(error, OSError):
            _explain(source)
        suffix = PurePosixPath(place).suffix.lower()
        reason = str(error).splitlines()[0]
        hint = "save it as UTF-8" if re.search("utf-?8", reason, re.IGNORECASE) else ""
        raise DataError("invalid-table", f"cannot be read as {suffix[1:]}: {reason}", where=place, hint=hint) from None


def _explain(source: Source) -> None:
    """Name the line that keeps a file from being read, where one does.

    Raises:
        DataError: There is one.
    """
    if source.kind == "json":
        _refuse_other_json(source)
    elif source.kind in ("csv", "tsv"):
        _refuse_other_text(source)


def _refuse_other_text(source: Source) -> None:
    """Name the first line that is not UTF-8 text."""
    with source.stream() as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                raise DataError(
                    "not-utf8", f"line {number} is not UTF-8 text", where=source.place, hint="save it as UTF-8"
                ) from None


def _refuse_other_json(source: Source) -> None:
    """Name the first line that is not a JSON object."""
    with source.stream() as stream:
        for number, line in enumerate(stream, 1):
            reason = _no_json_object(line.rstrip(b"\n"))
            if reason:
                raise DataError("invalid-json", f"line {number} is not a JSON object: {reason}", where=source.place)


def _no_json_object(line: bytes) -> str:
    """What is wrong with a line of JSON; empty where nothing is."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not a JSON value: write null")

    if not line.strip():
        return ""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=refuse)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.colno}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return "" if isinstance(value, dict) else f"received a {type(value).__name__}"
