"""Tables in: what is read, and how each kind of broken table reads to its owner."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import orc
from refusals import gist, refusal
from strategies import phrases

from polyhead.errors import DataError
from polyhead.tables import formats, separated
from polyhead.tables.reading import open_table, read_table


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(name: str, content: bytes | str) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def refused(table: Any, columns: list[str] | None = None) -> tuple[str, list[str]]:
    with pytest.raises(DataError) as caught:
        read_table(table, columns)
    (problem,) = caught.value.problems
    if isinstance(table, str):
        assert problem.where == table
    _, code, values = gist(problem)
    return code, values


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(phrases, phrases), min_size=1, max_size=8))
def test_csv_cells_are_text_as_pandas_reads_them(rows: list[tuple[str, str]]) -> None:
    """What pandas writes comes back cell by cell; an empty cell is null."""
    frame = pd.DataFrame(rows, columns=["a", "b"])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.csv")
        frame.to_csv(path, index=False)
        received = read_table(path)
        expected = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    assert received.fill_null("").rows() == list(expected.itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n007,1.50\n", [("007", "1.50")]),
        ("\ufeffa,b\r\n1,2\r\n", [("1", "2")]),
        ('a,b\n"x\ny","he said ""no"", twice"\n', [("x\ny", 'he said "no", twice')]),
        ("a,b\n1,\n,2\n", [("1", None), (None, "2")]),
        ("a,b\n1,2\n\n\n", [("1", "2")]),
        ("a,b\r\n1,2\r\n\r\n", [("1", "2")]),
        ("a,b\n1,2", [("1", "2")]),
        ("a,b\n1,2\n,\n", [("1", "2"), (None, None)]),
        ("a,b\n\n1,2\n\r\n  \n3,4\n\n", [("1", "2"), ("3", "4")]),
        ("\n\na,b\n1,2\n", [("1", "2")]),
        ('a,b\n5" pipe,6\n"7"" pipe",8"\n', [('5" pipe', "6"), ('7" pipe', '8"')]),
        ("a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        ("a;b\n1,5;2\n", [("1,5", "2")]),
        ("a\tb\n1,5\t2\n", [("1,5", "2")]),
        ('"a"|"b"\n"x|y"|2\n', [("x|y", "2")]),
        ("a,b,\n1,2,\n", [("1", "2")]),
        (gzip.compress(b"a,b\n1,2\n"), [("1", "2")]),
    ],
    ids=["zeros", "bom crlf", "quotes", "empty", "blank end", "blank end crlf", "no newline", "commas", "blank",
         "blank start", "stray quotes", "returns", "semicolons", "tabs", "bars", "unnamed", "gzip"],
)  # fmt: skip
def test_csv(put: Any, content: bytes | str, rows: list[tuple[str | None, str | None]]) -> None:
    """Leading zeros, marks, quotes, empty lines, other separators and line ends, unnamed columns."""
    frame = read_table(put("t.csv", content))
    assert frame.columns == ["a", "b"]
    assert frame.rows() == rows


def test_tsv(put: Any) -> None:
    """Tabs separate, commas do not."""
    assert read_table(put("t.tsv", "a\tb\n1,5\t2\n")).rows() == [("1,5", "2")]


def test_json_lines_keep_their_types(put: Any) -> None:
    """Numbers, lists and nulls; absent keys are null; blank lines and a byte order mark are nothing."""
    text = '\ufeff{"a": 1, "b": ["x", "y"], "c": "007"}\n\n{"a": 2.5, "b": [], "c": null}\r\n{"b": null}\n'
    assert read_table(put("t.jsonl", text)).to_dict(as_series=False) == {
        "a": [1.0, 2.5, None],
        "b": [["x", "y"], [], None],
        "c": ["007", None, None],
    }


def test_parquet_from_pandas_and_polars(tmp_path: Path) -> None:
    """Types are kept: dates, decimals, categories, integers beyond 2**53."""
    frame = pl.DataFrame(
        {
            "int": [2**53 + 1, None],
            "uint": pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
            "date": [dt.date(2024, 1, 31), None],
            "decimal": [Decimal("1.10"), None],
            "category": pl.Series(["x", None], dtype=pl.Categorical),
            "list": [["x"], []],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    assert read_table(str(tmp_path / "t.parquet")).equals(frame)
    pd.DataFrame({"a": pd.Categorical(["x", "y"]), "b": [1, 2]}).to_parquet(tmp_path / "p.pq")
    assert read_table(str(tmp_path / "p.pq")).select(pl.all().cast(pl.String)).rows() == [("x", "1"), ("y", "2")]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_arrow_files_and_streams_are_told_apart(tmp_path: Path, compression: Any) -> None:
    """Under any of their names; words may be kept as codes, which are others in each batch of a stream."""
    batches = [
        pa.record_batch({"n": [1, 2], "c": pa.array(["x", "y"]).dictionary_encode(), "l": [["a"], None]}),
        pa.record_batch({"n": [3, None], "c": pa.array(["z", "x"]).dictionary_encode(), "l": [[], ["b"]]}),
    ]
    options = pa.ipc.IpcWriteOptions(compression=compression, unify_dictionaries=True)
    whole = pa.Table.from_batches(batches)
    with pa.ipc.new_stream(tmp_path / "t.arrow", whole.schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    with pa.ipc.new_file(tmp_path / "t.feather", whole.schema, options=options) as writer:
        writer.write_table(whole)
    expected = [(1, "x", ["a"]), (2, "y", None), (3, "z", []), (None, "x", ["b"])]
    for name in ("t.arrow", "t.feather"):
        opened = open_table(str(tmp_path / name))
        assert opened.rows == 4
        assert opened.frame().with_columns(pl.col("c").cast(pl.String)).rows() == expected


@pytest.mark.parametrize(
    ("name", "content", "code", "values"),
    [
        ("t.csv", "", "empty-file", []),
        ("t.parquet", "", "empty-file", []),
        ("t.jsonl", "", "empty-file", []),
        ("t.jsonl", "\n \n", "empty-file", []),
        ("t.csv", "a,b\n", "no-rows", []),
        ("t.csv", "a,b\n1,2\n3,4,5\n", "ragged-line", ["3", "3", "2"]),
        ("t.csv", 'a,b\n"x\ny",2\n3,4,5\n', "ragged-line", ["4", "3", "2"]),
        ("t.csv", "a,b\nä,2\n".encode("latin-1"), "not-utf8", ["2"]),
        ("t.csv", "a,b\n\n\nä,2\n".encode("latin-1"), "not-utf8", ["4"]),
        ("t.csv", "a,b\n1\n", "ragged-line", ["2", "1", "2"]),
        ("t.csv", 'a,b\n1,2\n"3,4\n5,6\n', "unclosed-quote", ["3"]),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "not-utf8", []),
        ("t.csv", "a,b,a,a\n1,2,3,4\n", "duplicate-column", ["3", "a"]),
        ("t.csv", '\ufeff"a",b,a\r\n1,2,3\r\n', "duplicate-column", ["2", "a"]),
        ("t.parquet", "junk that is no parquet", "invalid-table", []),
        ("t.arrow", "", "empty-file", []),
        ("t.arrow", "junk that is no arrow stream", "invalid-table", []),
        ("t.arrow", "ARROW1 and then no arrow file", "invalid-table", []),
        ("t.feather", "FEA1 and what was a table", "invalid-table", []),
        ("t.orc", "junk that is no orc", "invalid-table", []),
        ("t.jsonl", '{"a": 1}\n{"a": \n', "invalid-json", ["2", "7"]),
        ("t.jsonl", '{"a": 1}\n[1]\n', "invalid-json", ["2"]),
        ("t.jsonl", '{"a": NaN}\n', "invalid-json", ["1"]),
        ("t.jsonl", '[{"a": 1}]', "invalid-json", ["1"]),
        ("t.xlsx", "x", "unknown-table-format", [".xlsx"]),
        ("table", "x", "unknown-table-format", []),
    ],
)  # fmt: skip
def test_a_broken_file(put: Any, name: str, content: bytes | str, code: str, values: list[str]) -> None:
    """Each names the file, the reason and the line."""
    assert refused(put(name, content)) == (code, values)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    """Nothing there, a folder without files, a pipe (which would wait for ever), a pattern that nothing fits."""
    path = str(tmp_path / name)
    assert refused(path) == ("file-not-found", [])
    assert refused(str(tmp_path / f"*{name}"))[0] == "no-table-files"
    os.mkdir(path)
    assert refused(path)[0] == "no-table-files"
    os.rmdir(path)
    os.mkfifo(path)
    assert refused(path) == ("not-a-file", [])


def test_a_file_with_brackets_in_its_name_is_that_file(put: Any) -> None:
    """`t[1].csv` is a name, no pattern."""
    put("t1.csv", "a\nother\n")
    assert read_table(put("t[1].csv", "a\nthis\n")).rows() == [("this",)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(put: Any) -> None:
    """Permission denied is said, for every format."""
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        path = put(name, '{"a": 1}\n')
        os.chmod(path, 0)
        assert refused(path) == ("permission-denied", [])


def test_places_that_nothing_reads() -> None:
    """Other schemes are named."""
    for place in ("ftp://bucket/t.csv", "https://example.org/t.csv"):
        with refusal(
            DataError, "unknown-scheme", where=place, shows=[f"{place.split(':')[0]}://", "gs://", "minio://"]
        ):
            read_table(place)


def test_columns_are_chosen_in_order_and_all_missing_ones_named(put: Any) -> None:
    """With the nearest name; a column that nobody asked for may be as odd as it likes."""
    path = put("t.csv", "a,area,x,x\n1,2,3,4\n")
    assert read_table(path, ["area", "a"]).rows() == [("2", "1")]
    with pytest.raises(DataError) as caught:
        read_table(path, ["aera", "a", "zzzzzz", "x"])
    assert [gist(problem) for problem in caught.value.problems] == [
        (path, "unknown-column", ["aera", "area"]),
        (path, "unknown-column", ["zzzzzz"]),
        (path, "duplicate-column", ["2", "x"]),
    ]


def test_a_column_may_be_called_as_polars_renames(put: Any) -> None:
    """`x_duplicated_0` is a name like any other."""
    assert read_table(put("t.csv", "x,x_duplicated_0\n1,2\n"), ["x_duplicated_0"]).rows() == [("2",)]


def test_a_pandas_frame_with_any_index() -> None:
    """The index is no data: rows keep their order."""
    frame = pd.DataFrame({"a": [3, 1, 2]}, index=[7, 7, -1])
    assert read_table(frame)["a"].to_list() == [3, 1, 2]
    assert read_table(frame.set_index(pd.MultiIndex.from_tuples([(1, 2), (1, 2), (0, 0)])))["a"].to_list() == [3, 1, 2]
    assert read_table(pd.DataFrame({0: [1]}), ["0"]).rows() == [(1,)]


def test_a_pandas_column_of_several_types_is_text() -> None:
    """As the same cells read from a CSV file that pandas wrote."""
    mixed = [1, "x", None, 2.0, 2.5, True, np.nan, pd.NA, np.int64(4), Path("a/b.png"), dt.date(2024, 1, 31), 2**70]
    assert read_table(pd.DataFrame({"a": mixed}))["a"].to_list() == [
        "1", "x", None, "2.0", "2.5", "True", None, None, "4", "a/b.png", "2024-01-31", str(2**70),
    ]  # fmt: skip


def test_pandas_columns_that_cannot_be_read() -> None:
    """Named when they are asked for, ignored otherwise."""
    odd = pd.DataFrame({"z": [1j, 2j], "m": [b"\xff", 1], "a": [1, 2]})
    assert read_table(odd, ["a"]).rows() == [(1,), (2,)]
    with refusal(DataError, "not-a-single-value", where="column 'm'"):
        read_table(odd, ["m"])
    with refusal(DataError, "not-a-single-value", shows=["'z'"]):
        read_table(odd, ["z"])
    twice = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"])
    assert read_table(twice, ["b"]).rows() == [(2,)]
    assert refused(twice, ["a"]) == ("duplicate-column", ["2", "a"])


def test_pandas_columns_of_intervals_and_periods_are_their_names() -> None:
    """As pandas writes them to CSV."""
    frame = pd.DataFrame(
        {"a": pd.cut(pd.Series([1, 5, None]), [0, 2, 9]), "b": pd.PeriodIndex(["2024-01", "NaT", "2024-03"], freq="M")}
    )
    assert read_table(frame).rows() == [("(0, 2]", "2024-01"), ("(2, 9]", None), (None, "2024-03")]


def test_frames_without_rows() -> None:
    """Empty in memory is empty."""
    for frame in (pd.DataFrame({"a": []}), pl.DataFrame({"a": []}), pd.DataFrame(), pl.DataFrame()):
        assert refused(frame) == ("no-rows", [])


def test_what_is_no_table_is_a_type_error() -> None:
    """A programmer's mistake names what was given."""
    with pytest.raises(TypeError, match="received LazyFrame"):
        read_table(pl.DataFrame({"a": [1]}).lazy())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="received dict"):
        read_table({"a": [1]})  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.none() | st.integers(-9, 9) | phrases), min_size=1))
def test_json_lines_lose_no_row(records: list[dict[str, Any]]) -> None:
    """One line, one row."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.jsonl")
        Path(path).write_text("\n".join(json.dumps(record) for record in [{"a": 1}, *records]), encoding="utf-8")
        assert read_table(path).height == len(records) + 1


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "t.arrow", "t.orc", "frame"])
@pytest.mark.parametrize("rows", [1, 3, 7, 50])
def test_parts_of_a_table_are_the_table(tmp_path: Path, name: str, rows: int) -> None:
    """In order, of the size that was asked for, in the same types, and as many rows as were promised."""
    frame = pl.DataFrame({"a": [f"x\ny{i}" if i % 3 else None for i in range(20)], "b": [str(i) for i in range(20)]})
    table: Any = str(tmp_path / name)
    match name:
        case "t.csv":
            frame.write_csv(table)
        case "t.tsv":
            frame.write_csv(table, separator="\t")
        case "t.jsonl":
            frame.write_ndjson(table)
        case "t.parquet":
            frame.write_parquet(table, row_group_size=6)
        case "t.arrow":
            frame.write_ipc(table, record_batch_size=6)
        case "t.orc":
            orc.write_table(frame.to_arrow(), table)
        case _:
            table = frame
    opened = open_table(table, ["b", "a"])
    parts = list(opened.batches(rows))
    assert [part.height for part in parts] == [rows] * (20 // rows) + [20 % rows] * (20 % rows > 0)
    assert {tuple(part.schema.items()) for part in parts} == {tuple(opened.schema.items())}
    assert opened.rows == 20
    assert pl.concat(parts).equals(read_table(table, ["b", "a"]))
    assert pl.concat(parts).equals(frame.select("b", "a"))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(phrases, phrases), min_size=1, max_size=8), st.sampled_from(["", "\n", "\n\n\n"]))
def test_the_rows_of_a_csv_file_are_counted_as_they_are_read(rows: list[tuple[str, str]], end: str) -> None:
    """Line breaks in quotes and blank lines at the end included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        pd.DataFrame(rows, columns=["a", "b"]).to_csv(path, index=False)
        path.write_text(path.read_text(encoding="utf-8") + end, encoding="utf-8")
        opened = open_table(str(path))
        assert opened.rows == len(rows) == sum(part.height for part in opened.batches(3))


def test_what_is_wrong_far_down_is_found(put: Any) -> None:
    """With its line; the first of many, and how many more there are."""
    place = put("t.csv", "a,b\n" + "1,2\n" * 100_000 + "3,4,5\n")
    with refusal(DataError, "ragged-line", shows=["100002", "3", "2"]):
        open_table(place)
    place = put("t.csv", "a,b\n" + "1,2\n3\n" * 15)
    with pytest.raises(DataError) as caught:
        open_table(place)
    assert [gist(problem) for problem in caught.value.problems] == [
        *((place, "ragged-line", [str(line), "1", "2"]) for line in range(3, 22, 2)),
        (place, "ragged-line", ["5"]),
    ]


MARKS = st.text(st.sampled_from('ab",;\n\r\t |'), max_size=40)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["a,b\n", "a,b\r\n", '"a","b"\n']), st.lists(MARKS | st.just("x,y\n"), max_size=6).map("".join),
       st.integers(1, 12))  # fmt: skip
@example("a,b\n", ';","\r"\n', 1)
def test_any_text_is_read_as_python_reads_it(header: str, body: str, chunk: int) -> None:
    """Stray quotes, line ends of all kinds, empty lines; uneven lines are refused; wherever the file is cut.

    A line of one empty cell in quotes is no empty line: with quotes kept, it has characters.
    """
    text = header + body
    *_, last = csv.reader(io.StringIO(f"{text}\nz,z", newline=""))
    lines = io.StringIO(text, newline="")
    expected, start = [], 0
    for cells in csv.reader(iter(lines.readline, "")):
        if len(cells) > 1 or "".join(cells).strip() or text[start:].startswith('"'):
            expected.append(cells)
        start = lines.tell()
    refused = last != ["z", "z"] or len(expected) == 1 or any(len(cells) != 2 for cells in expected)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(separated, "_CHUNK", chunk)
        patch.setattr(formats, "separator_of", lambda *_: ",")
        path = Path(folder) / "t.csv"
        path.write_bytes(text.encode())
        if refused:
            with pytest.raises(DataError):
                open_table(str(path), ["a", "b"])
            return
        received = open_table(str(path), ["a", "b"])
        assert received.rows == len(expected) - 1
        assert [[cell or "" for cell in row] for row in received.frame().rows()] == expected[1:]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(phrases, phrases), min_size=1, max_size=30), st.sampled_from(",;\t|"), st.integers(1, 200),
       st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))  # fmt: skip
def test_what_a_csv_writer_wrote_is_plain(
    rows: list[tuple[str, str]], mark: str, chunk: int, end: str, quoting: Any
) -> None:
    """It needs no second look, and its rows are counted."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=mark, lineterminator=end, quoting=quoting).writerows([("a", "b"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separated, "_CHUNK", chunk)
        assert separated.plain_rows(io.BytesIO(text.getvalue().encode()), mark) == len(rows)


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (['{"a": true}', '{"a": 1}', '{"a": 0.5}'], ["true", "1", "0.5"]),
        (['{"a": 1}', '{"a": [1, "x"]}', '{"a": {"y": 2}}', '{"a": "z"}'], ["1", '[1, "x"]', '{"y": 2}', "z"]),
        (['{"a": [true, 1]}', '{"a": ["x", 2.5]}', '{"a": null}'], [["true", "1"], ["x", "2.5"], None]),
        (['{"a": "x\\ud83dy"}', '{"a": "\\ud83d\\ude00"}', '{"a": "\\\\ud83d"}'],
         ["x\ufffdy", "\U0001f600", "\\ud83d"]),
        (['{"a": "x", "b": {"c": 1}}', '{"a": "y", "b": {"c": [2]}}', '{"a": "z", "b": 3}'], ["x", "y", "z"]),
    ],
)  # fmt: skip
def test_json_lines_of_several_kinds(put: Any, lines: list[str], rows: list[Any]) -> None:
    """Booleans among numbers, lists among words, half a character pair; in a column of its own or another's."""
    assert read_table(put("t.jsonl", "\n".join(lines)), ["a"])["a"].to_list() == rows


def test_optional_columns_are_read_where_they_are(put: Any) -> None:
    """And no other is looked at: two of one name, values of all kinds."""
    place = put("t.csv", "a,x,k,x\n1,2,3,4\n")
    assert open_table(place, ["a"], ["k", "none"]).frame().to_dicts() == [{"a": "1", "k": "3"}]
    path = place.replace(".csv", ".parquet")
    pq.write_table(pa.table([[1], [2], ["k"], [4]], names=["a", "x", "k", "x"]), path)
    assert open_table(path, ["a"], ["k", "none"]).frame().to_dicts() == [{"a": 1, "k": "k"}]
    assert refused(path, ["x"]) == ("duplicate-column", ["2", "x"])
    path = place.replace(".csv", ".arrow")
    table = pa.table([[1], [2], [3]], names=["a", "x", "x"])
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write(table)
    assert open_table(path, ["a"], ["k"]).frame().to_dicts() == [{"a": 1}]
    assert refused(path, ["x"]) == ("duplicate-column", ["2", "x"])
    frame = pd.DataFrame([[1, 1j, "k", {}]], columns=["a", "x", "k", "x"])
    assert open_table(frame, ["a"], ["k", "none"]).frame().to_dicts() == [{"a": 1, "k": "k"}]
    assert refused(place, ["x"]) == ("duplicate-column", ["2", "x"])


@pytest.mark.parametrize("name", ["t.arrow", "t.arrows", "t.feather", "t.orc"])
def test_a_file_that_was_cut_off_is_no_table(tmp_path: Path, name: str) -> None:
    """Neither the half of an Arrow file, nor that of a stream, nor that of ORC."""
    frame = pl.DataFrame({"n": range(10_000), "t": [f"word {n}" for n in range(10_000)]})
    path = tmp_path / name
    match path.suffix:
        case ".orc":
            orc.write_table(frame.to_arrow(), path)
        case ".feather":
            frame.write_ipc(path)
        case _:
            frame.write_ipc_stream(path)
    path.write_bytes(path.read_bytes()[:-20_000])
    with refusal(DataError, "invalid-table", where=path):
        read_table(str(path))
