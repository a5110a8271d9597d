"""`predict`: every usable row in the order of the input, the others set aside with their reasons."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from faults import FAULTS, failing
from refusals import gist, refusal

from polyhead.errors import ArtifactError, DataError, MachineError
from polyhead.kinds.features.image.config import ImageFeature
from polyhead.pictures import decode, folder
from polyhead.predict import step

PRICE, SOLD = ["price.predicted", "price.low", "price.high"], ["sold.probability.no", "sold.probability.yes"]
COLUMNS = ["row", "key", *PRICE, "sold.predicted", "sold.set", *SOLD]


def with_cell(frame: pl.DataFrame, column: str, row: int, value: Any) -> pl.DataFrame:
    cells = frame[column].to_list()
    cells[row] = value
    return frame.with_columns(pl.Series(column, cells, dtype=frame.schema[column]))


def assert_rows_equal(one: pl.DataFrame, other: pl.DataFrame) -> None:
    """The same predictions up to the last bits, which depend on the batch."""
    assert one["key"].to_list() == other["key"].to_list()
    assert one["sold.predicted"].to_list() == other["sold.predicted"].to_list()
    assert one["sold.set"].to_list() == other["sold.set"].to_list()
    for column in [*PRICE, *SOLD]:
        np.testing.assert_allclose(one[column], other[column], rtol=1e-5, atol=1e-6)


def test_rows_come_in_the_order_of_the_input(model: Any, predict: Any) -> None:
    """Row and key columns are the input's, also over several batches, and equal rows get equal predictions."""
    frame = model.rows(40)
    many = pl.concat([frame.with_columns(pl.col("id") + f"/{copy}") for copy in range(8)])
    summary, predictions, rejected = predict(many, workers=3)
    assert predictions.columns == COLUMNS
    assert predictions["row"].to_list() == list(range(320))
    assert predictions["key"].to_list() == many["id"].to_list()
    assert (summary.rows_read, summary.rows_predicted, summary.rows_rejected) == (320, 320, 0)
    assert rejected is None
    for copy in range(1, 8):
        part = predictions[copy * 40 : copy * 40 + 40].with_columns(pl.col("key").str.replace(r"/\d", "/0"))
        assert_rows_equal(part, predictions[:40])
    assert predictions[:40]["price.predicted"].n_unique() == 40


def test_bad_rows_are_set_aside_and_the_rest_is_predicted(model: Any, predict: Any) -> None:
    """Each bad row stands in the rejected table with its reason; the others keep their order and their numbers."""
    frame = model.rows(12).with_columns(pl.col("size").cast(pl.String))
    _, whole, _ = predict(frame)
    spoilt = with_cell(frame, "size", 1, "many")
    spoilt = with_cell(spoilt, "size", 2, "1001")
    spoilt = with_cell(spoilt, "colour", 4, "")
    spoilt = with_cell(spoilt, "path", 6, "gone.png")
    spoilt = with_cell(spoilt, "path", 7, "../outside.png")
    spoilt = with_cell(spoilt, "id", 9, "k8")
    summary, predictions, rejected = predict(spoilt)
    assert rejected is not None
    assert rejected.select("row", "key", "column", "reason", "value").rows() == [
        (1, "k1", "size", "not_a_number", "many"),
        (2, "k2", "size", "out_of_range", "1001"),
        (4, "k4", "colour", "missing", ""),
        (6, "k6", "path", "image_missing", "gone.png"),
        (7, "k7", "path", "image_outside_root", "../outside.png"),
        (9, "k8", "id", "duplicate_key", "k8"),
    ]
    assert predictions["row"].to_list() == [0, 3, 5, 8, 10, 11]
    assert_rows_equal(predictions, whole.filter(pl.col("row").is_in([0, 3, 5, 8, 10, 11])))
    assert (summary.rows_read, summary.rows_predicted, summary.rows_rejected) == (12, 6, 6)
    assert sum(rejection.rows for rejection in summary.rejections) == 6
    assert Path(summary.rejected_path).name == "out.rejected.parquet"


def test_a_table_that_holds_its_pictures_is_predicted(model: Any, predict: Any, tmp_path: Path) -> None:
    """As the table that names their files: whole, from a frame, and by several workers; a damaged one is rejected."""
    frame = model.rows(300)
    _, expected, _ = predict(frame)
    cells = [(model.folder / name).read_bytes() for name in frame["path"]]
    cells[7] = cells[7][:40]
    held = frame.with_columns(path=pl.Series(cells, dtype=pl.Binary))
    summary, predictions, rejected = predict(held, ".parquet")
    assert rejected is not None
    assert rejected.select("row", "column", "reason").rows() == [(7, "path", "image_unreadable")]
    assert summary.rows_predicted == 299
    assert_rows_equal(predictions, expected.filter(pl.col("row") != 7))
    planned = step.plan(bundle=model.bundle, table=held, partitions=2, out=tmp_path / "plan")
    parts = []
    for partition in planned.partitions:
        parts.append(tmp_path / partition.name)
        step.run_partition(bundle=model.bundle, plan=tmp_path / "plan", partition=partition.name, out=parts[-1])
    step.merge(plan=tmp_path / "plan", parts=parts, out=tmp_path / "merged.parquet")
    assert (tmp_path / "merged.parquet").read_bytes() == (tmp_path / "out.parquet").read_bytes()


def test_rows_of_masked_pictures_are_predicted(model: Any, predict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As rows without a picture are; each such picture is listed and counted, and no row is."""
    monkeypatch.setattr(ImageFeature, "masks", lambda _, reason: reason == "image_missing")
    frame = model.rows(8)
    _, missing, _ = predict(with_cell(frame, "path", 6, None))
    summary, predictions, rejected = predict(with_cell(frame, "path", 6, "gone.png"))
    assert rejected is not None
    cells = rejected.select("row", "key", "column", "reason", "value").rows()
    assert cells == [(6, "k6", "path", "masked_image_missing", "gone.png")]
    assert (summary.rows_predicted, summary.rows_rejected, len(summary.rejections)) == (8, 0, 1)
    assert_rows_equal(predictions, missing)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("module", "name"), [(folder, "_whole"), (decode, "opened_picture")])
def test_a_fault_of_the_machine_stops_predict(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, module: ModuleType, name: str
) -> None:
    """While a picture is read and while it is decoded; nothing is written, neither predictions nor rejected rows."""
    table = model.folder / f"{tmp_path.name}.csv"
    model.rows(5).write_csv(table)
    error, code = FAULTS[fault]
    monkeypatch.setattr(module, name, failing(error))
    with refusal(MachineError, code, shows=[".png"]):
        step.run(bundle=model.bundle, table=str(table), out=tmp_path / "out.parquet", workers=2)
    assert not list(tmp_path.iterdir())


def test_missing_values_and_new_words_are_predicted(model: Any, predict: Any) -> None:
    """An absent picture, number or text and an unseen category are values, not errors."""
    frame = model.rows(5)
    for row, column in ((0, "path"), (1, "size"), (2, "note")):
        frame = with_cell(frame, column, row, None)
    frame = with_cell(frame, "colour", 3, "ultraviolet")
    _, predictions, rejected = predict(frame)
    assert rejected is None
    assert predictions.height == 5
    assert predictions["price.predicted"].is_finite().all()


def test_key_target_and_split_columns_are_not_needed(model: Any, predict: Any) -> None:
    """Features are enough, the position names the rows then; further columns, in any order, are left alone."""
    frame = model.rows(6)
    _, named, _ = predict(frame)
    _, unnamed, _ = predict(frame.drop("id"))
    assert unnamed["key"].to_list() == ["0", "1", "2", "3", "4", "5"]
    assert_rows_equal(unnamed.with_columns(named["key"]), named)
    more = frame.with_columns(pl.lit("x").alias("part"), pl.lit("cheap").alias("price"), pl.lit(1).alias("other"))
    _, extended, _ = predict(more.select(reversed(more.columns)))
    assert_rows_equal(extended, named)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_every_table_format_gives_the_same(model: Any, predict: Any, suffix: str) -> None:
    """Parquet and JSON Lines predict what CSV predicts."""
    frame = model.rows(7)
    assert_rows_equal(predict(frame, suffix)[1], predict(frame)[1])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_frame_in_memory(
    model: Any, predict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A pandas or polars DataFrame, its pictures under the working directory, predicts what its file predicts."""
    frame = with_cell(model.rows(6), "size", 2, None)
    _, expected, _ = predict(frame)
    monkeypatch.chdir(model.folder)
    table = frame.to_pandas().set_index(np.arange(6)[::-1]) if kind == "pandas" else frame
    summary = step.run(bundle=model.bundle, table=table, out=tmp_path / "memory.parquet")
    assert summary.rows_predicted == 6
    assert_rows_equal(pl.read_parquet(tmp_path / "memory.parquet"), expected)


def test_the_output_replaces_a_former_one(model: Any, predict: Any) -> None:
    """Predicting into a file that exists replaces it whole."""
    predict(model.rows(9))
    _, predictions, _ = predict(model.rows(3))
    assert predictions.height == 3


def test_missing_columns_are_named_with_their_table(model: Any, tmp_path: Path) -> None:
    """All absent feature columns at once, each with the table's name and the nearest column."""
    place = tmp_path / "new.csv"
    model.rows(3).rename({"size": "sizes"}).drop("note").write_csv(place)
    with refusal(DataError, "unknown-column", "unknown-column", where=[place] * 2) as caught:
        step.run(bundle=model.bundle, table=str(place), out=tmp_path / "out.parquet")
    assert sorted(values for _, _, values in map(gist, caught.problems)) == [["note"], ["size", "sizes"]]


def test_no_usable_row_is_an_error_that_keeps_the_reasons(model: Any, tmp_path: Path) -> None:
    """Where every row is rejected nothing is predicted, and the reasons are written before the error."""
    frame = model.rows(2).with_columns(pl.lit("gone.png").alias("path"))
    with refusal(DataError, "no-clean-rows") as caught:
        step.run(bundle=model.bundle, table=frame, out=tmp_path / "out.parquet")
    assert caught.problem.where == "the DataFrame"
    assert pl.read_parquet(tmp_path / "out.rejected.parquet")["reason"].to_list() == ["image_missing"] * 2
    assert not (tmp_path / "out.parquet").exists()


def test_places_that_cannot_be_used(model: Any, tmp_path: Path) -> None:
    """A folder as output, a folder that is no bundle, and a table that is not there are told before any work."""
    frame = model.rows(2)
    with refusal(ArtifactError, "not-a-file"):
        step.run(bundle=model.bundle, table=frame, out=tmp_path)
    with refusal(ArtifactError, "artifact-not-found", shows=["ModelBundle.json"]):
        step.run(bundle=tmp_path, table=frame, out=tmp_path / "out.parquet")
    with refusal(DataError, "file-not-found"):
        step.run(bundle=model.bundle, table=str(tmp_path / "none.csv"), out=tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_one_graph_serves_all_batches(model: Any) -> None:
    """Predicting again, in batches of other sizes, traces the network once."""
    from polyhead.examples.encoding import encode_entries, examples_of
    from polyhead.model.predictor import Predictor

    predictor = Predictor(model.bundle)
    traces = 0
    core = predictor._core

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal traces
        traces += 1
        return core(*args, **kwargs)

    predictor._core = counted
    for size in (3, 5, 4, 7, 2):
        size_column = pl.Series(range(size), dtype=pl.Float64)
        entries = {"key": [pl.Series(["k"] * size)], "feature/numeric": [size_column]}
        examples = examples_of(encode_entries(entries, size)).joined().split()
        batches = [examples[at : at + 2] for at in range(0, size, 2)]
        assert [key for predicted in predictor.predict(batches) for key in predicted.keys] == ["k"] * size
    assert traces == 1
