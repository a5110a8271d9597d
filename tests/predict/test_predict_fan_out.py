"""Several workers predict one table: plan, partitions, merge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from refusals import refusal

from polyhead.contracts.prediction import PREDICTIONS_TABLE, PredictionPart, PredictionPlan
from polyhead.errors import ArtifactError, DataError
from polyhead.predict import step


@pytest.fixture
def spoilt(model: Any, tmp_path: Path) -> Path:
    """1,000 rows beside the pictures; some cells are bad, and one picture in a hundred is missing."""
    frame = pl.concat([model.rows(40).with_columns(pl.col("id") + f"/{copy}") for copy in range(25)])
    row = pl.int_range(pl.len())
    frame = frame.with_columns(
        size=pl.when(row % 97 == 5).then(pl.lit(5000.0)).otherwise("size"),
        path=pl.when(row % 100 == 8).then(pl.lit("gone.png")).otherwise("path"),
    )
    place: Path = model.folder / f"{tmp_path.name}.parquet"
    frame.write_parquet(place)
    return place


def planned(model: Any, table: Path, folder: Path, partitions: int) -> tuple[PredictionPlan, Path]:
    place = folder / "plan"
    return step.plan(bundle=model.bundle, table=str(table), partitions=partitions, out=place), place


def predicted(model: Any, plan: Path, names: list[str]) -> list[Path]:
    parts = []
    for name in names:
        parts.append(plan.parent / f"part-{name}")
        step.run_partition(bundle=model.bundle, plan=plan, partition=name, out=parts[-1], workers=2)
    return parts


def files(out: Path) -> list[bytes]:
    return [out.read_bytes(), out.with_name(f"{out.stem}.rejected.parquet").read_bytes()]


@pytest.mark.parametrize("partitions", [1, 3])
def test_the_merged_files_are_those_that_one_worker_writes(
    model: Any, spoilt: Path, tmp_path: Path, partitions: int
) -> None:
    """Predictions, rejected rows and counts, byte for byte; of many files also where each rejected row is."""
    if partitions > 1:
        frame = pl.read_parquet(spoilt)
        for at in range(2):
            frame[at * 600 :][:600].write_parquet(spoilt.with_name(f"{spoilt.stem}-{at}.parquet"))
        spoilt = spoilt.with_name(f"{spoilt.stem}-[01].parquet")
    single = step.run(bundle=model.bundle, table=str(spoilt), out=tmp_path / "single.parquet")
    plan, place = planned(model, spoilt, tmp_path, partitions)
    assert len(plan.partitions) == partitions
    parts = predicted(model, place, plan.names)
    merged = step.merge(plan=place, parts=parts[::-1], out=tmp_path / "merged.parquet")
    assert files(tmp_path / "merged.parquet") == files(tmp_path / "single.parquet")
    named = {"path", "rejected_path"}
    assert merged.model_dump(exclude=named) == single.model_dump(exclude=named)
    assert (single.rows_read, single.rows_rejected) == (1000, 21)
    cells = pl.read_parquet(tmp_path / "merged.rejected.parquet")
    if partitions > 1:
        located = [(f"{tmp_path.name}-{row // 600}.parquet", row % 600) for row in cells["row"]]
        assert cells.select("file", "file_row").rows() == located
    else:
        assert "file" not in cells.columns


def test_missing_parts_and_lost_rows_are_refused(model: Any, spoilt: Path, tmp_path: Path) -> None:
    """No row of the table can disappear between the plan and the output."""
    plan, place = planned(model, spoilt, tmp_path, 3)
    parts = predicted(model, place, plan.names)
    with refusal(ArtifactError, "partition-missing", "partitions-incomplete", shows=["00001-of-00003"]):
        step.merge(plan=place, parts=[parts[0], parts[2]], out=tmp_path / "merged.parquet")
    whole = PredictionPart.read(parts[1])
    whole.model_copy(update={"rows_predicted": whole.rows_predicted - 1}).write(parts[1])
    with refusal(ArtifactError, "partition-mismatch", shows=["00001-of-00003"]):
        step.merge(plan=place, parts=parts, out=tmp_path / "merged.parquet")
    (parts[1] / PREDICTIONS_TABLE).write_bytes(b"other")
    whole.write(parts[1])
    with refusal(ArtifactError, "artifact-changed", shows=["predictions.parquet", "5 bytes"]):
        step.merge(plan=place, parts=parts, out=tmp_path / "merged.parquet")
    assert not (tmp_path / "merged.parquet").exists()


def test_a_table_without_a_usable_row_says_so_after_the_merge(model: Any, tmp_path: Path) -> None:
    """The rejected rows are written, as one worker writes them."""
    place = model.folder / f"{tmp_path.name}.csv"
    model.rows(3).with_columns(pl.lit("").alias("colour")).write_csv(place)
    plan, folder = planned(model, place, tmp_path, 4)
    parts = predicted(model, folder, plan.names)
    with refusal(DataError, "no-clean-rows"):
        step.merge(plan=folder, parts=parts, out=tmp_path / "merged.parquet")
    assert pl.read_parquet(tmp_path / "merged.rejected.parquet")["reason"].to_list() == ["missing"] * 3


def test_a_plan_of_another_bundle_is_refused(model: Any, spoilt: Path, tmp_path: Path) -> None:
    """Its rows were cleaned by another configuration's rules."""
    plan, place = planned(model, spoilt, tmp_path, 2)
    bundle = plan.made_from["bundle"]
    plan.model_copy(update={"made_from": {"bundle": "0" * 64}}).write(place)
    with refusal(ArtifactError, "origin-mismatch", shows=["000000000000", bundle[:12]]):
        step.run_partition(bundle=model.bundle, plan=place, partition="00000-of-00002", out=tmp_path / "part")
