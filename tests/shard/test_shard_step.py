"""The shard step: same bytes for the same rows, honest counts, and refusal of what does not belong together."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from refusals import refusal

from polyhead.contracts.config import parse_config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.settings import ValidateSection
from polyhead.contracts.shards import PICTURE_INDEX, TIMINGS, ShardManifest, ShardTimings
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ArtifactError, DataError
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.validate import step as validate_step


def shard_bytes(manifest: ShardManifest, place: Path) -> dict[str, bytes]:
    return {shard.path: (place / shard.path).read_bytes() for shard in manifest.shards}


def cut_short(picture: Path) -> None:
    """Write a JPEG file whose header is sound and whose end is missing. Its name does not matter."""
    Image.effect_noise((90, 80), 50).save(picture, "JPEG")
    picture.write_bytes(picture.read_bytes()[:-500])


def test_one_and_four_workers_write_the_same_artifact(prepared: Any) -> None:
    """Every file of the artifact is byte-identical whatever the number of workers."""
    _, one = prepared.shard("one", workers=1)
    _, four = prepared.shard("four", workers=4)
    files = sorted(path.name for path in one.iterdir())
    assert sorted(path.name for path in four.iterdir()) == files
    files.remove(TIMINGS)
    assert len(files) >= 8  # manifest, rejected rows, picture index, several shards
    for name in files:
        assert (one / name).read_bytes() == (four / name).read_bytes(), name


def test_the_order_of_the_table_does_not_matter(prepared: Any, reordered: Any) -> None:
    """With a key column, the same rows in another order give byte-identical shards."""
    assert shard_bytes(*prepared.shard("in_order")) == shard_bytes(*reordered.shard("in_order"))


def test_manifest_tells_the_truth(prepared: Any) -> None:
    """Rows, sizes, digests and names of the manifest are those of the files, and nothing else lies there."""
    manifest, place = prepared.shard("truth")
    read = ShardManifest.read(place)
    assert read == manifest
    splits = pl.read_parquet(prepared.preprocessing / "splits.parquet")["__split__"].to_list()
    assert manifest.rows == {split: splits.count(split) for split in ("train", "val", "test")}
    assert manifest.rows_read == 130
    assert manifest.rows_rejected == 0
    for shard in manifest.shards:
        content = (place / shard.path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (shard.bytes, shard.sha256)
        assert shard.path.startswith(f"{shard.split}-")
    listed = {shard.path for shard in manifest.shards} | {
        "ShardManifest.json",
        "rejected.parquet",
        PICTURE_INDEX,
        TIMINGS,
    }
    assert {path.name for path in place.iterdir()} == listed
    assert manifest.made_from["preprocessing"] == Preprocessing.read(prepared.preprocessing).fingerprint()


def test_shards_keep_near_their_size(prepared: Any) -> None:
    """No shard is much larger than the config's size, here 1 MiB."""
    manifest, _ = prepared.shard("sizes")
    assert max(shard.bytes for shard in manifest.shards) <= 1.1 * 2**20


def test_pictures_that_vanish_become_rejected_rows(fresh: Any) -> None:
    """Rows whose picture is gone, empty or replaced by junk since validation are set aside; the rest is written."""
    pictures = fresh.folder / "pictures"
    (pictures / "left4.png").unlink()
    (pictures / "right5.png").write_bytes(b"")
    (pictures / "left6.png").write_bytes(b"no picture")
    manifest, place = fresh.shard()
    assert sum(manifest.rows.values()) == 27
    assert sum(shard.rows for shard in manifest.shards) == 27
    assert manifest.rows_rejected == 3
    rejected = pl.read_parquet(place / "rejected.parquet")
    assert sorted(rejected.select("key", "column", "reason", "value").rows()) == [
        ("k0004", "left_path", "image_missing", "pictures/left4.png"),
        ("k0005", "right", "image_changed", "pictures/right5.png"),
        ("k0006", "left_path", "image_changed", "pictures/left6.png"),
    ]
    counts = {(item.column, item.reason): item.rows for item in manifest.rejections}
    assert counts == {
        ("left_path", "image_missing"): 1,
        ("left_path", "image_changed"): 1,
        ("right", "image_changed"): 1,
    }


def test_damage_behind_the_header_is_found_here(tmp_path: Path, prepare_rows: Any) -> None:
    """Validation reads headers only; a picture that cannot be decoded is rejected with its reason, and counted."""
    (tmp_path / "pictures").mkdir()
    cut_short(tmp_path / "pictures" / "right3.png")
    data = prepare_rows(tmp_path, range(30))
    assert ValidationReport.read(data.data).rows_rejected == 0
    manifest, place = data.shard()
    assert (manifest.rows_rejected, sum(manifest.rows.values())) == (1, 29)
    [rejected] = pl.read_parquet(place / "rejected.parquet").to_dicts()
    assert (rejected["key"], rejected["column"], rejected["reason"]) == ("k0003", "right", "image_unreadable")


def test_masked_pictures_are_missing_in_rows_that_are_kept(tmp_path: Path, prepare_rows: Any) -> None:
    """Gone since validation, or damaged behind the header; what was seen then counts too. Another column rejects."""
    (tmp_path / "pictures").mkdir()
    cut_short(tmp_path / "pictures" / "left4.png")
    (tmp_path / "pictures" / "left5.png").write_bytes(b"no picture")
    data = prepare_rows(tmp_path, range(30), left="on_missing: mask, on_corrupt: mask")
    (tmp_path / "pictures" / "left6.png").unlink()
    (tmp_path / "pictures" / "right7.png").unlink()
    (tmp_path / "pictures" / "left8.png").write_bytes(b"")
    manifest, place = data.shard()
    assert (manifest.rows_rejected, sum(manifest.rows.values())) == (2, 28)
    seen = pl.read_parquet(data.data / "rejected.parquet")
    assert seen.select("key", "reason").rows() == [("k0005", "masked_image_unreadable")]
    rejected = pl.read_parquet(place / "rejected.parquet").select("key", "column", "reason", "value")
    assert sorted(rejected.rows()) == [
        ("k0004", "left_path", "masked_image_unreadable", "pictures/left4.png"),
        ("k0006", "left_path", "masked_image_missing", "pictures/left6.png"),
        ("k0007", "right", "image_missing", "pictures/right7.png"),
        ("k0008", "left_path", "image_changed", "pictures/left8.png"),
    ]
    assert {(item.column, item.reason): item.rows for item in manifest.rejections} == {
        ("left_path", "masked_image_unreadable"): 2,
        ("left_path", "masked_image_missing"): 1,
        ("left_path", "image_changed"): 1,
        ("right", "image_missing"): 1,
    }
    content = b"".join((place / shard.path).read_bytes() for shard in manifest.shards)
    assert content.count(b"feature/image/right") - content.count(b"feature/image/left") == 3

    plan, planned = data.plan(3)
    parts = [data.part(planned, partition.name) for partition in plan.partitions]
    merged, together = data.merge(planned, parts)
    assert merged.rejections == manifest.rejections
    assert (together / "rejected.parquet").read_bytes() == (place / "rejected.parquet").read_bytes()
    assert shard_bytes(merged, together) == shard_bytes(manifest, place)


@pytest.mark.parametrize(
    ("section", "rule"),
    [({"max_rejected": 0.05}, ["max_rejected", "5.0%"]), ({"on_bad_row": "fail"}, ["on_bad_row"])],
)
def test_more_bad_pictures_than_the_config_allows(fresh: Any, section: dict[str, Any], rule: list[str]) -> None:
    """The step fails as validation would, keeps the rejected rows and the shards, and goes on when allowed to."""
    for row in (1, 2, 4):
        (fresh.folder / "pictures" / f"left{row}.png").unlink()
    strict = replace(fresh, config=fresh.config.model_copy(update={"validate_": ValidateSection(**section)}))
    codes = ("too-many-rejected", "image-missing", "run-stopped")
    with refusal(DataError, *codes, shows=[*rule, "3 of 30 rows"]) as caught:
        strict.shard()
    assert not (fresh.folder / "shard").exists()
    told = fresh.folder / "shard.rejected.parquet"
    assert pl.read_parquet(told)["reason"].to_list() == ["image_missing"] * 3
    assert str(told) in caught.problems[-1].hint
    manifest, place = fresh.shard()
    assert manifest.rows_rejected == 3
    assert ShardTimings.model_validate_json((place / TIMINGS).read_text()).rows == 0
    assert not told.exists()


def test_all_pictures_of_a_split_vanish(fresh: Any, tf: Any) -> None:
    """A split that loses all its rows is an empty split that still reads, not a crash."""
    from polyhead.examples.reading import records

    splits = pl.read_parquet(fresh.preprocessing / "splits.parquet").filter(pl.col("__split__") == "val")
    numbers = [int(key[1:]) for key in splits["__key__"]]
    assert numbers
    for number in numbers:
        (fresh.folder / "pictures" / f"left{number}.png").unlink()
        (fresh.folder / "pictures" / f"right{number}.png").unlink()
    tolerant = fresh.config.model_copy(update={"validate_": ValidateSection(max_rejected=1)})
    manifest, place = replace(fresh, config=tolerant).shard()
    assert manifest.rows["val"] == 0
    assert manifest.rows_rejected == len(numbers)
    assert list(records(manifest, place, "val", batch_size=4)) == []


def test_rejections_of_validation_are_carried_on(fresh: Any) -> None:
    """The manifest counts the rows that validation rejected too, one line for each column and reason."""
    (fresh.folder / "pictures" / "left1.png").write_bytes(b"")
    cut_short(fresh.folder / "pictures" / "left4.png")
    out = fresh.folder / "again"
    validate_step.run(config=fresh.config, table=str(fresh.folder / "table.jsonl"), out=out / "v", workers=1)
    preprocess_step.run(config=fresh.config, data=out / "v", out=out / "p")
    (fresh.folder / "pictures" / "left2.png").unlink()
    manifest = shard_step.run(config=fresh.config, data=out / "v", preprocessing=out / "p", out=out / "s", workers=1)
    assert manifest.rows_read == 30
    assert manifest.rows_rejected == 3
    assert [(item.reason, item.rows) for item in manifest.rejections] == [("image_unreadable", 2), ("image_missing", 1)]
    assert manifest.rejections[0].example.startswith("key k0001")


def test_a_changed_clean_table_is_refused(fresh: Any) -> None:
    """A clean table that is not the one validation wrote stops the step."""
    clean = fresh.data / "clean.parquet"
    pl.read_parquet(clean).reverse().write_parquet(clean)
    with refusal(ArtifactError, "artifact-changed", shows=["clean.parquet"]):
        fresh.shard()
    assert not (fresh.folder / "shard").exists()


def test_a_changed_split_is_refused(fresh: Any) -> None:
    """A split table that is not the one preprocessing wrote stops the step."""
    splits = fresh.preprocessing / "splits.parquet"
    pl.read_parquet(splits).with_columns(pl.lit("train").alias("__split__")).write_parquet(splits)
    with refusal(ArtifactError, "artifact-changed", shows=["splits.parquet"]):
        fresh.shard()


def test_another_validation_is_refused_naming_both_fingerprints(fresh: Any, prepared: Any) -> None:
    """Preprocessing of other data is refused, and the message names what was made from what."""
    made_from = Preprocessing.read(prepared.preprocessing).made_from["validation"]
    given = Preprocessing.read(fresh.preprocessing).made_from["validation"]
    with pytest.raises(ArtifactError) as caught:
        shard_step.run(
            config=fresh.config, data=fresh.data, preprocessing=prepared.preprocessing, out=fresh.folder / "out"
        )
    assert made_from[:12] in str(caught.value)
    assert given[:12] in str(caught.value)


def test_another_config_is_refused(fresh: Any) -> None:
    """A config with other features than the artifacts' is refused; one with other training settings is not."""
    other = fresh.config.model_copy(update={"key": None})
    with refusal(ArtifactError, "config-mismatch"):
        shard_step.run(config=other, data=fresh.data, preprocessing=fresh.preprocessing, out=fresh.folder / "out")
    longer = fresh.config.with_seed(99)
    shard_step.run(config=longer, data=fresh.data, preprocessing=fresh.preprocessing, out=fresh.folder / "out")


@pytest.mark.parametrize("how", ["one byte", "gone", "cut"])
def test_a_changed_shard_is_refused(fresh: Any, tf: Any, how: str) -> None:
    """A shard that is not the one in the manifest, even of the same size, is refused by name before reading."""
    from polyhead.examples.reading import records, shard_paths

    manifest, place = fresh.shard()
    path = place / manifest.of("train")[0].path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content if how == "one byte" else content[:-1])
    with refusal(ArtifactError, "artifact-changed", shows=[path.name]):
        shard_paths(manifest, place, "train")
    with refusal(ArtifactError, "artifact-changed", shows=["polyhead shard"]):
        records(manifest, place, "train", batch_size=4)
    assert shard_paths(manifest, place, "test")


def test_a_split_column_decides(tmp_path: Path) -> None:
    """With a split column, each shard holds exactly the rows that the column assigned to its split."""
    for row in range(9):
        Image.new("RGB", (9, 9), (row, 0, 0)).save(tmp_path / f"{row}.png")
    parts = ["train", "val", "test", "train", "train", "test", "train", "val", "train"]
    table = pl.DataFrame(
        {
            "photo": [f"{row}.png" for row in range(9)],
            "y": [row * 1.5 for row in range(9)],
            "part": parts,
        }
    )
    config = parse_config(
        "table: t.parquet\nfeatures: {photo: {kind: image, size: [9, 9]}}\ntargets: {y: {kind: regression}}\n"
        "split: {column: part}\n"
    )
    table.write_parquet(tmp_path / "t.parquet")
    validate_step.run(config=config, table=str(tmp_path / "t.parquet"), out=tmp_path / "v", workers=1)
    preprocess_step.run(config=config, data=tmp_path / "v", out=tmp_path / "p")
    manifest = shard_step.run(
        config=config, data=tmp_path / "v", preprocessing=tmp_path / "p", out=tmp_path / "s", workers=2
    )
    assert manifest.rows == {split: parts.count(split) for split in ("train", "val", "test")}
    for shard in manifest.shards:
        content = (tmp_path / "s" / shard.path).read_bytes()
        for row, part in enumerate(parts):
            assert (bytes([row, 0, 0]) * 81 in content) == (part == shard.split)
