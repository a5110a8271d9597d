"""Several workers write one artifact: plan, partitions, merge."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from commandline import digests
from PIL import Image
from refusals import refusal

from polyhead.contracts.config import parse_config
from polyhead.contracts.shards import TIMINGS, ShardManifest, ShardTimings
from polyhead.errors import ArtifactError, DataError
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.storage.artifact import sha256_of
from polyhead.validate import step as validate_step

KILLED = """
import os, signal, sys
from polyhead.contracts.config import load_config
from polyhead.examples import rows
from polyhead.shard import step

name, left = sys.argv[1], int(sys.argv[2])
encode = rows.RowEncoder.__call__

def count_down(*arguments, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return encode(*arguments, **options)

rows.RowEncoder.__call__ = count_down
config = load_config("config.yaml")
step.run_partition(
    config=config, data="validate", preprocessing="preprocess", plan="plan", partition=name, out=f"plan-{name}"
)
"""


@pytest.mark.parametrize("partitions", [1, 2, 3, 8, 400])
def test_the_merged_artifact_is_the_one_that_one_worker_writes(
    prepared: Any, tmp_path_factory: pytest.TempPathFactory, partitions: int
) -> None:
    """Every byte of the artifact, for fewer and more partitions than shards and than rows."""
    _, single = prepared.shard("single")
    planned, plan = prepared.plan(partitions, f"plan{partitions}")
    assert len(planned.partitions) == min(partitions, 130)
    parts = [prepared.part(plan, name) for name in planned.names]
    random.Random(partitions).shuffle(parts)
    _, merged = prepared.merge(plan, parts, f"merged{partitions}")
    assert digests(merged) == digests(single)


def test_rows_rejected_in_partitions_are_those_that_one_worker_rejects(vanished: Any) -> None:
    """A row whose picture has vanished is told once, in the merged artifact as in a part."""
    manifest, single = vanished.shard("single")
    assert manifest.rows_rejected == 1
    planned, plan = vanished.plan(4)
    merged, place = vanished.merge(plan, [vanished.part(plan, name) for name in planned.names])
    assert (digests(place), merged) == (digests(single), manifest)


def test_two_killed_partitions_are_run_again_alone(vanished: Any, tmp_path: Path) -> None:
    """SIGKILL in the middle of two partitions: only those run again, and the end equals an undisturbed run."""
    _, single = vanished.shard("single")
    planned, plan = vanished.plan(4)
    killed = planned.names[1:3]
    for name in killed:
        done = subprocess.run([sys.executable, "-c", KILLED, name, "9"], cwd=tmp_path, check=False, capture_output=True)
        assert done.returncode == -signal.SIGKILL
    parts = [vanished.part(plan, name) for name in planned.names if name not in killed]
    with refusal(
        ArtifactError,
        *("partition-missing", "partition-missing", "partitions-incomplete"),
        shows=["00001-of-00004", "00002-of-00004"],
    ):
        vanished.merge(plan, parts)
    parts += [vanished.part(plan, name) for name in killed]
    _, place = vanished.merge(plan, parts)
    assert digests(place) == digests(single)


def test_a_partition_given_twice_is_refused(fresh: Any) -> None:
    """Its rows would be there twice."""
    planned, plan = fresh.plan(2)
    parts = [fresh.part(plan, name) for name in planned.names]
    again = fresh.part(plan, planned.names[0], "again")
    with refusal(ArtifactError, "partition-repeated", "partitions-incomplete", shows=["00000-of-00002", "2"]):
        fresh.merge(plan, [*parts, again])


def test_a_part_of_another_plan_is_refused(fresh: Any) -> None:
    """The message names both plans' fingerprints."""
    planned, plan = fresh.plan(2)
    other, other_plan = fresh.plan(3, "other")
    parts = [fresh.part(plan, planned.names[0]), fresh.part(other_plan, other.names[1])]
    with pytest.raises(ArtifactError) as error:
        fresh.merge(plan, parts)
    assert other.fingerprint()[:12] in str(error.value)
    assert planned.fingerprint()[:12] in str(error.value)


def test_a_partition_that_is_not_planned_is_refused(fresh: Any) -> None:
    """The names of the plan are told."""
    _, plan = fresh.plan(2)
    with refusal(ArtifactError, "unknown-partition", shows=["'7'", "00000-of-00002", "00001-of-00002"]):
        fresh.part(plan, "7")


@pytest.mark.parametrize("file", ["shard", "rejected.parquet", "pictures.arrow"])
@pytest.mark.parametrize("damage", ["changed", "lost"])
def test_a_damaged_part_is_refused(fresh: Any, file: str, damage: str) -> None:
    """The file is named; nothing appears at the output."""
    planned, plan = fresh.plan(2)
    parts = [fresh.part(plan, name) for name in planned.names]
    name = next(parts[1].glob("*.tfrecord")).name if file == "shard" else file
    path = parts[1] / name
    content = path.read_bytes()
    path.unlink()
    if damage == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    code = "artifact-file-missing" if damage == "lost" else "artifact-changed"
    with refusal(ArtifactError, code, where=path, shows=["polyhead shard-partition"]):
        fresh.merge(plan, parts)
    assert not (fresh.folder / "merged").exists()


def test_a_part_that_lost_rows_is_refused(fresh: Any) -> None:
    """A contract that holds fewer rows than its partition is not believed, whatever its files say."""
    planned, plan = fresh.plan(2)
    parts = [fresh.part(plan, name) for name in planned.names]
    part = shard_step.ShardPart.read(parts[0])
    first, *others = part.shards
    part.model_copy(update={"shards": [first.model_copy(update={"rows": first.rows - 1}), *others]}).write(parts[0])
    with refusal(ArtifactError, "partition-mismatch", shows=["14", "00000-of-00002", "15"]):
        fresh.merge(plan, parts)


def test_too_many_rejected_rows_stop_the_merge_as_they_stop_one_worker(vanished: Any) -> None:
    """The rule of the config is applied to all partitions together; the rows stand beside the output."""
    strict = vanished.config.model_copy(
        update={"validate_": vanished.config.validate_.model_copy(update={"on_bad_row": "fail"})}
    )
    planned, plan = vanished.plan(3)
    parts = [vanished.part(plan, name) for name in planned.names]
    with refusal(DataError, "too-many-rejected", "image-missing", "run-stopped", shows=["1", "90"]):
        shard_step.merge(
            config=strict,
            data=vanished.data,
            preprocessing=vanished.preprocessing,
            plan=plan,
            parts=parts,
            out=vanished.folder / "merged",
        )
    assert pl.read_parquet(vanished.folder / "merged.rejected.parquet")["key"].to_list() == ["k0005"]


def test_partitions_copy_unchanged_pictures(fresh: Any) -> None:
    """Earlier shards serve a partition as they serve a whole step."""
    _, former = fresh.shard("former")
    planned, plan = fresh.plan(2)
    parts = [fresh.part(plan, name, reuse=former) for name in planned.names]
    _, merged = fresh.merge(plan, parts)
    timings = ShardTimings.model_validate_json((merged / TIMINGS).read_bytes())
    assert (timings.decoded, timings.rows) == (0, 30)
    assert timings.kept > 40
    assert digests(merged) == digests(former)


def test_merged_shards_serve_as_earlier_shards(fresh: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The joined picture index points at the pictures: they are copied, and the bytes stay the same."""
    planned, plan = fresh.plan(7)
    _, merged = fresh.merge(plan, [fresh.part(plan, name) for name in planned.names])
    before = digests(merged)
    capsys.readouterr()
    fresh.shard("merged")
    assert "pictures copied from earlier shards, 0 decoded" in capsys.readouterr().err
    assert digests(merged) == before


def test_giant_pictures_are_balanced_by_bytes(tmp_path: Path) -> None:
    """A few giant pictures among small ones: no partition has much more than its share of the bytes."""
    (tmp_path / "pictures").mkdir()
    noise = np.random.default_rng(0)
    for row in range(60):
        side = 600 if row in (3, 4, 5, 6) else 24
        pixels = noise.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{row}.png")
    table = pl.DataFrame({"photo": [f"pictures/{row}.png" for row in range(60)], "y": [float(r) for r in range(60)]})
    table.write_csv(tmp_path / "table.csv")
    config = parse_config(
        "table: table.csv\nfeatures: {photo: {kind: image, size: [8, 8]}}\ntargets: {y: {kind: regression}}\n"
    )
    validate_step.run(config=config, table=str(tmp_path / "table.csv"), out=tmp_path / "V")
    preprocess_step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    planned = shard_step.plan(
        config=config, data=tmp_path / "V", preprocessing=tmp_path / "P", partitions=4, out=tmp_path / "plan"
    )
    sizes = [partition.bytes for partition in planned.partitions]
    giant = (tmp_path / "pictures" / "3.png").stat().st_size
    assert sum(sizes) == sum(path.stat().st_size for path in (tmp_path / "pictures").iterdir()) + 60 * 256
    assert len(sizes) == 4
    assert max(sizes) < 1.1 * giant


def test_sixty_thousand_rows_in_eight_partitions(tmp_path: Path) -> None:
    """Two of eight killed in the middle and run again: the merged manifest is the single worker's, byte for byte."""
    Image.new("RGB", (8, 8), (10, 200, 30)).save(tmp_path / "one.png")
    rows = 60_000
    pl.DataFrame(
        {"id": range(rows), "photo": ["one.png"] * rows, "x": [r % 977 / 7 for r in range(rows)], "y": range(rows)}
    ).write_parquet(tmp_path / "table.parquet")
    text = (
        "table: table.parquet\nkey: id\nfeatures:\n  photo: {kind: image, size: [8, 8]}\n  x: {kind: numeric}\n"
        "targets: {y: {kind: regression}}\nshard: {megabytes: 1}\n"
    )
    (tmp_path / "config.yaml").write_text(text)
    config = parse_config(text)
    data, preprocessing = tmp_path / "validate", tmp_path / "preprocess"
    validate_step.run(config=config, table=str(tmp_path / "table.parquet"), out=data)
    preprocess_step.run(config=config, data=data, out=preprocessing)
    given: dict[str, Any] = {"config": config, "data": data, "preprocessing": preprocessing}
    shard_step.run(**given, out=tmp_path / "single")
    planned = shard_step.plan(**given, partitions=8, out=tmp_path / "plan")
    assert len(planned.partitions) == 8
    for name in planned.names[2:4]:
        command = [sys.executable, "-c", KILLED, name, "5000"]
        assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == -signal.SIGKILL
    parts = [tmp_path / f"plan-{name}" for name in planned.names]
    for name, part in zip(planned.names, parts, strict=True):
        shard_step.run_partition(**given, plan=tmp_path / "plan", partition=name, out=part)
    manifest = shard_step.merge(**given, plan=tmp_path / "plan", parts=parts, out=tmp_path / "merged")
    assert sum(manifest.rows.values()) == rows
    assert digests(tmp_path / "merged") == digests(tmp_path / "single")


def test_the_merged_artifact_outlives_its_parts(fresh: Any) -> None:
    """Parts may be removed once they are joined."""
    planned, plan = fresh.plan(3)
    parts = [fresh.part(plan, name) for name in planned.names]
    manifest, merged = fresh.merge(plan, parts)
    for part in parts:
        shutil.rmtree(part)
    assert ShardManifest.read(merged) == manifest
    assert all(sha256_of(merged / shard.path) == shard.sha256 for shard in manifest.shards)
