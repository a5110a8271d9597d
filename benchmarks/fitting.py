"""Fitting the statistics against pandas and scikit-learn.

`python -m benchmarks.fitting SIDE CASE PATH` runs one side of a case, ours or theirs. PATH is what the case's table
function gave.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import scaled
from benchmarks.harness import own_process
from benchmarks.side import report

ROWS = 10_000_000
BLOCK = 1_000_000
ROW_GROUP = 131_072
NUMBERS = [f"n{i}" for i in range(4)]
CATEGORIES = 1000
TEXTS = 50_000
WORDS = 20_000

Work = Callable[[], int]
"""Fits a whole file; gives its rows."""


def numbers_table(folder: Path) -> Path:
    """Ten million rows of four normal numbers and one of a thousand categories."""
    path = folder / "numbers.parquet"
    generator = np.random.default_rng(0)
    blocks = []
    for start in range(0, scaled(ROWS), BLOCK):
        size = min(BLOCK, scaled(ROWS) - start)
        columns: dict[str, Any] = {name: generator.normal(size=size) for name in NUMBERS}
        columns["c"] = generator.integers(0, CATEGORIES, size)
        blocks.append(pl.DataFrame(columns).with_columns(pl.col("c").cast(pl.String)))
    pl.concat(blocks).write_parquet(path, row_group_size=ROW_GROUP)
    return path


def texts_table(folder: Path) -> Path:
    """Fifty thousand texts of forty words, their frequencies by Zipf's law."""
    path = folder / "texts.parquet"
    generator = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(WORDS)])
    chosen = words[np.minimum(generator.zipf(1.3, (scaled(TEXTS), 40)) - 1, WORDS - 1)]
    pl.DataFrame({"text": [" ".join(row) for row in chosen]}).write_parquet(path)
    return path


def fit_ours(path: Path) -> Work:
    """Everything that Polyhead fits on these columns, all rows being train rows, in one pass over the file."""
    import pyarrow.parquet  # noqa: F401 - the table would import it while it is timed

    from polyhead.contracts.config import Config
    from polyhead.contracts.validation import SPLIT
    from polyhead.kinds.fitting.fit import Site
    from polyhead.pictures.folder import PictureFolder
    from polyhead.preprocess.partial import gather
    from polyhead.storage.parallel import available_cpus
    from polyhead.tables.clean import ParquetTable

    columns = pl.read_parquet_schema(path)
    kinds = {name: "numeric" if name in NUMBERS else "category" if name == "c" else "text" for name in columns}
    members = {name: {"kind": kind} for name, kind in kinds.items()}
    target = {"y": {"kind": "regression"}}
    config = Config.model_validate({"table": str(path), "features": members, "targets": target})
    config = config.model_copy(update={"targets": {}})
    train = pl.lit("train").alias(SPLIT)
    workers = available_cpus()
    table = ParquetTable(path, pl.scan_parquet(path).select(pl.len()).collect().item())

    def work() -> int:
        rows = 0

        def count(fitted: int) -> None:
            nonlocal rows
            rows += fitted

        found = gather(
            list(table.pieces(list(columns), wanted=4 * workers)),
            lambda piece: table.read(piece.rows, *piece.columns, train),
            config,
            workers=workers,
            advance=count,
        )
        with tempfile.TemporaryDirectory() as directory:
            site = Site(Path(directory), PictureFolder(directory), max_pixels=1)
            for fit in found.features.values():
                fit.finish(site)
        return rows

    return work


def fit_numbers_theirs(path: Path) -> Work:
    """The same with pandas and scikit-learn: the file in memory, a scaler on values and on signed logarithms."""
    import pandas as pd
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    from polyhead.kinds.features.numeric.config import QUANTILES

    def work() -> int:
        frame = pd.read_parquet(path)
        numbers = frame[NUMBERS]
        StandardScaler().fit(numbers)
        StandardScaler().fit(np.sign(numbers) * np.log1p(numbers.abs()))
        numbers.quantile(list(QUANTILES))
        numbers.min()
        numbers.max()
        OrdinalEncoder().fit(frame[["c"]])
        frame["c"].value_counts()
        return len(frame)

    return work


def fit_texts_theirs(path: Path) -> Work:
    """The same with scikit-learn's TfidfVectorizer."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    def work() -> int:
        texts = pd.read_parquet(path)["text"]
        TfidfVectorizer(min_df=2, max_features=20_000).fit(texts)
        return len(texts)

    return work


SIDES: dict[tuple[str, str], Callable[[Path], Work]] = {
    ("ours", "numbers"): fit_ours,
    ("theirs", "numbers"): fit_numbers_theirs,
    ("ours", "texts"): fit_ours,
    ("theirs", "texts"): fit_texts_theirs,
}


def numbers(folder: Path) -> dict[str, Any]:
    """Moments, quantiles and a vocabulary of ten million rows, Parquet in, statistics out."""
    path = numbers_table(folder)
    return {
        "name": "statistics of 4 numbers and a category",
        "unit": "rows",
        "count": scaled(ROWS),
        "peer": "pandas + scikit-learn",
        "ours": own_process("benchmarks.fitting", "ours", "numbers", path),
        "theirs": own_process("benchmarks.fitting", "theirs", "numbers", path),
        "asked": {"seconds": 6.0, "peak_bytes": 10.0},
        "note": fit_numbers_theirs.__doc__,
    }


def texts(folder: Path) -> dict[str, Any]:
    """A TF-IDF vocabulary of fifty thousand texts of forty words."""
    path = texts_table(folder)
    return {
        "name": "TF-IDF vocabulary",
        "unit": "texts",
        "count": scaled(TEXTS),
        "peer": "scikit-learn's TfidfVectorizer",
        "ours": own_process("benchmarks.fitting", "ours", "texts", path),
        "theirs": own_process("benchmarks.fitting", "theirs", "texts", path),
        "asked": {"seconds": None, "peak_bytes": None},
    }


CASES = {"numbers": numbers, "texts": texts}


if __name__ == "__main__":
    side, case, table = sys.argv[1:]
    report(SIDES[side, case](Path(table)))
