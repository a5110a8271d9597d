"""Rejected cells: one line each, counted by column and reason."""

from __future__ import annotations

import itertools

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.tables.rejected import SCHEMA, Rejected, RejectionCounts


def test_rejected_cells_are_sorted_counted_and_cut() -> None:
    """One line per cell with key, column, reason and value; long values are cut, lists are shown as lists."""
    rejected = Rejected()
    keys = pl.Series(["k0", "k1", "k2", None])
    texts = pl.Series("t", ["x", "y" * 500, None, "z"])
    rejected.add(pl.Series([False, True, True, True]), keys, "t", "bad", texts, "because")
    rejected.add(pl.Series([True, None, False, False]), keys, "l", "odd", pl.Series([["a", "b"], [], [], []]), "why")
    assert rejected.rows == {0, 1, 2, 3}
    assert rejected.frame().schema == SCHEMA
    assert rejected.frame().rows() == [
        (0, "k0", "l", "odd", "['a', 'b']", "why"),
        (1, "k1", "t", "bad", "y" * 200, "because"),
        (2, "k2", "t", "bad", None, "because"),
        (3, None, "t", "bad", "z", "because"),
    ]
    assert [(r.column, r.reason, r.rows, r.example) for r in rejected.summary()] == [
        ("t", "bad", 3, f"key k1, '{'y' * 200}': because"),
        ("l", "odd", 1, "key k0, \"['a', 'b']\": why"),
    ]


def test_a_moment_of_any_year_is_shown() -> None:
    """As Python writes it, or as the number that is stored where Python has no such year."""
    keys, far = pl.Series(["a", "b", "c"]), 10**17
    for dtype, stored, shown in (
        (pl.Date(), [0, 5 * 10**6, None], ["1970-01-01", "5000000", None]),
        (pl.Datetime("ms"), [1_500, far, None], ["1970-01-01 00:00:01.500000", str(far), None]),
        (pl.Datetime("us", "Asia/Tokyo"), [0, 3 * far, None], ["1970-01-01 09:00:00+09:00", str(3 * far), None]),
        (pl.Datetime("ns"), [1_000, -far, None], ["1970-01-01 00:00:00.000001", "1966-10-31 14:13:20", None]),
    ):
        rejected = Rejected()
        cells = pl.Series(stored, dtype=pl.Int64).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)
        rejected.add(pl.Series([True] * 3), keys, "t", "odd", cells, "why")
        assert rejected.frame()["value"].to_list() == shown


def test_nothing_rejected_is_an_empty_table() -> None:
    """With its columns."""
    assert Rejected().frame().schema == SCHEMA
    assert Rejected().frame().height == 0
    assert Rejected().summary() == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab"), st.sampled_from("xy")), max_size=20, unique=True),
    st.lists(st.integers(0, 9), max_size=3),
)
def test_rejections_count_the_same_in_parts(cells: list[tuple[int, str, str]], cuts: list[int]) -> None:
    """The first row of each column and reason is the example; rows with several problems count once."""
    rejected = Rejected()
    for row, column, reason in cells:
        rejected.add_cell(row, f"k{row}", column, reason, "v", "d")
    counts, frame = RejectionCounts(), rejected.frame()
    for low, high in itertools.pairwise([-1, *sorted(cuts), 9]):
        counts.add(frame.filter((pl.col("row") > low) & (pl.col("row") <= high)))
    assert counts.summary() == rejected.summary()
    assert counts.rows == len({row for row, _, _ in cells}) == len(rejected.rows)
    for group in counts.summary():
        rows = [row for row, column, reason in cells if (column, reason) == (group.column, group.reason)]
        assert (group.rows, group.example) == (len(rows), f"key k{min(rows)}, 'v': d")
