"""The table facet of every kind: all are there, fits merge in any way, nonsense is refused, no step asks for a kind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_series_equal
from strategies import bad_and_good_cells, labels, numbers, phrases, words

from polyhead.contracts.config import Config
from polyhead.errors import DataError
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.part import State
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.tables import FEATURE_TABLES, TARGET_TABLES, coerce, table_of
from polyhead.kinds.union import FEATURES, TARGETS, Feature, Target
from polyhead.pictures.folder import PictureFolder
from polyhead.validate import step

MEMBERS: dict[str, dict[str, Any]] = {
    "image": {"size": [16, 16]},
    "numeric": {"min": -1e6},
    "category": {"allowed": ["red", "green", "blue", "7"]},
    "text": {"min_documents": 1, "ngrams": 2},
    "binary": {},
    "multiclass": {"classes": ["red", "green", "7"]},
    "multilabel": {"labels": ["red", "green", "7"]},
    "regression": {"transform": "log"},
}
"""A configuration of every kind that has something to say of the cells."""

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "image": words.map(lambda word: f"{word}.jpg"),
    "numeric": numbers,
    "category": labels,
    "text": phrases.filter(str.strip),
    "binary": st.sampled_from(["no", "yes"]),
    "multiclass": st.sampled_from(["red", "green", "7"]),
    "multilabel": st.lists(st.sampled_from(["red", "green", "7"]), unique=True).map(sorted),
    "regression": st.floats(1e-3, 1e9),
}
"""Cells of every kind in its canonical type."""

TYPES: dict[str, pl.DataType] = {
    "numeric": pl.Float64(),
    "regression": pl.Float64(),
    "multilabel": pl.List(pl.String()),
}
KINDS = [*FEATURES, *TARGETS]


def member(kind: str, **options: Any) -> Feature | Target:
    return {**FEATURES, **TARGETS}[kind].model_validate({"kind": kind, **options})


def canonical(kind: str, cells: list[Any]) -> pl.Series:
    return pl.Series("x", cells, dtype=TYPES.get(kind, pl.String()))


def test_every_kind_has_a_table_facet() -> None:
    """And no facet is without a kind; a kind that these tests leave out is a failure here."""
    assert FEATURE_TABLES.keys() == FEATURES.keys()
    assert TARGET_TABLES.keys() == TARGETS.keys()
    assert MEMBERS.keys() == CELLS.keys() == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_facet_is_that_of_its_kind(kind: str) -> None:
    """Its folder is called so."""
    assert f".{kind}." in type(table_of(member(kind))).__module__


def equal(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, pl.Series):
            assert_series_equal(value, other[key], check_names=False)
        else:
            assert value == other[key], key


def finished(fit: Fit[Any], folder: Path) -> str:
    """The statistics and the digests of what was written, or why there are none."""
    try:
        return str(fit.finish(Site(folder, PictureFolder(str(folder)), max_pixels=1)).model_dump_json())
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_fit_is_the_same_in_any_order_and_grouping(
    kind: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Its state and its statistics are the same, bit by bit.

    Rows are shuffled, cut anywhere, given to several fits, merged in any order, and taken through plain values.
    """
    cells = data.draw(st.lists(CELLS[kind] | st.none(), max_size=30))
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    owner, column = member(kind, **MEMBERS[kind]), canonical(kind, cells)

    def empty() -> Fit[Any]:
        return table_of(owner).fit("x", owner)

    once = empty()
    once.update(column)
    rows = dice.sample(range(len(cells)), len(cells))
    shuffled, fits, at = column.gather(rows), [empty() for _ in range(4)], 0
    while at < len(rows):
        size = dice.randrange(1, 6)
        dice.choice(fits).update(shuffled[at : at + size])
        at += size
    while len(fits) > 1:
        dice.shuffle(fits)
        fits[0].merge(fits.pop())
    restored = empty()
    restored.restore(fits[0].state())
    folder = tmp_path_factory.mktemp("fits")
    for other in (fits[0], restored):
        equal(once.state(), other.state())
        assert finished(other, folder) == finished(once, folder)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(cells=st.lists(bad_and_good_cells, min_size=1, max_size=30), cut=st.integers(0, 30))
def test_a_summary_is_the_same_in_any_parts(kind: str, cells: list[str | None], cut: int) -> None:
    """And counts what is missing after cells that do not fit were refused."""
    values = coerce(pl.Series("x", cells, dtype=pl.String), member(kind)).values
    once, parts = table_of(member(kind)).summary(), table_of(member(kind)).summary()
    once.add(values)
    parts.add(values[cut:])
    parts.add(values[:cut])
    assert once.told("x", "feature", kind) == parts.told("x", "feature", kind)
    assert once.missing == values.null_count()
    assert once.problem("x", len(values)) == parts.problem("x", len(values))
    assert once.warnings("x") == parts.warnings("x")


NONSENSE = [
    ("numeric", "abc", "not_a_number", "cannot be read as a number"),
    ("numeric", "-1e7", "out_of_range", "the smallest accepted value is -1e+06"),
    ("category", "purple", "not_allowed", "accepted are red, green, blue, 7"),
    ("category", "['red']", "a_list", "give one word, or make the column a target of kind: multilabel"),
    ("binary", "['yes', 'no']", "a_list", "give one word, or make the column a target of kind: multilabel"),
    ("multiclass", "purple", "not_allowed", "accepted are red, green, 7"),
    ("multilabel", "red|purple", "not_allowed", "labels are red, green, 7"),
    ("multilabel", "['red', oops]", "not_a_list", "separate labels with '|'"),
    ("regression", "-3", "not_positive", "transform: log needs numbers above zero"),
    ("regression", "inf", "infinite", "must be finite"),
]


@pytest.mark.parametrize(("kind", "cell", "reason", "remedy"), NONSENSE)
def test_nonsense_is_refused_with_column_row_and_remedy(
    tmp_path: Path, kind: str, cell: str, reason: str, remedy: str
) -> None:
    """The cell alone: rows beside it stay."""
    good = {"numeric": "1", "regression": "1", "binary": "yes"}.get(kind, "red")
    others = {"numeric": "2", "regression": "2", "binary": "no"}.get(kind, "7")
    group, other = ("features", "targets") if kind in FEATURES else ("targets", "features")
    rest = {"y": {"kind": "regression"}} if other == "targets" else {"y": {"kind": "numeric"}}
    config = Config.model_validate(
        {
            "table": "t",
            "key": "id",
            group: {"x": {"kind": kind, "column": "The Column", **MEMBERS[kind]}},
            other: rest,
            "validate": {"max_rejected": 0.5},
        }
    )
    frame = pl.DataFrame({"id": list("abcde"), "The Column": [good, others, cell, good, others], "y": [1, 2, 3, 4, 5]})
    report = step.run(config=config, table=frame, out=tmp_path / "V")
    assert report.rows_rejected == 1
    rejected = pl.read_parquet(tmp_path / "V" / "rejected.parquet").row(0, named=True)
    assert [rejected[name] for name in ("row", "key", "column", "reason")] == [2, "c", "The Column", reason]
    assert remedy in rejected["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_says_what_is_wanted(kind: str) -> None:
    """And a type that holds no cell of the kind names the column."""
    column = pl.Series("The Column", [{"a": 1}])
    with pytest.raises(DataError) as caught:
        coerce(column, member(kind))
    assert [problem.where for problem in caught.value.problems] == ["column 'The Column'"]
    required = {"required": True} if kind in FEATURES else {}
    for fault in coerce(pl.Series("x", [None], dtype=pl.String), member(kind, **required)).faults:
        assert (fault.reason, fault.detail) == ("missing", "the config requires a value")


@settings(max_examples=100, deadline=None)
@given(st.lists(bad_and_good_cells, min_size=1, max_size=30))
def test_a_guess_is_one_of_its_own_kind(cells: list[str | None]) -> None:
    """And a kind that guesses itself reads the column."""
    column = Column(pl.Series("x", cells, dtype=pl.String))
    for tables in (FEATURE_TABLES, TARGET_TABLES):
        for kind, table in tables.items():
            if tables is TARGET_TABLES and column.kinds < 2:
                continue
            guess = table.guess(column)
            if guess is not None:
                assert guess.kind == kind
                assert guess.why
                assert len(coerce(column.series, member(kind, **guess.options)).values) == len(cells)
