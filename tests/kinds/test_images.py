"""Several pictures in a cell: which of them are used, what is said of the others, and how they become one vector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from networks import WIDTH
from samples import draw_pictures, member, sent

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.encode import step as encode_step
from polyhead.errors import DataError
from polyhead.kinds.tables import coerce
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.validate import step as validate_step

FILES = ("a.png", "b.png", "c.png", "d.png")
CELLS = ("a.png|b.png", "c.png", None, "b.png|c.png|d.png", "d.png|a.png", "a.png|c.png|b.png")


def config(folder: Path, **options: Any) -> Config:
    draw_pictures(folder, FILES)
    return Config.model_validate(
        {
            "table": "t.csv",
            "image_root": str(folder),
            "features": {"photos": {"kind": "images", "size": [8, 8], "max_pictures": 3, **options}},
            "targets": {"y": {"kind": "regression"}},
            "validate": {"max_rejected": 0.5},
        }
    )


def validated(folder: Path, cells: pl.Series, out: str = "V", **options: Any) -> ValidationReport:
    frame = pl.DataFrame({"photos": cells, "y": np.arange(len(cells), dtype=float)})
    return validate_step.run(config=config(folder, **options), table=frame, out=folder / out)


def clean(folder: Path, out: str = "V") -> pl.DataFrame:
    return pl.read_parquet(folder / out / "clean.parquet")


def rejected(folder: Path, out: str = "V") -> list[dict[str, Any]]:
    return pl.read_parquet(folder / out / "rejected.parquet").select("row", "reason", "value").to_dicts()


# Cells


@pytest.mark.parametrize(
    ("cell", "paths"),
    [
        ("b.png|a.png", ["b.png", "a.png"]),
        (" b.png | a.png |", ["b.png", "a.png"]),
        ("a.png|a.png", ["a.png", "a.png"]),
        ("a.png", ["a.png"]),
        ('["b.png", "a.png"]', ["b.png", "a.png"]),
        ("['b.png' 'a.png']", ["b.png", "a.png"]),
        ("cafe\u0301.png", ["cafe\u0301.png"]),
        ("[]", None),
        (" | ", None),
        ("", None),
        (None, None),
    ],
)
def test_a_cell_has_its_paths_in_order_and_as_they_are_spelled(cell: str | None, paths: list[str] | None) -> None:
    assert coerce_cell(pl.Series("x", [cell], dtype=pl.String)) == [paths]


def coerce_cell(column: pl.Series, **options: Any) -> list[Any]:
    return coerce(column, member("images", **options)).values.to_list()


def test_lists_and_another_separator_are_read_too() -> None:
    lists = [["b.png", None, " a.png"], [], None, ["", "c.png"]]
    expected = [["b.png", "a.png"], None, None, ["c.png"]]
    assert coerce_cell(pl.Series("x", lists)) == expected
    assert coerce_cell(pl.Series("x", [["b.png", "a.png"]], dtype=pl.Array(pl.String, 2))) == [["b.png", "a.png"]]
    assert coerce_cell(pl.Series("x", ["b|.png; a.png"]), separator=";") == [["b|.png", "a.png"]]
    with pytest.raises(DataError):
        coerce_cell(pl.Series("x", [[[1]]]))


def test_a_list_in_a_column_of_single_pictures_names_the_kind_for_it() -> None:
    with pytest.raises(DataError) as caught:
        coerce(pl.Series("x", [["a.png", "b.png"]]), member("image"))
    assert "kind: images" in caught.value.problems[0].hint


def test_of_too_many_pictures_the_first_are_used_and_it_is_reported(tmp_path: Path) -> None:
    """The row is kept, and so is the order."""
    cells = pl.Series(["a.png|b.png|c.png|d.png", "a.png|b.png|c.png"])
    report = validated(tmp_path, cells)
    assert (report.rows_clean, report.rows_rejected) == (2, 0)
    assert clean(tmp_path)["photos"].to_list() == [["a.png", "b.png", "c.png"]] * 2
    assert rejected(tmp_path) == [{"row": 0, "reason": "masked_too_many_pictures", "value": cells[0]}]
    assert [(one.reason, one.rows) for one in report.rejections] == [("masked_too_many_pictures", 1)]


def test_a_missing_picture_costs_the_row_or_only_itself(tmp_path: Path) -> None:
    """As on_missing and on_corrupt say; the facts stay with their pictures."""
    (tmp_path / "broken.png").write_bytes(b"no picture")
    cells = pl.Series(["a.png|gone.png|b.png", "gone.png|lost.png", "broken.png|c.png", *["d.png"] * 3])
    assert validated(tmp_path, cells).rows_rejected == 3
    report = validated(tmp_path, cells, "M", on_missing="mask", on_corrupt="mask")
    assert report.rows_clean == 6
    found = clean(tmp_path, "M")
    assert found["photos"].to_list() == [["a.png", "b.png"], None, ["c.png"], *[["d.png"]] * 3]
    assert [one["value"] for one in rejected(tmp_path, "M")] == ["gone.png", "gone.png", "lost.png", "broken.png"]
    assert {(one.reason, one.rows) for one in report.rejections} == {
        ("masked_image_missing", 2),
        ("masked_image_unreadable", 1),
    }
    sizes = [
        None if facts is None else [fact["size"] for fact in facts] for facts in found["photos__picture"].to_list()
    ]
    expected = [
        [(tmp_path / path).stat().st_size for path in paths] if paths else None for paths in found["photos"].to_list()
    ]
    assert sizes == expected


@pytest.mark.parametrize("record", [False, True])
def test_pictures_inside_the_table_are_as_those_of_files(tmp_path: Path, record: bool) -> None:
    """Lists of bytes, and lists of records, as Hugging Face's datasets have them."""
    validated(tmp_path, pl.Series([*CELLS], dtype=pl.String))

    def held(path: str) -> Any:
        content = (tmp_path / path).read_bytes()
        return {"bytes": content, "path": None} if record else content

    lists = [None if cell is None else [held(path) for path in cell.split("|")] for cell in CELLS]
    inner = pl.Struct({"bytes": pl.Binary, "path": pl.String}) if record else pl.Binary()
    validated(tmp_path, pl.Series(lists, dtype=pl.List(inner)), "B")
    facts = "photos__picture"
    assert clean(tmp_path, "B")[facts].to_list() == clean(tmp_path)[facts].to_list()


def test_the_same_picture_in_several_cells_is_found(tmp_path: Path) -> None:
    validated(tmp_path, pl.Series(["a.png|b.png", "c.png|a.png", "d.png"]))
    same = pl.read_parquet(tmp_path / "V" / "duplicates.parquet").filter(pl.col("same") == "duplicate_images")
    assert same["__row__"].to_list() == [0, 1]
    assert same["column"].to_list() == ["photos", "photos"]


def test_several_workers_find_the_same(tmp_path: Path) -> None:
    """A plan of the paths in all cells, each part looked at by itself."""
    frame = pl.DataFrame({"photos": [*CELLS, "a.png|gone.png"], "y": [float(row) for row in range(7)]})
    chosen = config(tmp_path)
    validate_step.run(config=chosen, table=frame, out=tmp_path / "V")
    plan = validate_step.plan(config=chosen, table=frame, partitions=2, out=tmp_path / "plan")
    for name in plan.names:
        validate_step.run_partition(config=chosen, plan=tmp_path / "plan", partition=name, out=tmp_path / name)
    parts = [tmp_path / name for name in plan.names]
    validate_step.run(config=chosen, table=frame, out=tmp_path / "M", plan=tmp_path / "plan", parts=parts)
    for file in ("clean.parquet", "rejected.parquet", "duplicates.parquet"):
        assert (tmp_path / "M" / file).read_bytes() == (tmp_path / "V" / file).read_bytes()


# The graph


@pytest.fixture(scope="module")
def encoded(tf: Any, small_network: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.Series, Fitted]:
    """A table whose pictures a frozen network has seen."""
    folder = tmp_path_factory.mktemp("images")
    cells = pl.Series("photos", [*CELLS] * 4, dtype=pl.String)
    options: dict[str, Any] = {"encoder": {"backbone": str(small_network)}}
    validated(folder, cells, **options)
    chosen = config(folder, **options)
    preprocess_step.run(config=chosen, data=folder / "V", out=folder / "P")
    shard_step.run(config=chosen, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
    encode_step.run(config=chosen, shards=folder / "S", preprocessing=folder / "P", out=folder / "F")
    return folder, cells, Fitted.of(Preprocessing.read(folder / "P"), chosen, folder / "P")


def test_a_frozen_network_sees_each_picture_once(tf: Any, encoded: tuple[Path, pl.Series, Fitted]) -> None:
    """What training reads equals what serving computes of the files, and the line sees the mean over the pictures."""
    from polyhead.contracts.encoded import EncodedShards
    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import records
    from polyhead.kinds.graphs import feature_blocks

    folder, cells, fitted = encoded
    (block,) = feature_blocks(fitted)
    raw = {"photos": tf.constant(sent(block.features["photos"], cells, folder))}
    served = block.transform(folder / "P", stored=False)(block.joined(raw))
    features, known = np.asarray(served["photos__features"]), np.asarray(served["photos__known"])
    assert features.shape == (len(cells), 3, WIDTH)
    assert known.sum(1).tolist() == [0 if cell is None else len(cell.split("|")) for cell in cells]

    parse = Parser(fitted)
    seen: dict[int, Any] = {}
    manifest = EncodedShards.read(folder / "F")
    for batch in records(manifest, folder / "F", "train", "val", "test", batch_size=64):
        keys, parsed, _ = parse(batch)
        stored = block.transform(folder / "P", stored=True)(parsed["images"])
        seen |= zip((int(key) for key in keys.numpy()), np.asarray(stored["photos__features"]), strict=True)
    for row in range(len(cells)):
        np.testing.assert_array_equal(seen[row], features[row])

    means = (features * known[..., None]).sum(1) / np.maximum(known.sum(1), 1)[:, None]
    table = block.table({name: np.asarray(value) for name, value in served.items()})
    assert (known.sum(1) == 0).any()
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(table.values, means / np.where(lengths > 0, lengths, 1), rtol=1e-5, atol=1e-6)
    pictures = sum(0 if cell is None else len(cell.split("|")) for cell in cells)
    assert ShardManifest.read(folder / "S").rows_read == len(cells)
    of: Any = fitted.feature_statistics["photos"]
    assert of.count < of.pictures <= pictures


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_neither_order_nor_gaps_change_a_row(tf: Any, tmp_path: Path, pool: str) -> None:
    """And one picture is not two: what is beyond the places of a row is left out."""
    import keras

    from polyhead.contracts.sizes import ModelSizes
    from polyhead.kinds.features.images.config import ImagesFeature, ImagesStatistics
    from polyhead.kinds.features.images.graph import ImagesBlock

    draw_pictures(tmp_path, FILES)
    a, b, c, d = ((tmp_path / name).read_bytes() for name in FILES)
    feature = ImagesFeature.model_validate({"kind": "images", "size": [8, 8], "max_pictures": 3, "pool": pool})
    statistics = ImagesStatistics(count=9, missing=1, decode="full", quality=None, total=20)
    block = ImagesBlock({"x": feature}, {"x": statistics})
    inputs = block.inputs()
    model = keras.Model(inputs, block.encode(inputs, ModelSizes(width=8, dropout=0.1), 1).vector)
    generator = np.random.default_rng(2)
    model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
    transform = block.transform(tmp_path, stored=False)

    def said(*rows: list[bytes]) -> Any:
        return np.asarray(model(transform(block.joined({"x": tf.constant(np.array(rows, object))}))))

    one, turned, holed, other, none = said([a, b, b""], [b, a, b""], [b"", b, a], [a, c, b""], [b"", b"", b""])
    np.testing.assert_allclose(turned, one, rtol=1e-4)
    np.testing.assert_allclose(holed, one, rtol=1e-4)
    assert not np.allclose(other, one)
    assert not np.allclose(none, one)
    long, cut = said([a, b, c, d], [a, b, c, a])
    np.testing.assert_array_equal(long, cut)
    np.testing.assert_allclose(said([a, b])[0], one, rtol=1e-4)


def test_the_pool_is_a_mean_by_weights(tf: Any) -> None:
    """Softmax over what is known, by the formula; 0 where nothing is."""
    from polyhead.kinds.features.images.graph import Pool

    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(5, 4, 6)).astype(np.float32)
    known = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0.5, 0.25, 0, 0]], np.float32)
    mean = np.asarray(Pool()(vectors, known))
    expected = (known[..., None] * vectors).sum(1) / np.maximum(known.sum(1), 1e-6)[:, None]
    np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)
    pool = Pool(attention=True)
    pool.build(vectors.shape, known.shape)
    mixer, scorer = generator.normal(size=(6, 6)), generator.normal(size=(6, 1))
    pool.set_weights([mixer, scorer])
    weights = known * np.exp(np.tanh(vectors @ mixer) @ scorer)[..., 0]
    expected = (weights[..., None] * vectors).sum(1) / np.maximum(weights.sum(1), 1e-6)[:, None]
    np.testing.assert_allclose(pool(vectors, known), expected, rtol=1e-4, atol=1e-6)
    assert Pool.from_config(pool.get_config()).attention


def test_mixed_rows_mix_picture_by_picture(tf: Any) -> None:
    """A place where only one row has a picture keeps it whole."""
    from polyhead.kinds.features.images.graph import ImagesBlock
    from polyhead.kinds.protocols.graph import Mix

    pixels = np.random.default_rng(0).integers(1, 256, (2, 2, 8, 8, 3), np.uint8)
    feature: Any = member("images", size=[8, 8], max_pictures=2)
    mix = Mix(tf.constant([0.3, 0.6]), tf.fill([2], False), tf.constant([3, 4], tf.int64))
    inputs = {"x__pixels": tf.constant(pixels), "x__known": tf.constant([[1.0, 1.0], [1.0, 0.0]])}
    statistics: Any = {"x": None}
    found = ImagesBlock({"x": feature}, statistics).mixed(inputs, mix)
    np.testing.assert_allclose(found["x__known"], [[1, 0.3], [1, 0.4]], atol=1e-6)
    seen = np.asarray(found["x__pixels"])
    assert (seen[:, 1] == pixels[0, 1]).all()
    blend = np.round(0.3 * pixels[0, 0] + 0.7 * pixels[1, 0].astype(float))
    assert np.abs(seen[0, 0] - blend).max() <= 1
