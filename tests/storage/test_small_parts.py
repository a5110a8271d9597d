"""Places, the ordered parallel map, rejected rows, and the clean table's guard."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.contracts.config import load_config
from polyhead.contracts.validation import CLEAN_TABLE
from polyhead.errors import ArtifactError
from polyhead.storage import places
from polyhead.storage.clean import open_clean
from polyhead.storage.parallel import ordered_map
from polyhead.storage.rejected import SCHEMA, Rejected, RejectionCounts
from polyhead.validate import step as validate


@pytest.mark.parametrize(
    ("root", "path", "joined"),
    [
        ("/data", "a.png", "/data/a.png"),
        ("/data", "./x/../a.png", "/data/a.png"),
        ("/data", "/else/a.png", "/else/a.png"),
        ("/data", "gs://b/a.png", "gs://b/a.png"),
        ("gs://b/x", "a.png", "gs://b/x/a.png"),
        ("gs://b/x/", "a.png", "gs://b/x/a.png"),
        ("gs://b/x", ".", "gs://b/x"),
    ],
)
def test_join(root: str, path: str, joined: str) -> None:
    """Relative paths go under the root, places of their own stay."""
    assert places.join(root, path) == joined


def test_folder_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a local table is absolute, that of an object is its prefix."""
    monkeypatch.chdir(tmp_path)
    assert places.folder_of("sub/t.csv") == str(tmp_path / "sub")
    assert places.folder_of("gs://bucket/a/t.csv") == "gs://bucket/a"
    assert places.folder_of("gs://bucket/t.csv") == "gs://bucket"


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_ordered_map_keeps_the_order(workers: int) -> None:
    """Whatever the workers' number, and whoever is first."""
    gate = threading.Event()

    def work(item: int) -> int:
        if workers > 1 and item == 0:
            gate.wait(5)  # item 1 ends before item 0
        if item == 1:
            gate.set()
        return item * item

    assert list(ordered_map(work, range(50), workers=workers)) == [i * i for i in range(50)]


@pytest.mark.parametrize("workers", [1, 3])
def test_ordered_map_is_lazy_and_raises_at_the_items_turn(workers: int) -> None:
    """An endless input is read only a little ahead; results before the failing one arrive."""
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for item in itertools.count():
            read = item
            yield item

    def work(item: int) -> int:
        if item == 6:
            raise KeyError(item)
        return item

    results = ordered_map(work, items(), workers=workers)
    assert list(itertools.islice(results, 6)) == list(range(6))
    with pytest.raises(KeyError):
        next(results)
    assert read <= 6 + 4 * workers


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


def test_a_changed_or_lost_clean_table_is_refused(tiny) -> None:
    """The digest in the report is checked before the rows are used."""
    data = tiny()
    out = data.folder / "V"
    report = validate.run(config=load_config(data.config), table=str(data.table), out=out)
    assert open_clean(out).report == report
    assert open_clean(out).rows == 24
    table = out / CLEAN_TABLE
    table.write_bytes(table.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match=r"was changed after it was written|is missing"):
        open_clean(out)
    table.unlink()
    with pytest.raises(ArtifactError, match=r"was changed after it was written|is missing"):
        open_clean(out)
    with pytest.raises(ArtifactError, match=r"no ValidationReport\.json there"):
        open_clean(data.folder)
