"""Folds: dealt by class, stable, and the split of each."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from polyhead.contracts.validation import GROUP, KEY, ROW, SPLIT
from polyhead.cross_validate.folds import FOLD, split_table, with_folds

STRATA = ["band", "sold"]


def rows(count: int = 203) -> pl.DataFrame:
    """Three bands, one of them rare, a yes in seven rows, and some of both missing."""
    return pl.DataFrame(
        {
            ROW: range(count),
            KEY: [f"k{at}" for at in range(count)],
            "band": [None if at % 29 == 0 else "rare" if at % 20 == 7 else "ab"[at % 2] for at in range(count)],
            "sold": [None if at % 31 == 0 else "yes" if at % 7 == 0 else "no" for at in range(count)],
        }
    )


@pytest.mark.parametrize("folds", [2, 5, 7])
def test_folds_have_the_same_rows_of_every_class(folds: int) -> None:
    """To one, in all and of each class of the first target; of the second to two."""
    dealt = with_folds(rows(), STRATA, folds=folds, seed=1)
    assert dealt.select(ROW, KEY, *STRATA).equals(rows())
    for columns, most in (([], 1), (["band"], 1), (["sold"], 4)):
        counts = dealt.with_columns(pl.lit(0).alias("all")).group_by("all", *columns, FOLD).len()
        spread = counts.group_by("all", *columns).agg(pl.col("len").max() - pl.col("len").min())
        assert max(spread["len"].to_list()) <= most, columns
    assert dealt[FOLD].unique().sort().to_list() == list(range(folds))


def test_folds_follow_from_seed_and_keys_only() -> None:
    """Other rows' order changes nothing, another seed does."""
    dealt = with_folds(rows(), STRATA, folds=5, seed=1)
    shuffled = with_folds(rows().reverse(), STRATA, folds=5, seed=1)
    assert shuffled.reverse().equals(dealt)
    other = with_folds(rows(), STRATA, folds=5, seed=2)
    assert 0.5 < (other[FOLD] != dealt[FOLD]).to_numpy().mean() < 0.95


def test_the_split_of_a_fold_tests_its_rows_and_cuts_val_rows_from_the_others() -> None:
    """Every row is a test row once; val has its share of the rare class."""
    dealt = with_folds(rows(), STRATA, folds=5, seed=1)
    tested: list[int] = []
    for fold in range(5):
        split = split_table(dealt, STRATA, fold, val=0.2, seed=1)
        assert split.columns == [ROW, KEY, SPLIT]
        assert split.select(ROW, KEY).equals(rows().select(ROW, KEY))
        tested += split.filter(pl.col(SPLIT) == "test")[ROW].to_list()
        outside = split.filter(pl.col(SPLIT) != "test")
        assert (outside[SPLIT] == "val").sum() == int(outside.height * 0.2)
        rare = split.join(rows(), on=ROW).filter((pl.col("band") == "rare") & (pl.col(SPLIT) != "test"))
        assert abs(int((rare[SPLIT] == "val").to_numpy().sum()) - 0.2 * rare.height) <= 1
    assert sorted(tested) == list(range(203))


def test_without_classes_rows_are_dealt_by_their_keys_alone() -> None:
    """And without a share for val there is none."""
    dealt = with_folds(rows(), [], folds=4, seed=0)
    assert dealt[FOLD].value_counts()["count"].sort().to_list() == [50, 51, 51, 51]
    assert set(split_table(dealt, [], 0, val=0.0, seed=0)[SPLIT]) == {"train", "test"}


def test_no_group_is_in_two_folds_nor_in_train_and_val_rows() -> None:
    """Folds are about as large, and each has its share of the bands."""
    grouped = rows(400).with_columns(pl.Series(GROUP, [None if at % 9 == 0 else f"g{at % 57}" for at in range(400)]))
    dealt = with_folds(grouped, STRATA, folds=5, seed=1)
    assert dealt.drop(FOLD).equals(grouped)
    assert dealt.drop_nulls(GROUP).group_by(GROUP).agg(pl.col(FOLD).n_unique())[FOLD].max() == 1
    sizes = dealt[FOLD].value_counts()["count"].to_list()
    assert len(sizes) == 5
    assert min(sizes) > 70
    rare = dealt.filter(pl.col("band") == "rare")[FOLD].value_counts()["count"].to_list()
    assert len(rare) == 5
    assert max(rare) - min(rare) <= 2
    split = split_table(dealt, STRATA, 0, val=0.2, seed=1)
    assert split.filter(pl.col(SPLIT) == "test")[ROW].to_list() == dealt.filter(pl.col(FOLD) == 0)[ROW].to_list()
    whole = split.join(dealt, on=ROW).drop_nulls(GROUP)
    assert whole.group_by(GROUP).agg(pl.col(SPLIT).n_unique())[SPLIT].max() == 1
    outside = split.filter(pl.col(SPLIT) != "test")
    assert (outside[SPLIT] == "val").to_numpy().mean() == pytest.approx(0.2, abs=0.02)
    assert set(split_table(dealt, STRATA, 0, val=0.0, seed=1)[SPLIT]) == {"train", "test"}


def test_folds_have_their_share_of_numbers_and_of_every_head() -> None:
    """Where they are stratified jointly: means differ less than a tenth of what those of plain folds do."""
    frame = rows(400).with_columns(pl.Series("price", [float((at * 37) % 101) ** 3 for at in range(400)]))

    def spread(jointly: bool) -> float:
        dealt = with_folds(frame, ["sold", "price"] if jointly else STRATA, folds=5, seed=1, jointly=jointly)
        return float(np.ptp(dealt.group_by(FOLD).agg(pl.col("price").mean())["price"].to_numpy()))

    assert spread(jointly=True) < 0.1 * spread(jointly=False)
    dealt = with_folds(frame, ["sold", "price"], folds=5, seed=1, jointly=True)
    yes = dealt.filter(pl.col("sold") == "yes")[FOLD].value_counts()["count"].to_list()
    assert max(yes) - min(yes) <= 1
    other = with_folds(frame, ["sold", "price"], folds=5, seed=2, jointly=True)
    assert 0.5 < (other[FOLD] != dealt[FOLD]).to_numpy().mean() < 0.95
