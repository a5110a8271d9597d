"""Several workers look at the pictures, then one validates: the same bytes as one worker alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from commandline import digests
from PIL import Image
from refusals import refusal

from polyhead.contracts.config import Config, load_config
from polyhead.contracts.validation import PICTURES_TABLE, PicturePlan, ValidationReport
from polyhead.errors import ArtifactError
from polyhead.validate import step
from polyhead.validate.pictures import Pictures


@pytest.fixture
def pictured(tiny: Any) -> Any:
    """60 rows: one picture is missing, one broken, some serve several rows, one row has none."""

    def spoil(frame: Any) -> Any:
        frame.loc[7, "photo"] = None
        frame.loc[20:24, "photo"] = "images/003.png"
        return frame

    data = tiny(rows=60, change=spoil, validate={"max_rejected": 0.5})
    (data.folder / "images" / "010.png").unlink()
    (data.folder / "images" / "011.png").write_bytes(b"no picture")
    return data


def single(data: Any) -> Path:
    out: Path = data.folder / "single"
    step.run(config=load_config(data.config), table=str(data.table), out=out)
    return out


def planned(data: Any, partitions: int, out: str = "plan", config: Config | None = None) -> tuple[PicturePlan, Path]:
    place = data.folder / out
    plan = step.plan(config=config or load_config(data.config), table=str(data.table), partitions=partitions, out=place)
    return plan, place


def looked(data: Any, plan: Path, names: Sequence[str]) -> list[Path]:
    config = load_config(data.config)
    parts = []
    for name in names:
        parts.append(data.folder / f"{plan.name}-{name}")
        step.run_partition(config=config, plan=plan, partition=name, out=parts[-1], workers=2)
    return parts


def merged(data: Any, plan: Path, parts: Sequence[Path], config: Config | None = None) -> Path:
    out: Path = data.folder / "merged"
    config = config or load_config(data.config)
    step.run(config=config, table=str(data.table), out=out, plan=plan, parts=parts)
    return out


@pytest.mark.parametrize("partitions", [1, 4, 100])
@pytest.mark.parametrize("images", ["header", "decode"])
def test_the_artifact_is_the_one_that_one_worker_writes(
    tiny: Any, pictured: Any, monkeypatch: pytest.MonkeyPatch, partitions: int, images: str
) -> None:
    """Every byte, faults among them; and the validation itself looks at no picture again."""
    text = pictured.config.read_text()
    pictured.config.write_text(text.replace("  max_rejected: 0.5", f"  max_rejected: 0.5\n  images: {images}"))
    expected = digests(single(pictured))
    plan, place = planned(pictured, partitions)
    assert sum(part.end - part.start for part in plan.partitions) == 54  # 60 rows, one without, five share one
    parts = looked(pictured, place, plan.names)
    random.Random(0).shuffle(parts)
    monkeypatch.setattr(Pictures, "_look", lambda *_: pytest.fail("a picture was looked at again"))
    assert digests(merged(pictured, place, parts)) == expected
    report = ValidationReport.read(pictured.folder / "merged")
    assert (report.images_checked, report.rows_rejected, report.images) == (54, 2, images)


def test_a_picture_that_the_plan_did_not_know_is_looked_at(pictured: Any) -> None:
    """The table may have grown since the plan: the report is that of the table as it is."""
    plan, place = planned(pictured, 3)
    parts = looked(pictured, place, plan.names)
    Image.new("RGB", (9, 9)).save(pictured.folder / "images" / "new.png")
    frame = pictured.frame.copy()
    frame.loc[30, "photo"] = "images/new.png"
    frame.to_csv(pictured.table, index=False)
    assert digests(merged(pictured, place, parts)) == digests(single(pictured))


def test_missing_and_doubled_parts_are_refused(pictured: Any) -> None:
    """All of them at once; no artifact appears."""
    plan, place = planned(pictured, 3)
    first, _, third = looked(pictured, place, plan.names)
    with refusal(
        ArtifactError,
        *("partition-repeated", "partition-missing", "partitions-incomplete"),
        shows=["00000-of-00003", "00001-of-00003"],
    ):
        merged(pictured, place, [first, first, third])
    assert not (pictured.folder / "merged").exists()


def test_a_changed_part_is_refused(pictured: Any) -> None:
    """A part is believed by its digest only."""
    plan, place = planned(pictured, 2)
    parts = looked(pictured, place, plan.names)
    path = parts[1] / PICTURES_TABLE
    pl.read_parquet(path).reverse().write_parquet(path)
    with refusal(ArtifactError, "artifact-changed", where=path, shows=["polyhead validate-partition"]):
        merged(pictured, place, parts)


def test_a_plan_made_for_other_checks_is_refused(pictured: Any) -> None:
    """Facts found under another rule are not taken for this one's."""
    plan, place = planned(pictured, 2)
    parts = looked(pictured, place, plan.names)
    config = load_config(pictured.config)
    stricter = config.model_copy(update={"validate_": config.validate_.model_copy(update={"max_pixels": 100})})
    with refusal(ArtifactError, "plan-mismatch", shows=["100,000,000"]):
        merged(pictured, place, parts, stricter)


def test_partitions_are_balanced_by_bytes(tiny: Any) -> None:
    """Two giant pictures among 60 small ones lie in partitions of their own."""
    data = tiny(rows=60)
    for row in (10, 11):
        Image.effect_noise((700, 700), 60).save(data.folder / "images" / f"{row:03d}.png")
    plan, _ = planned(data, 4)
    giant = (data.folder / "images" / "011.png").stat().st_size
    files = sum(path.stat().st_size for path in (data.folder / "images").iterdir())
    assert sum(part.bytes for part in plan.partitions) == files + 60 * 4096
    assert len(plan.partitions) == 4
    assert max(part.bytes for part in plan.partitions) < 1.2 * giant
