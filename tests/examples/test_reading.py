"""Reading shards: every epoch its own order, the same on every reading, and from any step without what lies before."""

from __future__ import annotations

import mmap
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyhead.contracts.shards import Shard, ShardManifest
from polyhead.examples import epochs
from polyhead.examples.epochs import Draws, shuffled_rows, shuffled_windows, windows
from polyhead.examples.framing import record_places

BATCH = 7
EPOCHS = 3

Batches = list[list[bytes]]
Read = Callable[..., Batches]


def shard_of(number: int, rows: int, size: int) -> Shard:
    return Shard(path=f"train-{number}", split="train", rows=rows, bytes=size, sha256="")


shards = st.lists(st.tuples(st.integers(0, 9), st.integers(1, epochs.WINDOW_BYTES * 2)), max_size=90).map(
    lambda sizes: [shard_of(number, *size) for number, size in enumerate(sizes)]
)


@pytest.fixture(scope="module")
def written(prepared: Any) -> tuple[ShardManifest, Path]:
    manifest, place = prepared.shard("read")
    assert len(manifest.of("train")) >= 3
    return manifest, place


@pytest.fixture
def read(tf: Any, written: tuple[ShardManifest, Path], monkeypatch: pytest.MonkeyPatch) -> Read:
    """All batches from a step on, of three epochs, in windows of two shards."""
    from polyhead.examples.reading import shuffled_records

    manifest, place = written
    monkeypatch.setattr(epochs, "WINDOW_SHARDS", 2)

    def batches(skip: int = 0, seed: int = 1, batch_size: int = BATCH) -> Batches:
        data = shuffled_records(manifest, place, "train", batch_size=batch_size, seed=seed, epochs=EPOCHS, skip=skip)
        return [batch.tolist() for batch in data.as_numpy_iterator()]

    return batches


def by_tensorflow(tf: Any, written: tuple[ShardManifest, Path]) -> list[bytes]:
    """All train records in the order of the files, by TensorFlow's own reader."""
    manifest, place = written
    paths = [str(place / shard.path) for shard in manifest.of("train")]
    return list(tf.data.TFRecordDataset(paths).as_numpy_iterator())


@given(shards=shards, seed=st.integers(0, 2**64), epoch=st.integers(0, 1000))
def test_an_epoch_holds_every_shard_with_rows_once(shards: list[Shard], seed: int, epoch: int) -> None:
    """Windows are neither empty nor larger than their bounds, single shards apart, and lose and repeat nothing."""
    grouped = shuffled_windows(shards, seed, epoch)
    assert Counter(shard.path for group in grouped for shard in group) == Counter(s.path for s in shards if s.rows)
    for group in grouped:
        assert 0 < len(group) <= epochs.WINDOW_SHARDS
        assert len(group) == 1 or sum(shard.bytes for shard in group) <= epochs.WINDOW_BYTES
    assert [shard for group in windows(shards) for shard in group] == [shard for shard in shards if shard.rows]


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    """The same seed and epoch give the same order of shards and rows; another of either gives another."""
    shards = [shard_of(number, 100, epochs.WINDOW_BYTES) for number in range(50)]
    orders = {
        (seed, epoch): (
            [group[0].path for group in shuffled_windows(shards, seed, epoch)],
            *(shuffled_rows(100, seed, epoch, window).tolist() for window in (0, 1)),
        )
        for seed in (0, 1, 2**64)
        for epoch in (0, 1, 2)
    }
    found = [part for parts in orders.values() for part in parts]
    assert len({tuple(map(str, part)) for part in found}) == len(found)
    for (seed, epoch), (paths, first, _) in orders.items():
        assert [group[0].path for group in shuffled_windows(shards, seed, epoch)] == paths
        assert shuffled_rows(100, seed, epoch, 0).tolist() == first
        assert sorted(first) == list(range(100))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_record_places_are_where_tensorflows_writer_puts_records(
    tf: Any, tmp_path: Path, contents: list[bytes]
) -> None:
    """Every record, empty ones too, is found at its place, whatever it holds."""
    path = tmp_path / "records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in contents:
            writer.write(content)
    whole = path.read_bytes()
    assert [whole[offset : offset + length] for offset, length in record_places(path)] == contents


def test_fixed_order_is_that_of_the_files(tf: Any, written: tuple[ShardManifest, Path]) -> None:
    """Without shuffling, the records are those of TensorFlow's own reader, in its order; the last batch is smaller."""
    from polyhead.examples.reading import records

    manifest, place = written
    data = records(manifest, place, "train", batch_size=BATCH)
    batches = [batch.tolist() for batch in data.as_numpy_iterator()]
    assert [record for batch in batches for record in batch] == by_tensorflow(tf, written)
    assert len(batches) == int(data.cardinality()) == -(-manifest.rows["train"] // BATCH)
    assert {len(batch) for batch in batches[:-1]} == {BATCH}


def test_every_epoch_holds_every_row_once_in_another_order(tf: Any, written: Any, read: Read) -> None:
    """Three epochs are three different orders of the same records, mixed over shards; read again they are the same."""
    batches = read()
    steps = len(batches) // EPOCHS
    passes = [[row for batch in batches[i * steps : (i + 1) * steps] for row in batch] for i in range(EPOCHS)]
    expected = by_tensorflow(tf, written)
    assert all(sorted(epoch) == sorted(expected) for epoch in passes)
    assert len({tuple(epoch) for epoch in [*passes, expected]}) == EPOCHS + 1
    assert read() == batches
    assert read(seed=2) != batches
    assert [row for batch in read(batch_size=16) for row in batch] == [row for epoch in passes for row in epoch]
    manifest, place = written
    home = {
        record: shard.path
        for shard in manifest.of("train")
        for record in expected
        if record in (place / shard.path).read_bytes()
    }
    assert len({home[record] for record in passes[0][:BATCH]}) == 2


def test_several_splits_are_read_as_one(tf: Any, written: tuple[ShardManifest, Path]) -> None:
    """Every epoch holds the rows of both once, mixed; a fixed order has those of the one, then those of the other."""
    from polyhead.examples.reading import records, shuffled_records

    manifest, place = written

    def rows(data: Any) -> list[bytes]:
        return [record for batch in data.as_numpy_iterator() for record in batch]

    train, val = (rows(records(manifest, place, split, batch_size=BATCH)) for split in ("train", "val"))
    assert rows(records(manifest, place, "train", "val", batch_size=BATCH)) == train + val
    found = rows(shuffled_records(manifest, place, "train", "val", batch_size=BATCH, seed=1, epochs=2))
    both = len(train) + len(val)
    assert sorted(found[:both]) == sorted(found[both:]) == sorted(train + val)
    assert found[:both] != found[both:]
    assert set(found[: len(train)]) & set(val)


def test_rows_of_rare_classes_are_drawn_again(tf: Any, written: tuple[ShardManifest, Path]) -> None:
    """Each as often as the others of its class or once more, in every epoch other ones; the rest come once."""
    from polyhead.examples.reading import records, shuffled_records

    manifest, place = written
    rows = [
        record for batch in records(manifest, place, "train", batch_size=BATCH) for record in batch.numpy().tolist()
    ]
    classes = np.where(np.arange(len(rows)) % 7 == 0, 1, 0)
    classes[:3] = -1
    rare = int((classes == 1).sum())
    draws = Draws(classes, np.array([1.0, (2 * rare + 1) / rare]))
    options: dict[str, Any] = {"batch_size": BATCH, "seed": 1, "epochs": 2, "draws": draws}
    batches = [batch.tolist() for batch in shuffled_records(manifest, place, "train", **options).as_numpy_iterator()]
    assert draws.rows == len(rows) + rare + 1
    assert len(batches) == 2 * -(-draws.rows // BATCH)
    found = [record for batch in batches for record in batch]
    first, second = (Counter(found[at : at + draws.rows]) for at in (0, draws.rows))
    for epoch in (first, second):
        assert sorted(epoch[row] for row, at in zip(rows, classes, strict=True) if at == 1) == [2] * (rare - 1) + [3]
        assert {epoch[row] for row, at in zip(rows, classes, strict=True) if at != 1} == {1}
    assert first != second
    skipped = shuffled_records(manifest, place, "train", skip=3, **options)
    assert [batch.tolist() for batch in skipped.as_numpy_iterator()] == batches[3:]


def test_records_beyond_a_page_are_read_alike(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether files are mapped, as for small records, or read call by call, the batches are the same."""
    batches = read()
    monkeypatch.setattr(mmap, "PAGESIZE", 0)
    assert read() == batches


def test_batches_after_any_skip_are_the_tail_of_the_undisturbed_run(read: Read) -> None:
    """From every step of three epochs on, byte for byte; after the last there are none."""
    batches = read()
    for skip in range(len(batches) + 2):
        assert read(skip) == batches[skip:]


def test_skipped_shards_are_never_opened(
    tf: Any, written: tuple[ShardManifest, Path], read: Read, tmp_path: Path
) -> None:
    """The last batch is read although all shards outside of its window have vanished since the digests were taken."""
    from polyhead.examples.reading import shuffled_records

    manifest, place = written
    copy = shutil.copytree(place, tmp_path / "copy")
    whole = read()
    data = shuffled_records(manifest, copy, "train", batch_size=BATCH, seed=1, epochs=EPOCHS, skip=len(whole) - 1)
    needed = {shard.path for shard in shuffled_windows(manifest.of("train"), 1, EPOCHS - 1)[-1]}
    vanished = [copy / shard.path for shard in manifest.of("train") if shard.path not in needed]
    assert vanished
    for path in vanished:
        path.unlink()
    assert [batch.tolist() for batch in data.as_numpy_iterator()] == whole[-1:]


def test_a_shard_is_digested_once(
    tf: Any, written: tuple[ShardManifest, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look at unchanged files reads none of them; a touched one is read again."""
    from polyhead.examples import reading

    manifest, place = written
    reading.shard_paths(manifest, place, "train")
    digested: list[Path] = []

    def noted(path: Path) -> str:
        digested.append(path)
        return manifest.of("train")[0].sha256

    monkeypatch.setattr(reading, "sha256_of", noted)
    reading.shard_paths(manifest, place, "train")
    assert digested == []
    first = place / manifest.of("train")[0].path
    os.utime(first, ns=(0, 0))
    reading.shard_paths(manifest, place, "train")
    assert digested == [first]


def test_memory_of_pictures_is_not_used_again_while_held(tf: Any) -> None:
    """Batches of decoded JPEG files that somebody keeps, as tensors, arrays or views, never change."""
    from polyhead.examples.stored import stored_bytes
    from polyhead.kinds.features.image.config import ImageFeature
    from polyhead.kinds.features.image.graph import StoredPictures

    feature = ImageFeature(kind="image", size=(32, 48), store="jpeg")
    decode = StoredPictures(feature)
    levels = range(0, 250, 10)
    contents = [stored_bytes(np.full((32, 48, 3), level, np.uint8), feature) for level in levels]
    batches = [tf.constant([content] * (1 + at % 3)) for at, content in enumerate(contents)]
    tensors = [decode(batch) for batch in batches]
    arrays = [decode(batch).numpy() for batch in batches]
    views = [memoryview(decode(batch).numpy())[:1] for batch in batches]
    for level, *held in zip(levels, tensors, arrays, views, strict=True):
        for pixels in held:
            assert (np.asarray(pixels) == level).all()
