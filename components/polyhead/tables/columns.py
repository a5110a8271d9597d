"""The columns of a table, by their very names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
from polars import selectors

from polyhead.errors import DataError, Problem, did_you_mean


def named(*columns: str) -> pl.Expr:
    """Columns of a table, in this order, by their very names: polars itself takes `*` and `^a$` for patterns.

    The methods of a series do so with the series' own name.
    """
    return selectors.by_name(*columns).as_expr()


def choose_columns(
    name: str, names: Sequence[str], columns: Sequence[str] | None, optional: Sequence[str] = ()
) -> list[str]:
    """The columns to keep of those that a table has; a column without a name is left out.

    Args:
        name: What messages call the table.
        names: The names of its columns.
        columns: The columns wanted. Default: all that have a name.
        optional: More columns wanted, of those that there are.

    Raises:
        DataError: One is missing or is there twice; all of them at once.
    """
    counts = Counter(names)
    wanted = [column for column in counts if column] if columns is None else list(columns)
    wanted += [column for column in dict.fromkeys(optional) if column in counts and column not in wanted]
    problems = []
    if len(wanted) > 1 and not counts.keys() & set(wanted):
        header = ", ".join(list(counts)[:12])
        separated = next((mark for mark in (";", "\t", "|") if mark in header), None)
        hint = f"is its separator {separated!r}? Save it with commas" if separated else "is its first line a header?"
        raise DataError(
            "unknown-column",
            f"has none of the columns {', '.join(wanted[:12])}; it has: {header}",
            where=name,
            hint=hint,
        )
    for column in wanted:
        if column not in counts:
            problems.append(
                Problem("unknown-column", f"no column '{column}'", where=name, hint=did_you_mean(column, list(counts)))
            )
        elif counts[column] > 1:
            problems.append(
                Problem(
                    "duplicate-column", f"{counts[column]} columns are called '{column}'", where=name, hint="keep one"
                )
            )
    if problems:
        raise DataError(problems)
    return wanted
