"""Pictures as bytes in the table: the same rows, facts and shards as of the same pictures in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

from polyhead.contracts.config import Config, parse_config
from polyhead.contracts.validation import EMBEDDED_PICTURES, ValidationReport
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.tables.reading import open_table
from polyhead.validate import step
from polyhead.validate.infer import propose

BY_PATH = ("2.bmp", "4.webp")
SPLITS = ("train", "train", "val", "test")


@pytest.fixture
def rows(tmp_path: Path) -> pl.DataFrame:
    """A table of 12 rows that names pictures in files: four different ones, of several formats, and a missing one."""
    for at, name in enumerate(("0.png", "1.jpg", "2.bmp", "3.gif", "4.webp")):
        pixels = np.random.default_rng(at).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    names = ["0.png", "1.jpg", None, "2.bmp", "1.jpg", "3.gif", "4.webp", "0.png", "0.png", "1.jpg", "2.bmp", "3.gif"]
    return pl.DataFrame(
        {
            "id": [f"k{row:02d}" for row in range(12)],
            "photo": names,
            "price": [float(row) for row in range(12)],
            "part": [SPLITS[row % 4] for row in range(12)],
        }
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Of such a table."""
    return Config.model_validate(
        {
            "table": "t.parquet",
            "image_root": str(tmp_path),
            "key": "id",
            "features": {"photo": {"kind": "image", "size": [16, 16]}},
            "targets": {"price": {"kind": "regression"}},
            "split": {"column": "part"},
            "validate": {"max_rejected": 1.0},
        }
    )


def content(folder: Path, name: str | None) -> bytes | None:
    return None if name is None else (folder / name).read_bytes()


def as_bytes(rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    cells = [content(folder, name) for name in rows["photo"]]
    return rows.with_columns(photo=pl.Series(cells, dtype=pl.Binary))


def as_records(rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """As Hugging Face's datasets have pictures; some by their path alone."""
    cells = [
        None if name is None else {"bytes": None if name in BY_PATH else content(folder, name), "path": name}
        for name in rows["photo"]
    ]
    return rows.with_columns(photo=pl.Series(cells, dtype=pl.Struct({"bytes": pl.Binary, "path": pl.String})))


def in_pandas(rows: pl.DataFrame, folder: Path) -> pd.DataFrame:
    return pd.DataFrame({**rows.to_dict(as_series=False), "photo": [content(folder, name) for name in rows["photo"]]})


def records_in_pandas(rows: pl.DataFrame, folder: Path) -> pd.DataFrame:
    return pd.DataFrame(as_records(rows, folder).to_dict(as_series=False))


def in_parquet(rows: pl.DataFrame, folder: Path) -> str:
    as_bytes(rows, folder).write_parquet(folder / "t.parquet", row_group_size=5)
    return str(folder / "t.parquet")


def records_in_parquet(rows: pl.DataFrame, folder: Path) -> str:
    as_records(rows, folder).write_parquet(folder / "t.parquet")
    return str(folder / "t.parquet")


FORMS: list[Callable[[pl.DataFrame, Path], Any]] = [
    as_bytes, as_records, in_pandas, records_in_pandas, in_parquet, records_in_parquet
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_bytes_are_as_good_as_files(
    rows: pl.DataFrame, config: Config, tmp_path: Path, form: Callable[..., Any]
) -> None:
    """The same facts, statistics and shards, byte for byte; each different picture is kept once."""
    shards = []
    for name, table in (("files", rows), ("bytes", form(rows, tmp_path))):
        places = {step: tmp_path / name / step for step in ("v", "p", "s")}
        report = step.run(config=config, table=table, out=places["v"], batch_rows=5)
        assert (report.rows_clean, report.rows_rejected) == (12, 0)
        fitted = preprocess_step.run(config=config, data=places["v"], out=places["p"])
        manifest = shard_step.run(config=config, data=places["v"], preprocessing=places["p"], out=places["s"])
        files = [shard.path for shard in manifest.shards] + ["pictures.arrow", "rejected.parquet"]
        shards.append({file: (places["s"] / file).read_bytes() for file in files})
        shards[-1] |= {"statistics": fitted.feature_statistics["photo"].model_dump_json().encode()}
    assert shards[0] == shards[1]
    one, other = (pl.read_parquet(tmp_path / name / "v" / "clean.parquet") for name in ("files", "bytes"))
    assert one.drop("photo").equals(other.drop("photo"))
    assert (one["photo"].is_null() == other["photo"].is_null()).all()
    assert not (tmp_path / "files" / "v" / EMBEDDED_PICTURES).exists()
    held = set(rows["photo"].drop_nulls()) - (set(BY_PATH) if "records" in form.__name__ else set())
    kept = (tmp_path / "bytes" / "v" / EMBEDDED_PICTURES).read_bytes()
    assert len(kept) == sum(len((tmp_path / name).read_bytes()) for name in held)


def test_repeated_keys_change_no_place(rows: pl.DataFrame, config: Config, tmp_path: Path) -> None:
    """The table is read twice then, and its pictures are kept once."""
    table = as_bytes(rows, tmp_path)
    step.run(config=config, table=table, out=tmp_path / "v")
    repeated = pl.concat([table, table.head(1)])
    assert step.run(config=config, table=repeated, out=tmp_path / "w").rows_rejected == 1
    for name in (EMBEDDED_PICTURES, "clean.parquet"):
        assert (tmp_path / "v" / name).read_bytes() == (tmp_path / "w" / name).read_bytes()


def test_bytes_that_are_no_picture_are_rejected(rows: pl.DataFrame, config: Config, tmp_path: Path) -> None:
    """With what they are; bytes that are text are a path."""
    cells = as_bytes(rows, tmp_path)["photo"].to_list()
    cells[:5] = [b"\xff\xd8\xffjunk", b"\0\0", b"0.png", b"gone.png", cells[0][:-20]]
    table = rows.with_columns(photo=pl.Series(cells, dtype=pl.Binary))
    step.run(config=config, table=table, out=tmp_path / "v")
    found = pl.read_parquet(tmp_path / "v" / "rejected.parquet").select("row", "reason", "value").rows()
    assert found == [
        (0, "image_unreadable", "bytes:0+7"),
        (1, "image_unreadable", "bytes:7+2"),
        (3, "image_missing", "gone.png"),
        (4, "image_unreadable", f"bytes:9+{len(cells[4])}"),
    ]
    assert pl.read_parquet(tmp_path / "v" / "clean.parquet")["photo"][0] == "0.png"


def test_a_path_that_reads_like_a_place_is_missing(rows: pl.DataFrame, config: Config, tmp_path: Path) -> None:
    """In a table that holds no pictures, and beyond the end of those that one holds."""
    for table in (rows, as_bytes(rows, tmp_path)):
        cells = table["photo"].to_list()
        cells[0] = b"bytes:99999999+5" if table["photo"].dtype == pl.Binary else "bytes:0+5"
        spoilt = table.with_columns(photo=pl.Series(cells, dtype=table["photo"].dtype))
        report = step.run(config=config, table=spoilt, out=tmp_path / "v")
        assert [(one.reason, one.rows) for one in report.rejections] == [("image_missing", 1)]


def test_several_workers_leave_bytes_to_validate(rows: pl.DataFrame, config: Config, tmp_path: Path) -> None:
    """The plan has the paths; what is written is what one worker writes."""
    table = as_records(rows, tmp_path)
    step.run(config=config, table=table, out=tmp_path / "v")
    planned = step.plan(config=config, table=table, partitions=2, out=tmp_path / "plan")
    paths = pl.read_parquet(tmp_path / "plan" / "paths.parquet")["path"]
    assert sorted(paths) == list(BY_PATH)
    parts = []
    for partition in planned.partitions:
        parts.append(tmp_path / partition.name)
        step.run_partition(config=config, plan=tmp_path / "plan", partition=partition.name, out=parts[-1])
    step.run(config=config, table=table, out=tmp_path / "w", plan=tmp_path / "plan", parts=parts)
    assert ValidationReport.read(tmp_path / "v").files == ValidationReport.read(tmp_path / "w").files


@pytest.mark.parametrize("form", [as_bytes, as_records])
def test_init_proposes_pictures_in_the_table(
    rows: pl.DataFrame, tmp_path: Path, form: Callable[..., pl.DataFrame]
) -> None:
    """Of two columns alike each one; validate takes what is proposed."""
    table = pl.concat([form(rows, tmp_path).drop("part", "id")] * 5)
    table = table.with_columns(price=pl.int_range(table.height) * 1.5, back=pl.col("photo").reverse())
    table.write_parquet(tmp_path / "t.parquet")
    text = propose(table, str(tmp_path / "t.parquet"), ["price"]).text()
    assert text.count("pictures inside the table") == 2
    config = parse_config(text)
    assert [feature.kind for feature in config.features.values()] == ["image", "image"]
    report = step.run(config=config, table=str(tmp_path / "t.parquet"), out=tmp_path / "v")
    assert (report.rows_clean, report.images_checked) == (table.height, 5)


def test_a_parquet_file_of_bytes_is_read_a_part_at_a_time(rows: pl.DataFrame, tmp_path: Path) -> None:
    """However large its row groups are; all rows come, in their order and types."""
    place = in_parquet(rows, tmp_path)
    table = open_table(place, ["photo", "id"])
    parts = list(table.batches(2))
    assert max(part.height for part in parts) == 2
    assert pl.concat(parts).equals(table.frame())
