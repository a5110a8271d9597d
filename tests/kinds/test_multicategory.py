"""What is particular to multicategories: how sets are read, and what their values weigh."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import member, sent
from strategies import labels

from polyhead.kinds.features.multicategory.config import MulticategoryStatistics
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.tables import FEATURE_TABLES, coerce, table_of
from polyhead.kinds.vocabulary import read_vocabulary
from polyhead.pictures.folder import PictureFolder
from polyhead.tables.reading import Table, read_table

CELLS: list[list[str] | None] = [["new", "old", "new"], None, [], ["7", "new"]]
SETS: list[list[str] | None] = [["new", "new", "old"], None, [], ["7", "new"]]


def as_parquet(folder: Path) -> Table:
    pl.DataFrame({"tags": CELLS}).write_parquet(folder / "t.parquet")
    return str(folder / "t.parquet")


def as_json_lines(folder: Path) -> Table:
    (folder / "t.jsonl").write_text("".join(json.dumps({"tags": cell}) + "\n" for cell in CELLS))
    return str(folder / "t.jsonl")


def as_csv_of_lists(folder: Path) -> Table:
    pd.DataFrame({"tags": CELLS, "row": range(4)}).to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def as_csv_of_json(folder: Path) -> Table:
    cells = [None if cell is None else json.dumps(cell) for cell in CELLS]
    pd.DataFrame({"tags": cells, "row": range(4)}).to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def as_csv_with_separators(folder: Path) -> Table:
    (folder / "t.csv").write_text("tags,row\nnew|old|new,0\n,1\n[],2\n7.0 | new,3\n")
    return str(folder / "t.csv")


def as_frame_of_lists(folder: Path) -> Table:
    return pd.DataFrame({"tags": CELLS})


def as_frame_of_arrays(folder: Path) -> Table:
    return pd.DataFrame({"tags": [None if cell is None else np.array(cell, object) for cell in CELLS]})


@pytest.mark.parametrize(
    "made",
    [
        as_parquet,
        as_json_lines,
        as_csv_of_lists,
        as_csv_of_json,
        as_csv_with_separators,
        as_frame_of_lists,
        as_frame_of_arrays,
    ],
)
def test_a_set_is_the_same_however_the_table_holds_it(made: Callable[[Path], Table], tmp_path: Path) -> None:
    """Null where it is missing, which an empty one is not; values that repeat are kept."""
    read = coerce(read_table(made(tmp_path))["tags"], member("multicategory"))
    assert not read.faults
    assert read.values.to_list() == SETS


def test_the_separator_cuts_text_and_no_lists() -> None:
    owner = member("multicategory", separator="; ")
    assert coerce(pl.Series(["a; b|c;d"]), owner).values.to_list() == [["b|c;d", "a"][::-1]]
    assert coerce(pl.Series([["a; b", "c"]]), owner).values.to_list() == [["a; b", "c"]]


def test_one_value_that_is_not_accepted_rejects_the_row() -> None:
    read = coerce(pl.Series(["a|b", "a|c", "[]", None]), member("multicategory", allowed=["a", "b"]))
    assert read.values.to_list() == [["a", "b"], None, [], None]
    assert [(fault.reason, fault.detail, fault.mask.arg_true().to_list()) for fault in read.faults] == [
        ("not_allowed", "accepted are a, b", [1])
    ]


def fitted(
    cells: Sequence[list[str] | None], folder: Path, name: str = "tags", **options: Any
) -> MulticategoryStatistics:
    owner = member("multicategory", **options)
    fit = table_of(owner).fit(name, owner)
    fit.update(pl.Series(cells, dtype=pl.List(pl.String)))
    made: MulticategoryStatistics = fit.finish(Site(folder, PictureFolder(str(folder)), max_pixels=1))
    return made


def test_a_value_counts_by_the_rows_that_have_it(tmp_path: Path) -> None:
    """Not by how often: `min_count` and `max_size` choose among those of the most rows."""
    cells = [["b", "b", "b"], ["a", "c"], ["a"], ["c", "d"], None]
    sets_of_options: tuple[dict[str, Any], ...] = ({}, {"min_count": 2}, {"max_size": 1})
    tokens = {
        str(options): read_vocabulary(tmp_path, fitted(cells, tmp_path, **options).vocabulary).rows()
        for options in sets_of_options
    }
    assert tokens == {
        "{}": [("a", 2), ("c", 2), ("b", 1), ("d", 1)],
        "{'min_count': 2}": [("a", 2), ("c", 2)],
        "{'max_size': 1}": [("a", 2)],
    }


def test_the_statistics_say_how_large_a_set_is(tmp_path: Path) -> None:
    """Of the train rows that have one, the empty one included."""
    statistics = fitted([["a", "a", "a"], ["a", "b"], [], None], tmp_path)
    assert (statistics.count, statistics.missing, statistics.most) == (3, 1, 3)
    assert statistics.presence == pytest.approx((1 + 2 + 0) / 3)
    assert statistics.squares == pytest.approx((9 + 2 + 0) / 3)
    empty = fitted([None, []], tmp_path)
    assert (empty.presence, empty.squares, empty.most) == (0, 0, 0)


def table_of_block(folder: Path, cells: Sequence[list[str] | None], train: int, **options: Any) -> Any:
    """The block's matrix of all rows, fitted on the first ones: missing, unseen, then the vocabulary's values."""
    import tensorflow as tf

    from polyhead.kinds.graphs import FEATURE_BLOCKS

    owner = member("multicategory", **options)
    block = FEATURE_BLOCKS["multicategory"]({"tags": owner}, {"tags": fitted(cells[:train], folder, **options)}, folder)
    raw = {"tags": tf.constant(sent(owner, pl.Series(cells, dtype=pl.List(pl.String)), folder))}  # type: ignore[arg-type]
    inputs = block.transform(folder, stored=False)(block.joined(raw))
    table = block.table({name: value.numpy() for name, value in inputs.items()})
    dense = np.zeros((len(cells), table.size))
    for row, (places, values) in enumerate(zip(table.places, table.values, strict=True)):
        np.add.at(dense[row], places, values)
    np.testing.assert_array_equal(dense, np.asarray(block.trees(inputs).values))
    return dense, block.statistics["tags"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(labels, max_size=5).map(sorted), min_size=4, max_size=12), st.sampled_from([3, 4]))
def test_values_weigh_what_scikit_learn_counts(
    tf: Any, tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], train: int
) -> None:
    """MultiLabelBinarizer for presence, CountVectorizer for counts, all rows on one scale.

    Counts go up to the largest of a train row; values that no train row has are counted in a column of their own.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import MultiLabelBinarizer

    folder = tmp_path_factory.mktemp("sets")
    dense, statistics = table_of_block(folder, cells, train)
    tokens = read_vocabulary(folder, statistics.vocabulary)["token"].to_list()
    known = [[value for value in cell if value in tokens] for cell in cells]
    scale = np.sqrt(statistics.presence or 1)
    np.testing.assert_allclose(
        dense[:, 2:] * scale, MultiLabelBinarizer(classes=tokens).fit_transform(known), rtol=1e-6
    )
    unseen = [len(own) < len(cell) for own, cell in zip(known, cells, strict=True)]
    np.testing.assert_allclose(dense[:, 1] * scale, unseen, rtol=1e-6)
    assert not dense[:, 0].any()

    dense, statistics = table_of_block(folder, cells, train, encoding="counts")
    scale = np.sqrt(statistics.squares or 1)
    if tokens:
        counter = CountVectorizer(analyzer=lambda cell: cell, vocabulary=tokens)
        expected = np.minimum(counter.transform(cells).toarray(), statistics.most)
        np.testing.assert_allclose(dense[:, 2:] * scale, expected, rtol=1e-6)
    others = [len(cell) - len(own) for own, cell in zip(known, cells, strict=True)]
    np.testing.assert_allclose(dense[:, 1] * scale, np.minimum(others, statistics.most), rtol=1e-6)


def test_missing_and_empty_are_not_the_same(tf: Any, tmp_path: Path) -> None:
    """An empty set is nothing at all; a missing one has a column of its own."""
    dense, _ = table_of_block(tmp_path, [["a", "b"], None, []], 3)
    np.testing.assert_allclose(dense, [[0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])


def test_raw_cells_are_cut_as_the_table_is(tf: Any, tmp_path: Path) -> None:
    """At each column's own separator, with blanks, repeats, other spellings and normal forms."""
    from polyhead.kinds.graphs import FEATURE_BLOCKS

    cells = ["a;b", " a ; 7.0;;a", "[]", "  ", ";", "caf\u00e9", "cafe\u0301", "a|b", None]
    features = {"one": member("multicategory", separator=";", encoding="counts")}
    features |= {"two": member("multicategory"), "three": member("multicategory", separator=";")}
    statistics, raw, stored = {}, {}, []
    for name, feature in features.items():
        values = coerce(pl.Series(cells), feature).values
        statistics[name] = fitted(values.to_list(), tmp_path, name)
        raw[name] = tf.constant([cell or "" for cell in cells])
        stored.append([[""] if value is None else value for value in values.to_list()])
    block = FEATURE_BLOCKS["multicategory"](features, statistics, tmp_path)
    ragged = tf.ragged.constant([list(row) for row in zip(*stored, strict=True)], inner_shape=())
    served = block.transform(tmp_path, stored=False)(block.joined(raw))
    for name, value in block.transform(tmp_path, stored=True)(ragged).items():
        np.testing.assert_array_equal(served[name], value, name)


def test_training_hides_sets_and_values(tf: Any) -> None:
    """Of some sets nothing is known, of others some values are unseen; weights stay what they were."""
    from polyhead.kinds.features.multicategory.graph import HideSets

    ids = np.tile([2, 3, 0], (4000, 1, 1)).astype(np.int32)
    weights = np.tile([0.5, 0.5, 0.0], (4000, 1, 1)).astype(np.float32)
    hide = HideSets(0.1, 7)
    for value, same in zip(hide([ids, weights]), (ids, weights), strict=True):
        np.testing.assert_array_equal(value, same)
    hidden, left = (np.asarray(value)[:, 0] for value in hide([ids, weights], training=True))
    missing = (hidden == 0).all(1)
    assert 0.08 < missing.mean() < 0.12
    np.testing.assert_array_equal(left[missing], [[1, 0, 0]] * missing.sum())
    np.testing.assert_array_equal(left[~missing], weights[~missing, 0])
    assert 0.08 < (hidden[~missing, :2] == 1).mean() < 0.12
    assert not hidden[:, 2].any(), "padding stays padding"


def test_trees_get_a_line_where_there_are_too_many_values(tmp_path: Path, tf: Any) -> None:
    from polyhead.kinds.graphs import FEATURE_BLOCKS

    for values, wide in ((200, False), (300, True)):
        statistics = fitted([[f"v{value}" for value in range(values)]], tmp_path)
        block = FEATURE_BLOCKS["multicategory"]({"tags": member("multicategory")}, {"tags": statistics}, tmp_path)
        assert block.is_wide is wide


TAGS = [["new"], ["new", "old"], ["old", "red"], [], None, ["red"]] * 10


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (pl.Series("tags", TAGS), {}),
        (pl.Series("tags", [None if tags is None else str(tags) for tags in TAGS]), {}),
        (pl.Series("tags", [None if tags is None else "|".join(tags) for tags in TAGS]), {}),
        (pl.Series("tags", [None if tags is None else ";".join(tags) for tags in TAGS]), {"separator": ";"}),
        (pl.Series("ids", [[1, 2], [7], [2, 7, 1]]), {}),
        (pl.Series("tags", [["a"]] * 3, dtype=pl.List(pl.Categorical)), {}),
        (pl.Series("weights", [[0.5], [1.0, 2.0]]), None),
        (pl.Series("weights", ["[0.5]", "[1.0, 2.0]"]), None),
        (pl.Series("boxes", [[[1, 2]], [[3, 4]]]), None),
        (pl.Series("empty", [[], []], dtype=pl.List(pl.Null)), None),
        (pl.Series("word", ["a", "b"] * 10), None),
    ],
)
def test_lists_of_words_are_taken_for_sets(cells: pl.Series, options: dict[str, str] | None) -> None:
    """Also of whole numbers, which name things; measurements are none."""
    guess = FEATURE_TABLES["multicategory"].guess(Column(cells))
    assert (None if guess is None else guess.options) == options
