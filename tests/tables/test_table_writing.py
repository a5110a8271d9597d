"""Tables out: the same rows give the same bytes."""

from __future__ import annotations

import errno
import itertools
import tempfile
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import phrases

from polyhead.storage.artifact import digest_of
from polyhead.tables import writing
from polyhead.tables.writing import TableWriter


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | phrases, max_size=40), st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 9)
)
def test_a_written_table_is_the_same_bytes_however_it_was_cut(
    words: list[str | None], cuts: list[int], group: int
) -> None:
    """In row groups of one size, the last apart; pyarrow and polars read back what was written."""
    rows = len(words)
    frame = pl.DataFrame(
        {
            "row": pl.int_range(rows, eager=True),
            "word": pl.Series(words, dtype=pl.String),
            "set": pl.Series([(word or "").split() for word in words], dtype=pl.List(pl.String)),
        }
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "ROW_GROUP", group)
        contents = []
        for number, sizes in enumerate(([rows], itertools.cycle([*cuts, 1]))):
            path, first = Path(folder) / f"{number}.parquet", 0
            with TableWriter(path, words=["word"], counting=["row"]) as file:
                file.write(frame.clear())
                for size in sizes:
                    file.write(frame[first : first + size])
                    first += size
                    if first >= rows:
                        break
            contents.append(path.read_bytes())
            assert file.digest == digest_of(path)
            metadata = pq.ParquetFile(path).metadata
            heights = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            assert heights == [group] * (rows // group) + [rows % group] * (rows % group > 0)
            assert pl.read_parquet(path).equals(frame)
            assert pq.read_table(path).to_pydict() == frame.to_dict(as_series=False)
        assert contents[0] == contents[1]


def test_a_table_that_cannot_be_written_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in the writing thread reaches the caller, and what the caller raises is not hidden."""
    rows = pl.DataFrame({"a": [1]})

    def write(place: Path, *, fail: bool = False) -> None:
        with TableWriter(place) as file:
            file.write(rows)
            if fail:
                raise KeyError

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FileNotFoundError):
        write(tmp_path / "none" / "t.parquet")
    with pytest.raises(KeyError):
        write(tmp_path / "t.parquet", fail=True)
    monkeypatch.setattr(TableWriter, "_encode", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "t.parquet")
