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

from polyhead.contracts.config import Config, parse_config
from polyhead.errors import ConfigError, DataError
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


def validated(table: Table, folder: Path, *, max_rejected: float = 0.5, **options: Any) -> Any:
    config = Config.model_validate(
        {
            "table": "t.csv",
            "features": {"v": {"kind": "vector", **options}},
            "targets": {"y": {"kind": "regression"}},
            "validate": {"max_rejected": max_rejected},
        }
    )
    return validate_step.run(config=config, table=table, out=folder / "V")


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


def test_a_projection_keeps_distances_and_leaves_fewer_numbers(tf: Any, tmp_path: Path) -> None:
    """Of long vectors only; what the network and the simple models get is as wide as asked, and so is their line."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS

    tables = {
        name: np.random.default_rng(3).normal(size=(30, length)) for name, length in (("long", 900), ("short", 5))
    }
    tables = {name: table.astype(np.float32) for name, table in tables.items()}
    statistics = {name: fitted(pl.Series(table.tolist()), tmp_path) for name, table in tables.items()}
    raw = {name: tf.constant(table) for name, table in tables.items()}

    def inputs_of(**options: Any) -> tuple[Any, dict[str, Any]]:
        block = FEATURE_BLOCKS["vector"]({name: member("vector", **options) for name in tables}, statistics)
        inputs = block.transform(tmp_path, stored=False)(block.joined(raw))
        assert {name: value.shape[1:] for name, value in inputs.items()} == {
            name: value.shape[1:] for name, value in block.inputs().items()
        }
        return block, {name: value.numpy() for name, value in inputs.items()}

    (_, whole), (block, projected) = inputs_of(), inputs_of(projection=256)
    assert projected["vector"].shape == (30, 2, 256)
    assert block.table(projected).size == 256 + 5
    assert block.line(projected, 3, "y").shape == (30, 3)
    np.testing.assert_array_equal(projected["vector"][:, 1, :5], whole["vector"][:, 1, :5])
    assert not projected["vector"][:, 1, 5:].any()
    before, after = (
        np.linalg.norm(one["vector"][:, None, 0] - one["vector"][None, :, 0], axis=-1)[np.triu_indices(30, 1)]
        for one in (whole, projected)
    )
    np.testing.assert_allclose(after / before, 1, atol=4 / np.sqrt(256))
    assert abs((after / before).mean() - 1) < 0.02


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


WIDE = {"e_0": [0.1, None, 1.0, 0.0], "e_1": [-2.0, None, 2.0, 1e-3], "e_2": [3.5, None, 3.0, 7.0]}


@pytest.mark.parametrize("columns", ["e_0..e_2", ["e_0", "e_1", "e_2"]])
@pytest.mark.parametrize("as_text", [False, True])
def test_columns_of_numbers_are_one_vector(tmp_path: Path, columns: str | list[str], as_text: bool) -> None:
    """As if a column of lists had been given, in whatever order the table has them, and from CSV as from a frame."""
    frame = pl.DataFrame({**dict(reversed(WIDE.items())), "y": [1, 2, 3, 4]})
    if as_text:
        frame.with_columns(pl.col("e_1").cast(pl.String).fill_null("NA")).write_csv(tmp_path / "t.csv")
    table = str(tmp_path / "t.csv") if as_text else frame
    report = validated(table, tmp_path, columns=columns)
    assert report.rows_rejected == 0
    clean = pl.read_parquet(tmp_path / "V" / "clean.parquet")
    assert clean["v"].to_list() == [None if cell is None else np.array(cell, np.float32).tolist() for cell in CELLS]
    assert clean["v"].dtype == VECTOR


def test_a_row_that_lacks_some_of_its_numbers_is_rejected(tmp_path: Path) -> None:
    """With the column that lacks it and what is wrong with its cell."""
    cells = {"e_8": ["1", "2", "3", "4", "5"], "e_9": ["1", "", "x", "4", "5"], "e_10": ["1", "2", "3", "inf", "5"]}
    frame = pl.DataFrame({**cells, "y": [1, 2, 3, 4, 5]})
    report = validated(frame, tmp_path, columns="e_8..e_10", max_rejected=0.8)
    assert report.rows_rejected == 3
    rejected = pl.read_parquet(tmp_path / "V" / "rejected.parquet")
    assert rejected.select("row", "column", "reason", "detail").rows() == [
        (1, "e_8..e_10", "not_a_number", "e_9 is missing: a vector has all of its numbers"),
        (2, "e_8..e_10", "not_a_number", "e_9 cannot be read as a number: a vector has all of its numbers"),
        (3, "e_8..e_10", "infinite", "must have finite numbers, of 32 bits"),
    ]


def test_a_range_names_its_columns() -> None:
    """By their numbers, with the zeros before them, where they have any."""
    expected = {"e_8..e_11": ["e_8", "e_9", "e_10", "e_11"], "x098..x101": ["x098", "x099", "x100", "x101"]}
    for columns, names in expected.items():
        assert member("vector", columns=columns).columns_of("v") == names
        assert member("vector", columns=columns).stored_bytes == 16  # type: ignore[union-attr]
    assert member("vector", column="c").columns_of("v") == ["c"]
    assert member("vector").columns_of("v") == ["v"]


@pytest.mark.parametrize(
    ("options", "code", "shows"),
    [
        ("columns: emb", "invalid-columns", ["'emb'", "emb_0..emb_767"]),
        ("columns: emb_*", "invalid-columns", ["'emb_*'", "emb_0..emb_767"]),
        ("columns: e_3..e_1", "invalid-columns", ["'e_3..e_1'"]),
        ("columns: e_3..f_9", "invalid-columns", ["'e_3..f_9'"]),
        ("columns: e_01..e_100", "invalid-columns", ["'e_01..e_100'"]),
        ("columns: e_0..e_99999999", "invalid-columns", ["'e_0..e_99999999'"]),
        ("columns: e_3..e_3", "invalid-columns", ["'e_3..e_3'"]),
        ("columns: []", "invalid-columns", ["[]"]),
        ("columns: [a]", "invalid-columns", ["['a']", "two or more"]),
        ("columns: [a, a]", "invalid-columns", ["['a', 'a']"]),
        ("columns: [a, 1]", "invalid-columns", ["['a', 1]"]),
        ("columns: e_0..e_1, column: e", "conflicting-keys", ["columns and column"]),
        ("columns: e_0..e_1, length: 2", "conflicting-keys", ["columns and length"]),
    ],
)
def test_what_names_no_columns_is_refused(options: str, code: str, shows: list[str]) -> None:
    text = f"table: t.csv\ntargets: {{y: {{kind: regression}}}}\nfeatures:\n  v: {{kind: vector, {options}}}\n"
    where = "f:4 features.v.columns" if code == "invalid-columns" else "f:4 features.v"
    with refusal(ConfigError, code, where=where, shows=shows):
        parse_config(text, name="f")


def test_a_column_of_a_range_serves_nothing_else() -> None:
    text = "table: t.csv\nfeatures: {v: {kind: vector, columns: e_0..e_3}, e_2: {kind: numeric}}\n"
    with refusal(ConfigError, "column-used-twice", where="f:2 features.v", shows=["'e_2'", "features.e_2"]):
        parse_config(f"{text}targets: {{y: {{kind: regression}}}}\n", name="f")


def test_a_range_that_the_table_lacks_or_that_holds_no_numbers_is_refused(tmp_path: Path) -> None:
    """With every column at fault."""
    frame = pl.DataFrame({"e_0": [1.0], "e_1": [[1.0]], "e_2": [[2.0]], "y": [1.0]})
    with pytest.raises(DataError) as caught:
        validated(frame, tmp_path, columns="e_0..e_2")
    assert [(problem.code, problem.where) for problem in caught.value.problems] == [
        ("not-a-number", "column 'e_1'"),
        ("not-a-number", "column 'e_2'"),
    ]
    with pytest.raises(DataError) as caught:
        validated(frame, tmp_path, columns="e_0..e_4")
    assert {problem.code for problem in caught.value.problems} == {"unknown-column"}
    assert len(caught.value.problems) == 2
