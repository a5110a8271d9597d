"""Fitting the statistics against pandas and scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROWS = 1_000_000
TEXTS = 50_000
WORDS = 20_000


def numbers(folder: Path) -> dict[str, Any]:
    """Means, variances and a vocabulary of a million rows, Parquet in, statistics out."""
    import pandas as pd
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    from polyhead.contracts.features import CategoryFeature
    from polyhead.preprocess.fit import fit_category, fit_numeric

    generator = np.random.default_rng(0)
    columns: dict[str, Any] = {f"n{i}": generator.normal(size=ROWS) for i in range(4)}
    columns["c"] = generator.integers(0, 1000, ROWS).astype(str)
    path = folder / "numbers.parquet"
    pl.DataFrame(columns).write_parquet(path)
    feature = CategoryFeature(kind="category")

    def ours() -> None:
        frame = pl.read_parquet(path)
        for i in range(4):
            fit_numeric(frame[f"n{i}"])
        fit_category(frame["c"], feature)

    def theirs() -> None:
        frame = pd.read_parquet(path)
        StandardScaler().fit(frame[[f"n{i}" for i in range(4)]])
        OrdinalEncoder().fit(frame[["c"]])

    return {
        "name": "fit 4 numbers and a category",
        "unit": "rows",
        "count": ROWS,
        "peer": "pandas + scikit-learn",
        "ours": ours,
        "theirs": theirs,
    }


def texts(_: Path) -> dict[str, Any]:
    """A TF-IDF vocabulary of fifty thousand texts of forty words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from polyhead.contracts.features import TextFeature
    from polyhead.preprocess.fit import fit_text

    generator = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(WORDS)])
    chosen = words[np.minimum(generator.zipf(1.3, (TEXTS, 40)) - 1, WORDS - 1)]
    documents = [" ".join(row) for row in chosen]
    series = pl.Series("text", documents)
    feature = TextFeature(kind="text")

    return {
        "name": "fit TF-IDF",
        "unit": "texts",
        "count": TEXTS,
        "peer": "scikit-learn's TfidfVectorizer",
        "ours": lambda: fit_text(series, feature),
        "theirs": lambda: TfidfVectorizer(min_df=2, max_features=20_000).fit(documents),
    }


CASES = {"numbers": numbers, "texts": texts}
