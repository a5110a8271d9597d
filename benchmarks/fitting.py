"""Fitting the statistics against pandas and scikit-learn.

`python -m benchmarks.fitting SIDE CASE PATH` runs one side of a case, ours or theirs, in a process of its own and
prints its seconds, processor seconds and peak memory in MiB as JSON, imports included. PATH is what the case's table
function gave.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROWS = 10_000_000
BLOCK = 1_000_000
ROW_GROUP = 131_072
NUMBERS = [f"n{i}" for i in range(4)]
CATEGORIES = 1000
TEXTS = 50_000
WORDS = 20_000


def numbers_table(folder: Path) -> Path:
    """Ten million rows of four normal numbers and one of a thousand categories."""
    path = folder / "numbers.parquet"
    generator = np.random.default_rng(0)
    blocks = []
    for _ in range(ROWS // BLOCK):
        columns: dict[str, Any] = {name: generator.normal(size=BLOCK) for name in NUMBERS}
        columns["c"] = generator.integers(0, CATEGORIES, BLOCK)
        blocks.append(pl.DataFrame(columns).with_columns(pl.col("c").cast(pl.String)))
    pl.concat(blocks).write_parquet(path, row_group_size=ROW_GROUP)
    return path


def texts_table(folder: Path) -> Path:
    """Fifty thousand texts of forty words, their frequencies by Zipf's law."""
    path = folder / "texts.parquet"
    generator = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(WORDS)])
    chosen = words[np.minimum(generator.zipf(1.3, (TEXTS, 40)) - 1, WORDS - 1)]
    pl.DataFrame({"text": [" ".join(row) for row in chosen]}).write_parquet(path, row_group_size=ROW_GROUP)
    return path


def fit_ours(path: Path) -> None:
    """Everything that Polyhead fits on these columns, all rows being train rows, in one pass over the file."""
    from polyhead.contracts.config import Config
    from polyhead.contracts.validation import SPLIT
    from polyhead.preprocess.fit import CategoryFit, TextFit
    from polyhead.preprocess.partial import gather
    from polyhead.storage.clean import ParquetTable
    from polyhead.storage.parallel import available_cpus

    columns = pl.read_parquet_schema(path)
    kinds = {name: "numeric" if name in NUMBERS else "category" if name == "c" else "text" for name in columns}
    members = {name: {"kind": kind} for name, kind in kinds.items()}
    target = {"y": {"kind": "regression"}}
    config = Config.model_validate({"table": str(path), "features": members, "targets": target})
    config = config.model_copy(update={"targets": {}})
    table = ParquetTable(path, pl.scan_parquet(path).select(pl.len()).collect().item())
    train = pl.lit("train").alias(SPLIT)
    fitted = gather(
        table.parts(),
        lambda part: table.read(part, *columns, train),
        config,
        workers=available_cpus(),
        advance=lambda _: None,
    )
    for fit in fitted.features.values():
        if isinstance(fit, CategoryFit | TextFit):
            fit.vocabulary()
        else:
            fit.finish()


def fit_numbers_theirs(path: Path) -> None:
    """The same with pandas and scikit-learn: the file in memory, a scaler on values and on signed logarithms."""
    import pandas as pd
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    from polyhead.contracts.preprocessing import QUANTILES

    frame = pd.read_parquet(path)
    numbers = frame[NUMBERS]
    StandardScaler().fit(numbers)
    StandardScaler().fit(np.sign(numbers) * np.log1p(numbers.abs()))
    numbers.quantile(list(QUANTILES))
    numbers.min()
    numbers.max()
    OrdinalEncoder().fit(frame[["c"]])
    frame["c"].value_counts()


def fit_texts_theirs(path: Path) -> None:
    """The same with scikit-learn's TfidfVectorizer."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    TfidfVectorizer(min_df=2, max_features=20_000).fit(pd.read_parquet(path)["text"])


SIDES: dict[tuple[str, str], Callable[[Path], None]] = {
    ("ours", "numbers"): fit_ours,
    ("theirs", "numbers"): fit_numbers_theirs,
    ("ours", "texts"): fit_ours,
    ("theirs", "texts"): fit_texts_theirs,
}


def numbers(folder: Path) -> dict[str, Any]:
    """Moments, quantiles and a vocabulary of ten million rows, Parquet in, statistics out."""
    path = numbers_table(folder)
    return {
        "name": "fit 4 numbers and a category",
        "unit": "rows",
        "count": ROWS,
        "peer": "pandas + scikit-learn",
        "ours": lambda: fit_ours(path),
        "theirs": lambda: fit_numbers_theirs(path),
    }


def texts(folder: Path) -> dict[str, Any]:
    """A TF-IDF vocabulary of fifty thousand texts of forty words."""
    path = texts_table(folder)
    return {
        "name": "fit TF-IDF",
        "unit": "texts",
        "count": TEXTS,
        "peer": "scikit-learn's TfidfVectorizer",
        "ours": lambda: fit_ours(path),
        "theirs": lambda: fit_texts_theirs(path),
    }


CASES = (numbers, texts)


def main() -> None:
    """Run one side and print what it took, its imports included."""
    side, case, path = sys.argv[1:]
    started = time.perf_counter()
    SIDES[side, case](Path(path))
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "seconds": time.perf_counter() - started,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
