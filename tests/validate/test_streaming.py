"""The one pass: where a table is cut into parts changes no byte, and memory does not grow with it."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusal
from strategies import bad_and_good_cells

from polyhead.contracts.config import Config, load_config, parse_config
from polyhead.contracts.validation import CLEAN_TABLE, REJECTED_TABLE, ValidationReport
from polyhead.errors import DataError
from polyhead.tables.hashing import hashed
from polyhead.validate import step
from polyhead.validate.repeats import KeyHashes, RepeatedKeys

COLUMNS = ("id", "n", "c", "t", "r", "m", "part")
CONFIG = parse_config(
    yaml.safe_dump(
        {
            "table": "t.csv",
            "key": "id",
            "features": {
                "n": {"kind": "numeric", "min": 0},
                "c": {"kind": "category", "allowed": ["red", "a|b", "1"]},
                "t": {"kind": "text"},
            },
            "targets": {"r": {"kind": "regression"}, "m": {"kind": "multilabel"}},
            "split": {"column": "part"},
            "validate": {"max_rejected": 1.0},
        }
    )
)


def written(config: Config, table: Any, batch_rows: int | None) -> tuple[dict[str, bytes], list[str]]:
    """All files of the artifact by name, and the problems that were told."""
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "V"
        try:
            step.run(config=config, table=table, out=out, batch_rows=batch_rows)
        except DataError as error:
            problems = [str(problem).replace(folder, "") for problem in error.problems]
        return {path.name: path.read_bytes() for path in out.iterdir()}, problems


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[bad_and_good_cells] * len(COLUMNS)), min_size=1, max_size=40),
    st.integers(1, 45),
)
def test_any_batch_size_gives_the_same_artifact(rows: list[tuple[str | None, ...]], batch_rows: int) -> None:
    """Clean rows, rejected cells, counts, statistics and problems, byte by byte."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    assert written(CONFIG, frame, batch_rows) == written(CONFIG, frame, None)


def test_any_batch_size_and_number_of_workers_gives_the_same_artifact_with_pictures(tiny: Any) -> None:
    """A picture that many rows share, one that is missing, one that is none, and repeated keys."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[[3, 17, 21], "photo"] = "images/000.png"
        frame.loc[[5, 19], "photo"] = ["images/gone.png", None]
        frame.loc[[9, 22], "id"] = "row002"
        return frame

    data = tiny(change=spoil, validate={"max_rejected": 1.0, "images": "decode"})
    outs = []
    for name, batch_rows, workers in (("A", None, 2), ("B", 1, 1), ("C", 5, 3), ("D", 23, 2)):
        config = load_config(data.config)
        step.run(config=config, table=str(data.table), out=data.folder / name, batch_rows=batch_rows, workers=workers)
        outs.append({path.name: path.read_bytes() for path in (data.folder / name).iterdir()})
    assert outs[1:] == outs[:1] * 3
    rejected = pl.read_parquet(data.folder / "A" / REJECTED_TABLE)
    assert rejected.select("row", "column", "reason").rows() == [
        (5, "photo", "image_missing"),
        (9, "id", "duplicate_key"),
        (22, "id", "duplicate_key"),
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(*[bad_and_good_cells] * len(COLUMNS)), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), max_size=4),
    st.integers(1, 45),
)
def test_a_table_cut_into_files_gives_the_same_artifact(
    rows: list[tuple[str | None, ...]], cuts: list[int], batch_rows: int
) -> None:
    """Rows are numbered through all files; beside each rejected cell are its file and the row there."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    edges = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    with tempfile.TemporaryDirectory() as folder:
        for at, (first, last) in enumerate(itertools.pairwise(edges)):
            frame[first:last].write_parquet(f"{folder}/part-{at}.parquet")
        files, _ = written(CONFIG, folder, batch_rows)
    expected, _ = written(CONFIG, frame, None)
    assert files[CLEAN_TABLE] == expected[CLEAN_TABLE]
    cells = pl.read_parquet(files[REJECTED_TABLE])
    assert cells.drop("file", "file_row").equals(pl.read_parquet(expected[REJECTED_TABLE]))
    starts = {f"part-{at}.parquet": first for at, first in enumerate(edges)}
    assert [starts[file] + row for file, row in cells.select("file", "file_row").rows()] == cells["row"].to_list()


def test_a_rejection_names_the_file_and_the_row_there(tmp_path: Path) -> None:
    """In the report and in the error."""
    for at, cells in enumerate((["1", "2"], ["3", "x"])):
        frame = pl.DataFrame({"id": [f"{at}a", f"{at}b"], "n": cells, "t": ["u", "v"]})
        (tmp_path / "t" / f"c={at}").mkdir(parents=True)
        frame.write_csv(tmp_path / "t" / f"c={at}" / "part.csv")
    config = parse_config(
        "table: t\nkey: id\nfeatures: {n: {kind: numeric}, c: {kind: category}}\ntargets: {t: {kind: multiclass}}\n"
    )
    with refusal(DataError, "too-many-rejected", "not-a-number", "run-stopped", shows=["row 1 of c=1/part.csv"]):
        step.run(config=config, table=str(tmp_path / "t"), out=tmp_path / "V")
    report = ValidationReport.read(tmp_path / "V")
    assert [rejection.example.split(",")[0] for rejection in report.rejections] == ["key 1b (row 1 of c=1/part.csv)"]
    assert report.image_root == str(tmp_path / "t")
    assert pl.read_parquet(tmp_path / "V" / CLEAN_TABLE)["c"].to_list() == ["0", "0", "1"]


def test_keys_that_repeat_in_other_batches_are_found(tiny: Any) -> None:
    """The first row of the table keeps the key, whatever else is wrong with it."""
    frame = pl.DataFrame({"id": [f"k{i % 7}" for i in range(20)], "n": ["x", *map(str, range(19))], "t": "red"})
    config = parse_config(
        "table: t.csv\nkey: id\nfeatures: {n: {kind: numeric}}\ntargets: {t: {kind: multiclass}}\n"
        "validate: {max_rejected: 1.0}\n"
    )
    for batch_rows in (1, 3, 7, 20):
        with tempfile.TemporaryDirectory() as folder:
            with contextlib.suppress(DataError):
                step.run(config=config, table=frame, out=Path(folder) / "V", batch_rows=batch_rows)
            rejected = pl.read_parquet(Path(folder) / "V" / REJECTED_TABLE)
            clean = pl.read_parquet(Path(folder) / "V" / CLEAN_TABLE)
        assert rejected.filter(reason="duplicate_key")["row"].to_list() == list(range(7, 20))
        assert rejected.filter(reason="not_a_number")["row"].to_list() == [0]
        assert clean["__row__"].to_list() == [1, 2, 3, 4, 5, 6]


def hashes_of(keys: Sequence[str | None]) -> pl.Series:
    frame = pl.DataFrame({"key": keys}, schema={"key": pl.String})
    return frame.select(hashed(pl.col("key"))).to_series()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "aa", "", None]) | st.text(max_size=2), max_size=30), st.integers(1, 9))
def test_repeated_keys_are_those_that_pandas_calls_duplicated(keys: list[str | None], size: int) -> None:
    """Null repeats nothing."""
    series = pl.Series(keys, dtype=pl.String)
    noted = KeyHashes(len(keys))
    parts = [slice(start, start + size) for start in range(0, len(keys), size)]
    for part in parts:
        noted.add(hashes_of(keys[part]))
    again = RepeatedKeys(noted.suspects())
    found = [mask for part in parts for mask in again.repeated(series[part], hashes_of(keys[part]))]
    expected = pd.Series(keys, dtype=object).duplicated() & pd.Series(keys, dtype=object).notna()
    assert found == expected.tolist()


def test_two_keys_of_one_hash_are_two_keys() -> None:
    """A hash makes a key suspect; the key itself decides."""
    hashes = pl.Series([7, 7, 7, 8], dtype=pl.UInt64)
    noted = KeyHashes(4)
    noted.add(hashes)
    suspects = noted.suspects()
    assert suspects.tolist() == [7]
    assert RepeatedKeys(suspects).repeated(pl.Series(["a", "b", "a", "a"]), hashes).to_list() == [
        False, False, True, False,
    ]  # fmt: skip


MEASURED = """
import resource, sys
from polyhead.contracts.config import parse_config
from polyhead.validate import step
config = parse_config(
    "table: t\\nkey: id\\nfeatures: {a: {kind: numeric, min: 0}, note: {kind: text}}\\n"
    "targets: {y: {kind: multiclass}}\\n"
)
step.run(config=config, table=sys.argv[1], out=sys.argv[2])
try:  # what getrusage says begins with the memory of the process that started this one
    print(next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
except FileNotFoundError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    """Ten times the rows take less than a third of the memory more that holding them would take."""
    peaks, sizes = [], []
    for rows in (400_000, 4_000_000):
        numbers = pl.int_range(rows, eager=True)
        frame = pl.DataFrame({"id": numbers, "a": numbers * 0.37, "y": numbers % 3}).with_columns(
            pl.format("the note of row {} has words {}", "id", pl.lit("and more of them " * 8)).alias("note")
        )
        path = tmp_path / f"{rows}.parquet"
        frame.write_parquet(path, row_group_size=100_000)
        sizes.append(frame.estimated_size())
        del frame
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, path, tmp_path / "V"], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout))
        assert ValidationReport.read(tmp_path / "V").rows_clean == rows
    assert peaks[1] - peaks[0] < (sizes[1] - sizes[0]) / 3, (peaks, sizes)
