"""What is particular to vectors: their spellings, their length, their scale."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from refusals import refusal
from samples import member

from polyhead.contracts.config import Config
from polyhead.errors import DataError
from polyhead.kinds.coercion import VECTOR, vectors
from polyhead.kinds.features.vector.config import VectorStatistics
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.tables import FEATURE_TABLES, coerce, table_of
from polyhead.pictures.folder import PictureFolder
from polyhead.tables.reading import Table, read_table
from polyhead.validate import step as validate_step
from polyhead.validate.infer.proposal import propose

CELLS = [[0.1, -2.0, 3.5], None, [1.0, 2.0, 3.0], [0.0, 1e-3, 7.0]]


def as_parquet(folder: Path) -> Table:
    pl.DataFrame({"v": pl.Series(CELLS, dtype=pl.List(pl.Float64))}).write_parquet(folder / "t.parquet")
    return str(folder / "t.parquet")


def as_fixed_size_parquet(folder: Path) -> Table:
    pl.DataFrame({"v": pl.Series(CELLS, dtype=pl.Array(pl.Float32, 3))}).write_parquet(folder / "t.parquet")
    return str(folder / "t.parquet")


def as_json_lines(folder: Path) -> Table:
    (folder / "t.jsonl").write_text("".join(json.dumps({"v": cell}) + "\n" for cell in CELLS))
    return str(folder / "t.jsonl")


def as_csv(folder: Path) -> Table:
    pd.DataFrame({"v": CELLS, "row": range(4)}).to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def as_csv_of_numpy(folder: Path) -> Table:
    """`[ 0.1 -2.   3.5]`, and a scalar of NumPy in a list as its `repr`."""
    cells: list[object] = [None if cell is None else np.array(cell) for cell in CELLS]
    cells[2] = list(np.array(CELLS[2]))
    pd.DataFrame({"v": cells, "row": range(4)}).to_csv(folder / "t.csv", index=False)
    assert "np.float64(" in (folder / "t.csv").read_text()
    return str(folder / "t.csv")


def as_frame_of_lists(folder: Path) -> Table:
    return pd.DataFrame({"v": CELLS})


def as_frame_of_arrays(folder: Path) -> Table:
    return pd.DataFrame({"v": [None if cell is None else np.array(cell, np.float32) for cell in CELLS]})


@pytest.mark.parametrize(
    "made",
    [
        as_parquet,
        as_fixed_size_parquet,
        as_json_lines,
        as_csv,
        as_csv_of_numpy,
        as_frame_of_lists,
        as_frame_of_arrays,
    ],
)
def test_a_vector_is_the_same_however_the_table_holds_it(made: Callable[[Path], Table], tmp_path: Path) -> None:
    """Null where it is missing, and the nearest number of 32 bits elsewhere."""
    read = vectors(read_table(made(tmp_path))["v"])
    assert not read.faults
    assert read.values.dtype == VECTOR
    assert read.values.to_list() == [None if cell is None else np.array(cell, np.float32).tolist() for cell in CELLS]


@pytest.mark.parametrize(
    ("column", "reasons"),
    [
        (
            pl.Series([[1.0, 2.0], [1.0], [1.0, None], [1.0, float("nan")]]),
            {1: "wrong_length", 2: "not_a_number", 3: "not_a_number"},
        ),
        (pl.Series([[1.0, 2.0], [float("inf"), 0.0], [1e39, 0.0]]), {1: "infinite", 2: "infinite"}),
        (
            pl.Series(["[1, 2]", "[1,, 2]", "[1 2", "[a, 2]", "NA", "[]"]),
            {1: "wrong_length", 2: "not_a_list", 3: "not_a_number", 5: "wrong_length"},
        ),
        (pl.Series([["1", "2"], ["1", "b"]]), {1: "not_a_number"}),
    ],
)
def test_a_cell_that_is_no_such_vector_is_refused(column: pl.Series, reasons: dict[int, str]) -> None:
    read = coerce(column, member("vector", length=2))
    assert {row: fault.reason for fault in read.faults for row in fault.mask.arg_true()} == reasons
    assert read.values.to_list()[0] == [1.0, 2.0]


@pytest.mark.parametrize(
    "column", [pl.Series([[[1.0]]]), pl.Series([1.0]), pl.Series([["a"]]).list.to_struct(fields=["a"])]
)
def test_a_column_of_no_lists_of_numbers_is_refused(column: pl.Series) -> None:
    with refusal(DataError, "not-a-vector", where="column 'v'"):
        coerce(column.alias("v"), member("vector"))


def validated(frame: pl.DataFrame, folder: Path, **options: Any) -> Any:
    config = Config.model_validate(
        {
            "table": "t.csv",
            "features": {"v": {"kind": "vector", **options}},
            "targets": {"y": {"kind": "regression"}},
            "validate": {"max_rejected": 0.5},
        }
    )
    return validate_step.run(config=config, table=frame, out=folder / "V")


def test_vectors_of_several_lengths_need_a_length(tmp_path: Path) -> None:
    """With it, those of another are rejected; the refusal says which length is the most frequent."""
    frame = pl.DataFrame({"v": [[1.0, 2.0], [3.0], [4.0, 5.0]], "y": [1, 2, 3]})
    with refusal(DataError, "different-lengths", where="feature 'v'", shows=["2 in 2 rows, 1 in 1 row", "length: 2"]):
        validated(frame, tmp_path)
    report = validated(frame, tmp_path, length=2)
    assert report.rows_rejected == 1
    (rejected,) = pl.read_parquet(tmp_path / "V" / "rejected.parquet").to_dicts()
    assert {key: rejected[key] for key in ("row", "column", "reason", "value", "detail")} == {
        "row": 1,
        "column": "v",
        "reason": "wrong_length",
        "value": "[3.0]",
        "detail": "has 1 numbers, and length is 2",
    }


def fitted(cells: pl.Series, folder: Path, **options: Any) -> VectorStatistics:
    owner = member("vector", **options)
    fit = table_of(owner).fit("v", owner)
    fit.update(coerce(cells, owner).values)
    made: VectorStatistics = fit.finish(Site(folder, PictureFolder(str(folder)), max_pixels=1))
    return made


def test_a_row_to_predict_must_have_the_length_of_the_train_rows(tmp_path: Path) -> None:
    feature = member("vector").settled(fitted(pl.Series(CELLS), tmp_path))  # type: ignore[union-attr]
    (fault,) = coerce(pl.Series([[1.0, 2.0, 3.0], [1.0, 2.0]]), feature).faults
    assert fault.reason == "wrong_length"
    assert fault.mask.to_list() == [False, True]


def test_without_any_vector_the_length_is_that_of_the_configuration(tmp_path: Path) -> None:
    empty = pl.Series([None, None], dtype=VECTOR)
    assert fitted(empty, tmp_path, length=5).length == 5
    assert fitted(empty, tmp_path).length == 1


def test_components_are_scaled_as_scikit_learn_does(tf: Any, tmp_path: Path) -> None:
    """And divided by the root of their number, so that a long vector weighs as much as a short one."""
    from sklearn.preprocessing import StandardScaler

    from polyhead.kinds.graphs import FEATURE_BLOCKS

    generator = np.random.default_rng(0)
    tables = {"long": generator.normal(5, 3, (40, 300)), "short": generator.normal(-1, 0.1, (40, 2))}
    tables = {name: table.astype(np.float32) for name, table in tables.items()}
    tables["short"][:, 1] = 0.25  # tells nothing
    features = {name: member("vector") for name in tables}
    statistics = {name: fitted(pl.Series(table.tolist()), tmp_path) for name, table in tables.items()}
    block = FEATURE_BLOCKS["vector"](features, statistics)
    raw = {name: tf.constant(table) for name, table in tables.items()}
    inputs = block.transform(tmp_path, stored=False)(block.joined(raw))
    for at, table in enumerate(tables.values()):
        expected = StandardScaler().fit_transform(table.astype(np.float64)) / np.sqrt(table.shape[1])
        found = inputs["vector"].numpy()[:, at]
        np.testing.assert_allclose(found[:, : table.shape[1]], expected, rtol=1e-5, atol=1e-6)
        assert not found[:, table.shape[1] :].any()
    assert inputs["vector_known"].numpy().all()


def test_a_vector_with_one_number_that_is_not_finite_is_missing_in_serving(tf: Any, tmp_path: Path) -> None:
    """The served graph cannot reject a row; it must not answer with NaN either."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS

    block = FEATURE_BLOCKS["vector"]({"v": member("vector")}, {"v": fitted(pl.Series(CELLS), tmp_path)})
    assert (block.raw_spec("v").shape.as_list(), block.raw_spec("v").dtype) == ([None, 3], tf.float32)
    raw = tf.constant([[1, 2, 3], [np.nan, 2, 3], [1, 2, np.nan], [1, np.inf, 3]], tf.float32)
    inputs = block.transform(tmp_path, stored=False)(block.joined({"v": raw}))
    assert inputs["vector_known"].numpy().tolist() == [[1], [0], [0], [0]]
    assert inputs["vector"].numpy()[0].any()
    assert not inputs["vector"].numpy()[1:].any()


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (pl.Series("v", CELLS), {"length": 3}),
        (pl.Series("v", CELLS, dtype=pl.Array(pl.Float32, 3)), {"length": 3}),
        (pl.Series("v", ["[0.1, 0.2]", None, "[3, 4]"]), {"length": 2}),
        (pl.Series("v", [[1.0, 2.0], [1.0]]), None),
        (pl.Series("v", [[1.0], [2.0]]), None),
        (pl.Series("v", ["[1, 2]", "[1]", "[3, 4]"]), None),
        (pl.Series("v", [["a", "b"], ["c", "d"]]), None),
        (pl.Series("v", [1.0, 2.0]), None),
    ],
)
def test_lists_of_as_many_numbers_each_are_taken_for_vectors(cells: pl.Series, options: dict[str, int] | None) -> None:
    guess = FEATURE_TABLES["vector"].guess(Column(cells))
    assert (None if guess is None else guess.options) == options


def test_init_proposes_a_vector_with_its_length() -> None:
    frame = pl.DataFrame({"v": CELLS * 5, "y": list(range(20))}, schema_overrides={"v": pl.List(pl.Float64)})
    assert (
        "  v: {kind: vector, length: 3}  # lists of 3 numbers each; 25 % missing\n" in propose(frame, "t", ["y"]).text()
    )
