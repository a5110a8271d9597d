"""The split: stable, by key alone, with the asked shares."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import grouped_rows, shares, texts, times

from polyhead.contracts.splits import Fractions, SplitSection
from polyhead.contracts.validation import GROUP, KEY, ROW, SPLIT, TIME
from polyhead.preprocess.split import split_in_time, split_of
from polyhead.tables.hashing import hash_positions
from polyhead.tables.writing import ROW_GROUP

POSITIONS = [0.5261244522821622, 0.41517453472151855]
"""Of the keys `row000` with seed 0 and `größe/中文` with seed 7, computed apart from the code."""


def position(salt: int, key: str) -> float:
    """By the xxhash package alone."""
    seed = xxhash.xxh64(str(salt).encode()).intdigest()
    return (xxhash.xxh64(key.encode(), seed=seed).intdigest() >> 11) / 2**53


def by_hash(keys: list[str], seed: int = 0, **shares: float) -> list[str]:
    section = SplitSection(seed=seed, fractions=Fractions(**shares) if shares else None)
    return pl.DataFrame({KEY: keys}, schema={KEY: pl.String}).select(split_of(section))[SPLIT].to_list()


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, min_size=1, unique=True), st.lists(texts, unique=True), st.randoms(), st.integers(0, 10**6))
def test_adding_removing_or_reordering_rows_moves_no_other_row(
    keys: list[str], more: list[str], random: object, seed: int
) -> None:
    """A row's split is a function of its key and the seed."""
    before = dict(zip(keys, by_hash(keys, seed), strict=True))
    everyone = list(dict.fromkeys([*keys, *more]))
    random.shuffle(everyone)  # type: ignore[attr-defined]
    after = dict(zip(everyone, by_hash(everyone, seed), strict=True))
    assert {key: after[key] for key in keys} == before


@pytest.mark.parametrize(
    ("train", "val", "test"), [(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.9, 0.0, 0.1), (0.02, 0.08, 0.9)]
)
@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_the_shares_are_met_within_binomial_bounds(train: float, val: float, test: float, seed: int) -> None:
    """Within five standard deviations, for plain counting keys."""
    rows = 20_000
    received = by_hash([str(i) for i in range(rows)], seed, train=train, val=val, test=test)
    for name, share in (("train", train), ("val", val), ("test", test)):
        assert abs(received.count(name) - rows * share) <= 5 * math.sqrt(rows * share * (1 - share))
    assert set(received) <= {"train", "val", "test"}


def test_the_default_is_70_15_15() -> None:
    """Where the config gives no fractions."""
    keys = [f"key{i}" for i in range(500)]
    assert by_hash(keys) == by_hash(keys, train=0.7, val=0.15, test=0.15)


def test_raising_the_train_share_only_moves_rows_into_train() -> None:
    """Train rows stay train rows."""
    keys = [str(i) for i in range(2000)]
    small, large = by_hash(keys, train=0.5, val=0.2, test=0.3), by_hash(keys, train=0.6, val=0.2, test=0.2)
    assert all(after == "train" for before, after in zip(small, large, strict=True) if before == "train")
    assert small != large


def test_another_seed_is_an_independent_split() -> None:
    """Half of the rows agree on a coin toss."""
    keys = [str(i) for i in range(10_000)]
    first, second = (by_hash(keys, seed, train=0.5, val=0.0, test=0.5) for seed in (0, 1))
    agree = sum(a == b for a, b in zip(first, second, strict=True))
    assert abs(agree - 5000) < 5 * math.sqrt(10_000 * 0.25)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts), st.integers(0, 2**70))
def test_positions_are_those_of_the_xxhash_package(keys: list[str], salt: int) -> None:
    """For any key, the empty one included, and any salt, also one that does not fit 64 bits."""
    received = hash_positions(salt, pl.Series(keys, dtype=pl.String)).to_list()
    assert received == [position(salt, key) for key in keys]


def test_the_split_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Known positions, and another process with another hash seed: a changed split is a broken promise."""
    assert [position(0, "row000"), position(7, "größe/中文")] == POSITIONS
    code = (
        "import polars as pl\n"
        "from polyhead.tables.hashing import hash_positions\n"
        "for salt, key in ((0, 'row000'), (7, 'gr\\u00f6\\u00dfe/\\u4e2d\\u6587')):\n"
        "    print(hash_positions(salt, pl.Series([key]))[0])\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "1"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert [float(word) for word in ended.stdout.split()] == POSITIONS


def test_the_written_splits_do_not_depend_on_threads(tmp_path: Path) -> None:
    """Every row with its place among the splits, in the rows' order, the same bytes from one thread and from five."""
    keys = [f"key{i}" for i in range(300_000)]
    clean = pl.DataFrame({ROW: range(len(keys)), KEY: keys})
    clean.write_parquet(tmp_path / "clean.parquet", row_group_size=70_000)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from polyhead.contracts.config import SplitSection\n"
        "from polyhead.preprocess.split import write_splits\n"
        "from polyhead.tables.clean import ParquetTable\n"
        "write_splits(ParquetTable(Path('clean.parquet'), 300_000), SplitSection(), Path(sys.argv[1]))\n"
    )
    for threads in ("1", "5"):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "POLARS_MAX_THREADS": threads}
        subprocess.run([sys.executable, "-c", code, f"{threads}.parquet"], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "5.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "1.parquet").equals(clean.with_columns(pl.Series(SPLIT, by_hash(keys))))
    with pq.ParquetFile(tmp_path / "1.parquet") as file:
        groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [ROW_GROUP, ROW_GROUP, len(keys) - 2 * ROW_GROUP]


def test_a_split_column_decides_alone() -> None:
    """Seed and key do not matter."""
    rows = pl.DataFrame({KEY: ["a", "b", "c"], SPLIT: ["test", "train", "val"]})
    section = SplitSection(column="part", seed=99)
    assert rows.select(split_of(section))[SPLIT].to_list() == ["test", "train", "val"]


def by_group(rows: dict[str, str | None]) -> dict[str, str]:
    frame = pl.DataFrame(
        {KEY: list(rows), GROUP: list(rows.values())}, schema={KEY: pl.String, GROUP: pl.String}
    ).with_columns(split_of(SplitSection(group="patient", seed=4)))
    return dict(zip(frame[KEY], frame[SPLIT], strict=True))


@settings(max_examples=100, deadline=None)
@given(grouped_rows, grouped_rows, st.randoms())
def test_no_group_crosses_and_more_rows_move_none(
    rows: dict[str, str | None], more: dict[str, str | None], random: object
) -> None:
    """Whatever the order; a row of no group goes by its key, as without groups."""
    split = by_group(rows)
    groups = {group: {split[key] for key in rows if rows[key] == group} for group in rows.values() if group is not None}
    assert {len(found) for found in groups.values()} <= {1}
    alone = [key for key, group in rows.items() if group is None]
    assert [split[key] for key in alone] == by_hash(alone, 4)
    everyone = list({**more, **rows}.items())
    random.shuffle(everyone)  # type: ignore[attr-defined]
    assert split.items() <= by_group(dict(everyone)).items()


def test_groups_get_about_the_shares() -> None:
    """Of a thousand groups of four rows each."""
    split = list(by_group({f"k{i}": f"g{i // 4}" for i in range(4_000)}).values())
    shares = [split.count(name) / 4_000 for name in ("train", "val", "test")]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.03)


def in_time(found: list[float], wanted: tuple[float, float, float], gap: float | None = None) -> list[str | None]:
    train, val, test = wanted
    section = SplitSection.model_validate(
        {"time": "sold", "gap": gap, "fractions": {"train": train, "val": val, "test": test}}
    )
    frame = pl.DataFrame({TIME: found}, schema={TIME: pl.Float64})
    return frame.select(split_in_time(section, frame[TIME]))[SPLIT].to_list()


@settings(max_examples=200, deadline=None)
@given(times, shares, st.randoms())
def test_train_comes_before_val_before_test(
    found: list[float], wanted: tuple[float, float, float], random: object
) -> None:
    """Ties are not divided, a split is off by no more than a tie, none is empty that need not be, in any order."""
    split = in_time(found, wanted)
    span = {
        name: [time for time, of in zip(found, split, strict=True) if of == name] for name in ("train", "val", "test")
    }
    in_order = [times for times in span.values() if times]
    assert all(max(before) < min(after) for before, after in itertools.pairwise(in_order))
    different = len(set(found))
    assert sum(map(bool, span.values())) == min(different, sum(share > 0 for share in wanted))
    if different > 2:
        largest_tie = max(found.count(time) for time in found)
        assert abs(len(span["train"]) - wanted[0] * len(found)) <= max(largest_tie, 1) * (2 if wanted[1] else 1)
    shuffled = list(zip(found, split, strict=True))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert in_time([time for time, _ in shuffled], wanted) == [of for _, of in shuffled]


@settings(max_examples=100, deadline=None)
@given(times, shares, st.sampled_from([0.0, 0.5, 1.0, 3.0, 100.0]))
def test_between_two_splits_lies_the_gap(found: list[float], wanted: tuple[float, float, float], gap: float) -> None:
    """And no row is left out that is farther away; test rows never are."""
    whole, left = in_time(found, wanted), in_time(found, wanted, gap)
    order = ("train", "val", "test")
    for time, before, after in zip(found, whole, left, strict=True):
        later = [
            other
            for other, split in zip(found, whole, strict=True)
            if order.index(split or "") > order.index(before or "")
        ]
        assert after == (before if not later or min(later) - time >= gap else None)


def test_a_giant_tie_leaves_a_row_for_every_split() -> None:
    """Nine rows of one time, then one and one."""
    assert in_time([1.0] * 9 + [2.0, 3.0], (0.7, 0.15, 0.15)) == ["train"] * 9 + ["val", "test"]
    assert in_time([1.0] * 9 + [2.0], (0.7, 0.15, 0.15)) == ["train"] * 9 + ["test"]
    assert in_time([1.0] * 9, (0.7, 0.15, 0.15)) == ["train"] * 9
