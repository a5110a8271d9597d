"""One row, one example: after sharding, shuffling and reading back, everything in an example is of its row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyhead.contracts.shards import ShardManifest


@pytest.fixture(scope="module")
def written(prepared: Any) -> tuple[Any, ShardManifest, Path]:
    """Shards of 130 rows by four workers, several files a split."""
    manifest, place = prepared.shard("aligned", workers=4)
    assert len(manifest.of("train")) >= 3
    return prepared.config, manifest, place


def read_shuffled(tf: Any, written: tuple[Any, ShardManifest, Path]) -> list[dict[str, Any]]:
    """Every row of every split, by the reader of training, in shuffled order; pictures as pixels."""
    from polyhead.contracts.preprocessing import Fitted, Preprocessing
    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import shuffled_records
    from polyhead.kinds.features.image.graph import StoredPictures
    from polyhead.kinds.graphs import feature_blocks

    config, manifest, place = written
    pixels = {name: StoredPictures(config.features[name]) for name in ("left", "right")}
    folder = place.parent / "preprocess"
    fitted = Fitted.of(Preprocessing.read(folder), config, folder)
    parse, blocks = Parser(fitted), feature_blocks(fitted)
    rows: list[dict[str, Any]] = []
    for split in ("train", "val", "test"):
        for batch in shuffled_records(manifest, place, split, batch_size=16, seed=3):
            keys, raw, targets = parse(batch)
            features = {name: column for block in blocks for name, column in block.columns(raw[block.KIND]).items()}
            seen = {name: pixels[name](features[name]).numpy() for name in pixels}
            for i, key in enumerate(keys.numpy()):
                row = {name: value[i] for name, value in {**features, **targets}.items()}
                rows.append({"key": key.decode(), "split": split, "pixels": {n: p[i] for n, p in seen.items()}, **row})
    return rows


def is_missing(value: Any) -> bool:
    value = value.numpy()
    return bool(np.isnan(value)) if isinstance(value, np.floating) else value == b""


def test_every_example_is_its_row(
    tf: Any, written: tuple[Any, ShardManifest, Path], expected: tuple[Callable[..., Any], Callable[..., Any]]
) -> None:
    """Pixels, number, category, text and all four targets of every example are those of the row its key names."""
    row_of, colour_of = expected
    rows = read_shuffled(tf, written)
    assert sorted(row["key"] for row in rows) == [f"k{number:04d}" for number in range(130)]
    assert [row["key"] for row in rows if row["split"] == "train"] != sorted(
        row["key"] for row in rows if row["split"] == "train"
    )
    for row in rows:
        number = int(row["key"][1:])
        truth = row_of(number)
        for side, column in (("left", "left_path"), ("right", "right")):
            if truth[column] is None:
                assert is_missing(row[side])
                assert not row["pixels"][side].any()
            else:
                assert (row["pixels"][side] == colour_of(number, side)).all()
        for name in ("size", "colour", "note", "price", "shape", "sold"):
            if truth[name] is None:
                assert is_missing(row[name]), (name, number)
            elif isinstance(truth[name], float):
                assert row[name].numpy() == truth[name]
            else:
                assert row[name].numpy().decode() == truth[name]
        assert row["tags/known"].numpy() == int(truth["tags"] is not None)
        assert [tag.decode() for tag in row["tags"].numpy()] == sorted(truth["tags"] or [])


def test_tensorflow_alone_reads_the_shards(
    tf: Any, written: tuple[Any, ShardManifest, Path], expected: tuple[Callable[..., Any], Callable[..., Any]]
) -> None:
    """TFRecordDataset and tf.train.Example, without any code of ours, find the documented entries."""
    row_of, colour_of = expected
    _, manifest, place = written
    seen = 0
    for shard in manifest.shards:
        records = list(tf.data.TFRecordDataset(str(place / shard.path)).as_numpy_iterator())
        assert len(records) == shard.rows
        for record in records:
            entries = tf.train.Example.FromString(record).features.feature
            number = int(entries["key"].bytes_list.value[0].decode()[1:])
            truth = row_of(number)
            pictures = {"left_path": "feature/image/left", "right": "feature/image/right"}
            words = {"feature/category": "colour", "feature/text": "note"}
            words |= {"target/multiclass": "shape", "target/binary": "sold"}
            numbers = {"feature/numeric": "size", "target/regression": "price"}
            sets = {"target/multilabel/tags", "target/multilabel/tags/known"}
            present = {entry for column, entry in pictures.items() if truth[column] is not None}
            assert set(entries) == {"key", *words, *numbers, *sets} | present
            for entry, column in words.items():
                assert [value.decode() for value in entries[entry].bytes_list.value] == [truth[column] or ""]
            for entry, column in numbers.items():
                [held] = np.frombuffer(entries[entry].bytes_list.value[0], "<f8")
                assert np.isnan(held) if truth[column] is None else held == truth[column]
            tags = [tag.decode() for tag in entries["target/multilabel/tags"].bytes_list.value]
            assert tags == sorted(truth["tags"] or [])
            known = entries["target/multilabel/tags/known"].int64_list.value
            assert list(known) == [truth["tags"] is not None]
            if truth["left_path"] is not None:
                pixels = entries["feature/image/left"].bytes_list.value[0]
                assert pixels == bytes(colour_of(number, "left")) * (128 * 96)
            seen += 1
    assert seen == 130
