"""Shards of a changed table: pictures whose file stayed the same are copied, and the bytes are those of a fresh run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from commandline import digests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from polyhead.contracts.shards import PICTURE_INDEX, TIMINGS, Shard, ShardManifest, ShardTimings
from polyhead.examples.kept import KeptPictures, picture_index, write_picture_index
from polyhead.examples.stored import picture_name
from polyhead.pictures.folder import PictureFolder
from polyhead.shard import step as shard_step
from polyhead.storage.artifact import close_artifact


def timings(place: Path) -> ShardTimings:
    return ShardTimings.model_validate_json((place / TIMINGS).read_text())


def again(data: Any, table: pl.DataFrame) -> Any:
    """The same folder with another table, validated and preprocessed anew."""
    from polyhead.preprocess import step as preprocess_step
    from polyhead.validate import step as validate_step

    table.write_ndjson(data.folder / "table.jsonl")
    validate_step.run(config=data.config, table=str(data.folder / "table.jsonl"), out=data.data, workers=1)
    preprocess_step.run(config=data.config, data=data.data, out=data.preprocessing)
    return data


def test_an_edited_column_decodes_nothing_again(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of numbers every picture is copied; the shards are those that a fresh run writes."""
    fresh.shard()
    first = timings(fresh.folder / "shard")
    assert (first.kept, first.decoded) == (0, 58)  # 30 rows with two pictures, two of which are missing
    table = pl.read_ndjson(fresh.folder / "table.jsonl")
    changed = again(fresh, table.with_columns(price=pl.col("price") * 2, size=-pl.col("size")))
    _, fresh_run = changed.shard("elsewhere")
    with monkeypatch.context() as patched:
        patched.setattr(PictureFolder, "read", lambda *_: pytest.fail("a picture was read"))
        _, place = changed.shard()
    assert (timings(place).kept, timings(place).decoded, timings(place).bytes_read) == (58, 0, 0)
    assert digests(place) == digests(fresh_run)


def test_a_grown_table_decodes_new_pictures_only(tmp_path: Path, prepare_rows: Any) -> None:
    """Rows move to other shards as the table grows; only the new rows' pictures are decoded."""
    prepare_rows(tmp_path, range(60)).shard()
    grown = prepare_rows(tmp_path, range(90))
    _, fresh_run = grown.shard("elsewhere")
    _, place = grown.shard()
    assert timings(place).decoded == timings(fresh_run).decoded - timings(place).kept
    assert timings(place).decoded <= 60
    assert digests(place) == digests(fresh_run)


def test_a_changed_picture_is_decoded_again(fresh: Any) -> None:
    """The content decides, not the path: an exchanged file is new, a renamed one is not."""
    fresh.shard()
    pictures = fresh.folder / "pictures"
    Image.new("RGB", (31, 17), (1, 2, 3)).save(pictures / "left7.png")
    (pictures / "right8.png").rename(pictures / "renamed.png")
    table = pl.read_ndjson(fresh.folder / "table.jsonl")
    renamed = pl.col("right").replace("pictures/right8.png", "pictures/renamed.png")
    changed = again(fresh, table.with_columns(renamed))
    _, fresh_run = changed.shard("elsewhere")
    _, place = changed.shard()
    assert (timings(place).kept, timings(place).decoded) == (57, 1)
    assert digests(place) == digests(fresh_run)


@pytest.mark.parametrize("damage", ["a shard", "a lost shard", "the index", "a lost index", "no shards"])
def test_damaged_shards_are_not_copied_from(fresh: Any, damage: str) -> None:
    """What is not as its manifest says is decoded again instead; nothing fails and no byte differs."""
    manifest, old = fresh.shard("old")
    shard = old / manifest.of("train")[0].path
    if damage == "a shard":
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
    elif damage == "a lost shard":
        shard.unlink()
    elif damage == "the index":
        (old / PICTURE_INDEX).write_bytes((old / PICTURE_INDEX).read_bytes() + b" ")
    elif damage == "a lost index":
        (old / PICTURE_INDEX).unlink()
    else:
        shutil.rmtree(old)
    _, undisturbed = fresh.shard("undisturbed")
    shard_step.run(
        config=fresh.config, data=fresh.data, preprocessing=fresh.preprocessing, out=fresh.folder / "new", reuse=old
    )
    assert digests(fresh.folder / "new") == digests(undisturbed)
    assert timings(fresh.folder / "new").decoded > 0


def test_named_shards_that_cannot_be_used_are_told(fresh: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`reuse` that names nothing usable is a warning with the place."""
    places = {"data": fresh.data, "preprocessing": fresh.preprocessing, "out": fresh.folder / "new"}
    shard_step.run(config=fresh.config, **places, reuse=str(fresh.folder / "nowhere"))
    assert f"warning: {fresh.folder / 'nowhere'} has no usable shards" in capsys.readouterr().err


def test_other_settings_of_a_feature_decode_again(fresh: Any) -> None:
    """Shards of another size or encoding hold no picture that fits."""
    _, old = fresh.shard("old")
    features = {**fresh.config.features}
    features["left"] = features["left"].model_copy(update={"size": (64, 64)})
    changed = type(fresh)(fresh.folder, fresh.config.model_copy(update={"features": features}))
    again(changed, pl.read_ndjson(fresh.folder / "table.jsonl"))
    shard_step.run(
        config=changed.config,
        data=changed.data,
        preprocessing=changed.preprocessing,
        out=fresh.folder / "new",
        reuse=old,
    )
    assert (timings(fresh.folder / "new").kept, timings(fresh.folder / "new").decoded) == (29, 29)


places = st.dictionaries(st.integers(0, 2**128 - 1), st.binary(min_size=1, max_size=30), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=places, second=places)
def test_every_name_is_found_and_no_other(tmp_path: Path, first: dict[int, bytes], second: dict[int, bytes]) -> None:
    """The index of two shards gives each picture's bytes by its name, those of the first shard where both have it."""
    import hashlib

    shards, index = [], []
    for number, pictures in enumerate((first, second)):
        content = b"".join(pictures.values())
        (tmp_path / f"{number}").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        shards.append(Shard(path=f"{number}", split="train", rows=1, bytes=len(content), sha256=digest))
        starts = np.cumsum([0, *map(len, pictures.values())]).tolist()
        index.append([(name, at, len(kept)) for (name, kept), at in zip(pictures.items(), starts, strict=False)])
    write_picture_index(tmp_path, [picture_index(number, index[number]) for number in (0, 1)])
    rest = {"rows": {}, "rows_read": 0, "rows_rejected": 0, "rejections": [], "pictures": {}, "warnings": []}
    close_artifact(tmp_path, ShardManifest(shards=shards, **rest))
    with KeptPictures.of(tmp_path) as kept:
        assert kept is not None
        for name, content in {**second, **first}.items():
            assert kept.get(name) == content
            other = (name + 1) % 2**128
            if other not in first | second:
                assert kept.get(other) is None


def test_names_differ_by_recipe_and_content() -> None:
    """The same file under another recipe is another picture."""
    assert (
        len({picture_name(recipe, content) for recipe in ("a" * 32, "b" * 32) for content in ("c" * 32, "d" * 32)}) == 4
    )
