"""Which row lies where: a fixed order, whole shards, and the same rows from memory and from disk."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from polyhead.shard import order
from polyhead.shard.order import ORDER_SALT, RowOrder
from polyhead.tables.hashing import hash_positions

SPLITS = ("train", "val", "test")


def table(rows: int) -> pl.DataFrame:
    """Rows whose values follow from their number; every ninth is missing, as if rejected."""
    numbers = [row for row in range(rows) if row % 9]
    return pl.DataFrame(
        {
            "__row__": numbers,
            "__key__": [f"key{row}" for row in numbers],
            "__split__": [SPLITS[(row * row) % 7 % 3] for row in numbers],
            "value": [row * 1.5 for row in numbers],
            "labels": [[str(row)] * (row % 3) for row in numbers],
            "facts": [{"content_hash": str(row)} if row % 2 else None for row in numbers],
        }
    )


def shards_of(rows: pl.DataFrame, folder: Path, *, per_shard: int, batch: int) -> dict[str, pl.DataFrame]:
    planned = RowOrder(rows.select("__row__", "__key__", "__split__"), per_shard)
    folder.mkdir()
    spool = planned.spool(rows.iter_slices(batch), folder, planned.shards)
    return {shard.name: part for shard, part in spool.rows()}


@pytest.mark.parametrize("spool_bytes", [1000, 10**6])
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_rows_lie_by_split_and_hash_of_their_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, spool_bytes: int
) -> None:
    """Whatever the pieces the table came in, and whether it went through files."""
    monkeypatch.setattr(order, "_SPOOL_BYTES", spool_bytes)
    rows = table(400)
    shards = shards_of(rows, tmp_path / "spool", per_shard=30, batch=batch)
    places = rows.with_columns(hash_positions(ORDER_SALT, rows["__key__"]).alias("place"))
    for split in SPLITS:
        expected = places.filter(pl.col("__split__") == split).sort("place").drop("place")
        names = [name for name in shards if name.startswith(split)]
        assert names == [f"{split}-{i:05d}-of-{len(names):05d}.tfrecord" for i in range(len(names))]
        assert pl.concat(shards[name] for name in names).equals(expected)
        heights = [shards[name].height for name in names]
        assert max(heights) <= min(heights) + 1 <= 31
    assert list((tmp_path / "spool").iterdir()) == []


def test_rows_that_share_a_place_lie_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collision of the hash leaves no doubt either."""
    monkeypatch.setattr(order, "hash_positions", lambda _, keys: pl.Series([0.5] * len(keys)))
    shards = shards_of(
        table(100).sample(fraction=1, shuffle=True, seed=1).sort("value"),
        tmp_path / "s",
        per_shard=1000,
        batch=50,
    )
    for part in shards.values():
        assert part["__key__"].is_sorted()


def test_no_rows_of_a_split_are_no_shards(tmp_path: Path) -> None:
    """A split without rows has no file."""
    rows = table(50).filter(pl.col("__split__") != "val")
    shards = shards_of(rows, tmp_path / "spool", per_shard=10, batch=20)
    assert {name.partition("-")[0] for name in shards} == {"train", "test"}
    assert sum(part.height for part in shards.values()) == rows.height
