"""Tables of many files: one table, whatever it is cut into, and what keeps files from being one."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import orc
from refusals import gist, refusal
from strategies import phrases

from polyhead.errors import DataError
from polyhead.tables.reading import open_table, read_table

WRITERS = {
    "parquet": pl.DataFrame.write_parquet,
    "csv": pl.DataFrame.write_csv,
    "tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "jsonl": pl.DataFrame.write_ndjson,
    "arrow": pl.DataFrame.write_ipc,
    "orc": lambda frame, path: orc.write_table(frame.to_arrow(), path),
}


def written(root: Path, files: dict[str, dict[str, Any] | pl.DataFrame]) -> str:
    """A folder of files, by their names in it."""
    for name, columns in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[path.suffix[1:]](pl.DataFrame(columns), path)  # type: ignore[operator]
    return str(root)


def problems_of(table: str, columns: list[str] | None = None) -> list[tuple[str, str, list[str]]]:
    with pytest.raises(DataError) as caught:
        read_table(table, columns)
    return [gist(problem) for problem in caught.value.problems]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(phrases, phrases.filter(bool)), min_size=1, max_size=30),
    st.lists(st.integers(0, 30), max_size=5),
    st.sampled_from(sorted(WRITERS)),
    st.integers(1, 9),
)
def test_a_table_is_the_same_however_it_is_cut_into_files(
    rows: list[tuple[str, str]], cuts: list[int], kind: str, size: int
) -> None:
    """Rows in order, in parts of the size that was asked for; files without rows are nothing."""
    frame = pl.DataFrame(rows, schema=["a", "b"], orient="row")
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    if kind == "jsonl":
        edges = sorted(set(edges))  # an empty file of JSON Lines is refused
    with tempfile.TemporaryDirectory() as folder:
        parts = {
            f"part-{number:05}.{kind}": frame.slice(first, last - first)
            for number, (first, last) in enumerate(itertools.pairwise(edges))
        }
        root = written(Path(folder), dict(parts))
        written(Path(folder), {f"_whole/one.{kind}": frame})
        opened = open_table(root, ["b", "a"])
        expected = read_table(f"{root}/_whole/one.{kind}", ["b", "a"])
        batches = list(opened.batches(size))
        assert opened.rows == len(rows)
        assert [batch.height for batch in batches[:-1]] == [size] * (len(batches) - 1)
        assert pl.concat(batches).equals(expected)
        assert read_table(f"{root}/part-*", ["b", "a"]).equals(expected)


def test_files_are_in_the_order_of_their_paths(tmp_path: Path) -> None:
    """By bytes, not by numbers or times; what is hidden or no table is left out."""
    names = ["part-2", "part-10", "b/part-0", "part-1", "_old/part-0", ".part-0"]
    root = written(tmp_path, {f"{name}.parquet": {"n": [name]} for name in names})
    for name in ("_SUCCESS", "_metadata", ".part-1.parquet.crc", "photo.png", "README"):
        Path(root, name).write_text("x")
    assert read_table(root)["n"].to_list() == ["b/part-0", "part-1", "part-10", "part-2"]
    assert read_table(f"{root}/part-1*")["n"].to_list() == ["part-1", "part-10"]
    assert read_table(f"{root}/_old/")["n"].to_list() == ["_old/part-0"]


def test_a_folder_may_be_called_as_a_file_is(tmp_path: Path) -> None:
    """As Spark writes `houses.parquet`."""
    root = written(tmp_path, {f"{name}.parquet/part-{n}.parquet": {"n": [n]} for name in ("a", "b") for n in (0, 1)})
    assert read_table(f"{root}/a.parquet")["n"].to_list() == [0, 1]
    assert read_table(f"{root}/*.parquet")["n"].to_list() == [0, 1, 0, 1]


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_partitions_are_columns(tmp_path: Path, kind: str) -> None:
    """As text, with their escapes resolved, and a missing value missing; below the folder that is given only."""
    folders = ["country=de/town=K%C3%B6ln%2FBonn", "country=007/town=__HIVE_DEFAULT_PARTITION__", "country=fr/town="]
    root = written(tmp_path, {f"year=2024/{folder}/0.{kind}": {"n": ["x", "y"]} for folder in folders})
    assert read_table(root, ["town", "n", "year", "country"]).rows() == [
        (None, "x", "2024", "007"),
        (None, "y", "2024", "007"),
        ("Köln/Bonn", "x", "2024", "de"),
        ("Köln/Bonn", "y", "2024", "de"),
        (None, "x", "2024", "fr"),
        (None, "y", "2024", "fr"),
    ]
    assert read_table(f"{root}/year=2024").columns == ["n", "country", "town"]
    assert read_table(f"{root}/*/country=[df]*")["country"].to_list() == ["de", "de", "fr", "fr"]
    opened = open_table(root, ["country"], ["town", "none"])
    assert opened.schema == {"country": pl.String, "town": pl.String}
    assert [batch.height for batch in opened.batches(4)] == [4, 2]


def test_a_column_that_is_in_the_files_too_is_read_from_them(tmp_path: Path) -> None:
    """With its type, as polars writes it beside the folders."""
    frame = pl.DataFrame({"day": [dt.date(2024, 1, 31), dt.date(2024, 2, 1)], "n": [1, 2]})
    frame.lazy().sink_parquet(pl.PartitionBy(tmp_path / "t", key="day", include_key=True))
    assert read_table(str(tmp_path / "t")).equals(frame)
    frame.lazy().sink_parquet(pl.PartitionBy(tmp_path / "u", key="day", include_key=False))
    assert read_table(str(tmp_path / "u"), ["day"])["day"].to_list() == ["2024-01-31", "2024-02-01"]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ([None], [1], pl.Int64),
        ([[]], [["x"]], pl.List(pl.String)),
        ([1], [0.5], pl.Float64),
        (pl.Series([1], dtype=pl.Int8), pl.Series([2], dtype=pl.UInt16), pl.Int32),
        (pl.Series([1], dtype=pl.UInt64), [0.5], pl.Float64),
        (pl.Series([0.5], dtype=pl.Float32), [0.1], pl.Float64),
        (pl.Series(["x"], dtype=pl.Categorical), ["y"], pl.String),
        (
            pl.Series([Decimal("1.5")], dtype=pl.Decimal(2, 1)),
            pl.Series([Decimal("0.25")], dtype=pl.Decimal(3, 2)),
            pl.Decimal(3, 2),
        ),
        ([[1, None]], [[0.5]], pl.List(pl.Float64)),
        ([2**53 + 1], [0.5], None),
        ([True], [1], None),
        (["1"], [1], None),
        ([dt.date(2024, 1, 31)], ["2024-01-31"], None),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), [-1], pl.Int128),
        ([["x"]], ["x"], None),
    ],
)
def test_types_that_go_together(tmp_path: Path, one: Any, other: Any, both: Any) -> None:
    """Where one holds all values of the other, in whatever order the files are; nothing is rounded."""
    for at, (first, second) in enumerate(((one, other), (other, one))):
        table = written(tmp_path / str(at), {"a.parquet": {"x": first}, "b.parquet": {"x": second}})
        if both is None:
            assert [code for _, code, _ in problems_of(table)] == ["differing-types"]
        else:
            frame = read_table(table)
            assert frame["x"].dtype == both
            assert frame["x"].to_list() == [*first, *second]


def test_files_that_differ(tmp_path: Path) -> None:
    """All columns and files at once; a column that nobody asked for may differ as it likes."""
    table = written(
        tmp_path,
        {
            "a/1.parquet": {"id": [1], "x": [1], "y": ["u"], "z": [1]},
            "a/2.parquet": {"id": [2], "x": ["v"], "y": ["u"]},
            "b/3.parquet": {"id": [3], "x": [2]},
            "c=1/4.parquet": {"id": [4], "x": [True], "y": ["u"], "z": ["w"]},
        },
    )
    assert read_table(table, ["id"])["id"].to_list() == [1, 2, 3, 4]
    with refusal(DataError, "unknown-column", "differing-columns", "differing-columns", "differing-columns",
                 where=[table] * 4, shows=["'iid'", "'id'", "b/3.parquet", "a/1.parquet, a/2.parquet, b/3.parquet"],
    ) as refused:  # fmt: skip
        read_table(table, ["iid", "y", "z", "c", "x"])
    assert "b/3.parquet" in refused.problems[1].what
    assert "a/2.parquet, b/3.parquet" in refused.problems[2].what
    with refusal(
        DataError,
        "differing-types",
        where=table,
        shows=["Int64 in a/1.parquet, b/3.parquet", "String in a/2.parquet", "Boolean in c=1/4.parquet"],
    ):
        read_table(table, ["id", "x"])
    assert problems_of(written(tmp_path / "t", {"c=1/c=2/a.parquet": {"n": [1]}}), ["n", "c"]) == [
        (f"{tmp_path}/t/c=1/c=2/a.parquet", "duplicate-column", ["2", "c"])
    ]


def test_all_broken_files_are_named(tmp_path: Path) -> None:
    """With the line in the file."""
    table = written(tmp_path, {"a.csv": {"x": ["1"], "y": ["2"]}, "d.csv": {"x": ["1"], "y": ["2"]}})
    (tmp_path / "b.csv").write_text("x,y\n1,2\n1\n")
    (tmp_path / "c.csv").write_text("")
    (tmp_path / "e.csv").symlink_to(tmp_path / "nothing")
    assert problems_of(table) == [
        (f"{table}/b.csv", "ragged-line", ["3", "1", "2"]),
        (f"{table}/c.csv", "empty-file", []),
        (f"{table}/e.csv", "file-not-found", []),
    ]
    damaged = written(tmp_path / "p", {f"{n}.parquet": {"x": list(range(1000))} for n in range(3)})
    content = bytearray(Path(damaged, "1.parquet").read_bytes())
    content[4:2000] = os.urandom(1996)
    Path(damaged, "1.parquet").write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(open_table(damaged).batches(100))
    assert [problem.where for problem in caught.value.problems] == [f"{damaged}/1.parquet"]


def test_folders_that_are_no_table(tmp_path: Path) -> None:
    """Nothing there, nothing of a table, several formats, no rows."""
    (tmp_path / "e").mkdir()
    assert problems_of(str(tmp_path / "e")) == [(str(tmp_path / "e"), "no-table-files", [])]
    (tmp_path / "e" / "photo.png").touch()
    with refusal(DataError, "no-table-files", where=tmp_path / "e", shows=["photo.png", ".parquet"]):
        read_table(str(tmp_path / "e"))
    assert [code for _, code, _ in problems_of(str(tmp_path / "e" / "*.csv"))] == ["no-table-files"]
    assert problems_of(str(tmp_path / "gone")) == [(str(tmp_path / "gone"), "file-not-found", [])]
    assert problems_of(str(tmp_path / "gone" / "*.csv"))[0][1] == "file-not-found"
    mixed = written(tmp_path / "m", {"a.csv": {"x": [1]}, "b.parquet": {"x": [1]}, "c.parquet": {"x": [1]}})
    with refusal(DataError, "mixed-formats", where=mixed, shows=["a.csv", "2", "**/*.parquet"]):
        read_table(mixed)
    assert read_table(f"{mixed}/**/*.parquet").height == 2
    none = written(tmp_path / "n", {name: pl.DataFrame(schema={"x": pl.Int64}) for name in ("a.parquet", "b.parquet")})
    assert problems_of(none) == [(none, "no-rows", [])]
