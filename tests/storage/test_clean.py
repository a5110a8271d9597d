"""The clean table in parts: every row once, in its order, whatever the size of a part."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from polyhead.contracts.config import load_config
from polyhead.contracts.validation import ROW
from polyhead.storage.clean import CleanTable, open_clean
from polyhead.validate import step as validate


@pytest.fixture
def clean(tiny: Any) -> CleanTable:
    data = tiny(rows=100)
    validate.run(config=load_config(data.config), table=str(data.table), out=data.folder / "V")
    return open_clean(data.folder / "V")


@pytest.mark.parametrize("rows", [1, 7, 100, 1000, None])
def test_batches_are_the_rows_in_their_order(clean: CleanTable, rows: int | None) -> None:
    """Of equal size but the last, with columns and expressions as asked."""
    batches = list(clean.batches(ROW, "size", (pl.col("size") * 2).alias("twice"), rows=rows))
    expected = clean.scan().collect().select(ROW, "size", (pl.col("size") * 2).alias("twice"))
    assert pl.concat(batches).equals(expected)
    assert [batch.height for batch in batches[:-1]] == [min(rows or 100, 100)] * (len(batches) - 1)
    assert clean.rows == 100
