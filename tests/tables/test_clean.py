"""The clean table: whole or refused; in parts every row once, in its order, whatever the size of a part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from refusals import refusal

from polyhead.contracts.config import load_config
from polyhead.contracts.validation import CLEAN_TABLE, ROW
from polyhead.errors import ArtifactError
from polyhead.tables import clean as tables
from polyhead.tables.clean import CleanTable, ParquetTable, open_clean
from polyhead.validate import step as validate


@pytest.fixture
def clean(tiny: Any) -> CleanTable:
    data = tiny(rows=100)
    validate.run(config=load_config(data.config), table=str(data.table), out=data.folder / "V")
    return open_clean(data.folder / "V")


@pytest.mark.parametrize("rows", [1, 7, 100, 1000, None])
def test_parts_are_the_rows_in_their_order(clean: CleanTable, rows: int | None) -> None:
    """Of equal size but the last, with columns and expressions as asked."""
    columns = (ROW, "size", (pl.col("size") * 2).alias("twice"))
    parts = list(clean.parts(rows))
    assert pl.concat(clean.read(part, *columns) for part in parts).equals(clean.scan().collect().select(columns))
    assert [len(part) for part in parts[:-1]] == [min(rows or 100, 100)] * (len(parts) - 1)
    assert clean.rows == 100


def test_parts_of_wide_rows_are_smaller(tmp_path: Path) -> None:
    """A row group, halved until a part is some tens of megabytes, however well the file is compressed."""
    path = tmp_path / "table.parquet"
    for rows, width, expected in ((500_000, 1, [131_072] * 3 + [106_784]), (64, 1, [64]), (64, 2**20, [16] * 4)):
        pl.DataFrame({"text": [f"{row:0{width}d}" for row in range(rows)]}).write_parquet(path)
        assert [len(part) for part in ParquetTable(path, rows).parts()] == expected
    pl.DataFrame({f"n{at}": [0.5] * 5_000 for at in range(1_000)}).write_parquet(path)
    assert [len(part) for part in ParquetTable(path, 5_000).parts()] == [2_048] * 2 + [904]


@pytest.mark.parametrize("wanted", [1, 5, 100])
@pytest.mark.parametrize("room", [2_000, 200_000, 2**30])
def test_pieces_hold_every_cell_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, wanted: int) -> None:
    """Whole columns as far as there is room, with fewer rows at a time of a column that is larger by itself."""
    rows, numbers = 1_000, [f"n{at}" for at in range(30)]
    frame = pl.DataFrame(
        {
            "long": [f"{row:0500d}" for row in range(rows)],
            **{name: pl.Series([float(row) for row in range(rows)]) for name in numbers},
            "labels": [[str(row)] for row in range(rows)],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet", row_group_size=300, compression="uncompressed", use_pyarrow=True)
    monkeypatch.setattr(tables, "_PART_BYTES", room)
    monkeypatch.setattr(tables, "_LEAST_BYTES", 1)
    table = ParquetTable(tmp_path / "t.parquet", rows)
    pieces = list(table.pieces(frame.columns, wanted))
    for name in frame.columns:
        own = sorted((piece.rows for piece in pieces if name in piece.columns), key=lambda part: part.start)
        assert pl.concat(table.read(part, name) for part in own).equals(frame.select(name))
    sizes = {name: 500 if name == "long" else 8 for name in frame.columns}
    assert all(sum(sizes[name] for name in piece.columns) * len(piece.rows) <= room for piece in pieces)
    if room == 2**30 and wanted < 100:
        assert {len(piece.rows) for piece in pieces if "n0" in piece.columns} == {rows}
    assert len(pieces) >= wanted


def test_a_changed_or_lost_clean_table_is_refused(tiny: Any) -> None:
    """The digest in the report is checked before the rows are used."""
    data = tiny()
    out = data.folder / "V"
    report = validate.run(config=load_config(data.config), table=str(data.table), out=out)
    assert open_clean(out).report == report
    assert open_clean(out).rows == 24
    table = out / CLEAN_TABLE
    table.write_bytes(table.read_bytes() + b"x")
    with refusal(ArtifactError, "artifact-changed"):
        open_clean(out)
    table.unlink()
    with refusal(ArtifactError, "artifact-file-missing"):
        open_clean(out)
    with refusal(ArtifactError, "artifact-not-found", shows=["ValidationReport.json"]):
        open_clean(data.folder)
