"""The split: stable, by key alone, with the asked shares."""

from __future__ import annotations

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
from strategies import texts

from polyhead.contracts.config import Fractions, SplitSection
from polyhead.contracts.validation import KEY, ROW, SPLIT
from polyhead.preprocess.split import split_of
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
