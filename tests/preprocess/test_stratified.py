"""Stratified splits: every part has its share of every head, groups stay whole, and rows' order does not matter."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import grouped_rows, labels, shares

from polyhead.contracts.splits import SplitSection
from polyhead.contracts.validation import GROUP, KEY, SPLIT
from polyhead.preprocess.split import stratified_split
from polyhead.preprocess.stratified import stratified

HEADS = ["band", "sold", "price", "tags"]
SHARES = (0.7, 0.15, 0.15)
TAGS = "uvwxyz"


def table(rows: int, seed: int = 0) -> pl.DataFrame:
    """A rare class, a rare yes, prices with a long tail, several labels; some of each missing."""
    draw = np.random.default_rng(seed)
    price = pl.Series(draw.lognormal(size=rows))
    return pl.DataFrame(
        {
            KEY: [f"k{i}" for i in range(rows)],
            "band": [None if at < 0.05 else "rare" if at < 0.07 else "abc"[int(at * 3)] for at in draw.random(rows)],
            "sold": np.where(draw.random(rows) < 0.1, "yes", "no"),
            "price": pl.select(pl.when(pl.Series(draw.random(rows) > 0.03)).then(price)).to_series(),
            "tags": [[tag for tag in TAGS if draw.random() < 0.15] for _ in range(rows)],
        }
    )


def holds(rows: pl.DataFrame) -> NDArray[np.float64]:
    """A column for each class and label, and the prices in deviations."""
    words = [
        rows[head].fill_null("none") == word
        for head in ("band", "sold")
        for word in rows[head].fill_null("none").unique()
    ]
    tags = [rows["tags"].list.contains(tag) for tag in TAGS]
    price = rows["price"].fill_null(strategy="mean")
    columns = [column.to_numpy().astype(float) for column in (*words, *tags)]
    return np.column_stack([*columns, ((price - price.mean()) / price.std()).to_numpy()])


def deviation(held: NDArray[np.float64], parts: NDArray[np.int64]) -> float:
    """The largest difference between a part and all rows, of a share or of a mean in deviations."""
    means = [held[parts == part].mean(axis=0) for part in range(int(parts.max()) + 1)]
    return float(max(np.abs(mean - held.mean(axis=0)).max() for mean in means))


@pytest.mark.parametrize("rows", [100, 600])
def test_a_stratified_split_is_better_than_the_best_of_a_thousand_at_random(rows: int) -> None:
    """Of the same sizes, over all heads at once."""
    frame = table(rows)
    parts = stratified(frame, HEADS, SHARES, seed=0)
    sizes = np.bincount(parts)
    assert np.abs(sizes - np.array(SHARES) * rows).max() <= 1
    held = holds(frame)
    draw = np.random.default_rng(1)
    at_random = [deviation(held, draw.permutation(np.repeat(np.arange(3), sizes))) for _ in range(1_000)]
    assert deviation(held, parts) < min(at_random) < np.quantile(at_random, 0.01)


@pytest.mark.parametrize("giant", [0.0, 0.6])
def test_groups_stay_whole_and_still_every_part_has_its_share(giant: float) -> None:
    """Better than the first percentile of a thousand random splits of the groups; also beside a giant one."""
    rows = 600
    draw = np.random.default_rng(2)
    groups = np.where(draw.random(rows) < giant, "giant", draw.integers(0, 90, rows).astype(str))
    frame = table(rows).with_columns(pl.Series(GROUP, groups))
    parts = stratified(frame, HEADS, SHARES, seed=0)
    assert (
        frame.with_columns(pl.Series("part", parts)).group_by(GROUP).agg(pl.col("part").n_unique())["part"].max() == 1
    )
    assert np.abs(np.bincount(parts) / rows - SHARES).max() < 0.02
    names, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    held, at_random = holds(frame), []
    for _ in range(1_000):
        order = draw.permutation(len(names))
        behind = np.cumsum(sizes[order]) - sizes[order] / 2
        part = np.empty(len(names), np.int64)
        part[order] = np.searchsorted(np.cumsum(SHARES)[:2] * rows, behind)
        if len(set(part)) == 3:
            at_random.append(deviation(held, part[of]))
    assert deviation(held, parts) < np.quantile(at_random, 0.01)


def test_thirty_labels_of_three_rows_each() -> None:
    """Each is in the train rows with two or three, and none has both of the others in one part."""
    frame = pl.DataFrame({KEY: [f"k{i}" for i in range(90)], "band": [f"label{i // 3}" for i in range(90)]})
    dealt = frame.with_columns(pl.Series("part", stratified(frame, ["band"], SHARES, seed=0)))
    by_label = dealt.group_by("band").agg((pl.col("part") == part).sum().alias(str(part)) for part in range(3))
    assert set(by_label["0"]) <= {2, 3}
    assert set(by_label["1"]) == set(by_label["2"]) == {0, 1}
    assert (dealt["part"] == 0).sum() in (62, 63, 64)


def test_a_group_that_is_larger_than_any_part() -> None:
    """Is in the largest, and the others share what is left."""
    groups = ["giant"] * 90 + [f"g{i}" for i in range(10)]
    frame = table(100).with_columns(pl.Series(GROUP, groups))
    parts = stratified(frame, HEADS, SHARES, seed=0)
    assert set(parts[:90]) == {0}
    assert np.bincount(parts[90:], minlength=3).tolist() == [0, 5, 5]


@settings(max_examples=60, deadline=None)
@given(
    grouped_rows,
    st.lists(st.one_of(st.none(), labels)),
    st.lists(st.one_of(st.none(), st.integers(-3, 3))),
    shares,
    st.randoms(),
    st.integers(0, 9),
)
def test_groups_are_whole_and_the_order_of_rows_does_not_matter(
    rows: dict[str, str | None],
    words: list[str | None],
    prices: list[int | None],
    wanted: tuple[float, float, float],
    random: object,
    seed: int,
) -> None:
    """Of any heads, whatever is missing, ties or repeats; only splits with a fraction get rows."""
    train, val, test = wanted
    section = SplitSection.model_validate(
        {
            "group": "g",
            "stratify": ["a", "b", "c"],
            "seed": seed,
            "fractions": {"train": train, "val": val, "test": test},
        }
    )

    def at(values: list[object], place: int) -> object:
        return values[place % len(values)] if values else None

    frame = pl.DataFrame(
        {
            KEY: list(rows),
            GROUP: list(rows.values()),
            "a": [at([*words], i) for i in range(len(rows))],
            "b": [at([*prices], i) for i in range(len(rows))],
            "c": [[[], ["x"], None, ["x", "y"]][i % 4] for i in range(len(rows))],
        },
        schema={KEY: pl.String, GROUP: pl.String, "a": pl.String, "b": pl.Float64, "c": pl.List(pl.String)},
    )  # fmt: skip
    split = stratified_split(section, frame)
    assert set(split) <= {name for name, share in zip(("train", "val", "test"), wanted, strict=True) if share}
    crossing = frame.with_columns(split).drop_nulls(GROUP).group_by(GROUP).agg(pl.col(SPLIT).n_unique())
    assert crossing[SPLIT].max() in (None, 1)
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert stratified_split(section, frame[order]).to_list() == split.gather(order).to_list()


def test_another_seed_is_another_split_of_the_same_shares() -> None:
    """With groups too, whose sizes alone do not decide."""
    plain = table(300)
    grouped = plain.with_columns(pl.Series(GROUP, [f"g{i // 3}" for i in range(300)]))
    for frame in (plain, grouped):
        first, second = (stratified(frame, HEADS, SHARES, seed=seed) for seed in (0, 1))
        assert 0.2 < (first != second).mean() < 0.7


def test_few_rows_move_when_rows_are_added_to_heads_of_few_classes() -> None:
    """One in a hundred more, of two heads: fewer than one in a hundred move."""
    frame = table(5_000)
    whole, most = (stratified(rows, ["sold", "band"], SHARES, seed=0) for rows in (frame, frame.head(4_950)))
    assert (whole[:4_950] != most).mean() < 0.01
