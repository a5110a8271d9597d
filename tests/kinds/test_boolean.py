"""Yes and no: one meaning for all words, in tables and in the graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from samples import member
from sklearn.preprocessing import StandardScaler

from polyhead.contracts.config import parse_config
from polyhead.kinds.booleans import MEANINGS
from polyhead.kinds.features.boolean.config import BooleanFeature, BooleanStatistics
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import coerce, table_of
from polyhead.pictures.folder import PictureFolder

NOWHERE = Site(Path("nowhere"), PictureFolder("nowhere"), max_pixels=1)
YES = ["1", "true", "yes", "y", "t", "on", "True", "YES", "Y", " On ", "1.0"]
NO = ["0", "false", "no", "n", "f", "off", "FALSE", "No", "N", "off ", "0.0"]
NEITHER = ["", " ", "NA", "n/a", "none", "-", "?", "nan", None]


def fitted(cells: pl.Series) -> BooleanStatistics:
    owner = member("boolean")
    fit = table_of(owner).fit("x", owner)
    fit.update(coerce(cells, owner).values)
    statistics: BooleanStatistics = fit.finish(NOWHERE)
    return statistics


def block_of(*columns: BooleanStatistics) -> Any:
    from polyhead.kinds.features.boolean.graph import BooleanBlock

    named = {f"c{at}": statistics for at, statistics in enumerate(columns)}
    return BooleanBlock({name: BooleanFeature(kind="boolean") for name in named}, named)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (pl.Series([*YES, *NO, *NEITHER]), ["true"] * 11 + ["false"] * 11 + [None] * 9),
        (pl.Series([True, False, None]), ["true", "false", None]),
        (pl.Series([1, 0, None]), ["true", "false", None]),
        (pl.Series([1.0, -0.0, math.nan, None]), ["true", "false", None, None]),
        (pl.Series(["yes", "No"], dtype=pl.Categorical), ["true", "false"]),
        (pl.Series([b"y", b"N"]), ["true", "false"]),
        (pl.Series([None, None]), [None, None]),
    ],
    ids=["words", "booleans", "whole numbers", "numbers", "categories", "bytes", "nothing"],
)
def test_every_word_and_type_has_one_meaning(cells: pl.Series, values: list[str | None]) -> None:
    coerced = coerce(cells.alias("x"), member("boolean"))
    assert coerced.values.to_list() == values
    assert not coerced.faults


@pytest.mark.parametrize(
    "cells", [["yes", "maybe", "no"], [1, 2, 0], [1.0, 0.5, 0.0], ["t", "['t']", "f"], ["1", "01", "0"]]
)
def test_another_word_is_refused_with_what_to_do(cells: list[Any]) -> None:
    """And no cell but it."""
    coerced = coerce(pl.Series("x", cells), member("boolean"))
    assert coerced.values.to_list() == ["true", None, "false"]
    (fault,) = coerced.faults
    assert (fault.reason, fault.mask.to_list()) == ("not_a_boolean", [False, True, False])
    assert "use kind: category" in fault.detail


def test_the_network_sees_a_standardised_number_whatever_the_word(tf: Any) -> None:
    """scikit-learn's of 0 and 1, then whether it is missing; what means neither is missing."""
    train = pl.Series(["yes", "no", "no", "on", "0", None])
    transform = block_of(fitted(train), fitted(pl.Series(["t", "f"]))).transform(Path(), stored=False)
    sent = [*YES, *NO, "", "maybe", "  "]
    block = tf.constant([[word, "t"] for word in sent])
    received = transform(block)["boolean"].numpy()
    (mapped,) = tf.data.Dataset.from_tensors(block).map(transform)
    np.testing.assert_array_equal(mapped["boolean"], received)
    oracle = StandardScaler().fit(np.array([1, 0, 0, 1, 0.0])[:, None])
    expected = oracle.transform(np.repeat([1.0, 0.0], [len(YES), len(NO)])[:, None])
    np.testing.assert_allclose(received[:-3, 0, :1], expected, atol=1e-6)
    assert not received[:-3, :, 1].any()
    assert received[-3:, 0].tolist() == [[0, 1]] * 3
    np.testing.assert_array_equal(received[:, 1], [[1, 0]] * len(sent))


@pytest.mark.parametrize("word", ["yes", "no", None])
def test_a_column_without_both_tells_nothing(tf: Any, word: str | None) -> None:
    transform = block_of(fitted(pl.Series([word, word, None], dtype=pl.String))).transform(Path(), stored=True)
    received = transform(tf.constant([["true"], ["false"], [""]]))["boolean"].numpy()
    assert received[:, 0].tolist() == [[0, 0], [0, 0], [0, 1]]


def test_metrics_can_be_shown_by_it() -> None:
    text = "table: t.csv\nfeatures: {b: {kind: boolean}}\ntargets: {y: {kind: regression}}\nevaluate: {slices: [b]}"
    assert parse_config(text).evaluate.slices == ["b"]


@pytest.mark.parametrize("word", [word for word, meaning in MEANINGS.items() if meaning == "true"])
def test_a_binary_target_takes_the_same_words_for_yes(word: str) -> None:
    """However rare the other one is."""
    other = next(no for no, yes in zip(MEANINGS, list(MEANINGS)[1:], strict=False) if yes == word)
    owner = member("binary")
    fit = table_of(owner).fit("y", owner)
    fit.update(pl.Series([word] * 5 + [other]))
    assert fit.finish(NOWHERE).classes == [other, word]
