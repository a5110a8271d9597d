"""Tables of many objects in a bucket."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from buckets import Store, left_in
from refusals import refusal

from polyhead.errors import DataError
from polyhead.storage.objects import write_object
from polyhead.tables.reading import open_table, read_table


def test_tables_of_many_objects(store: Store, temporary: Path, tmp_path: Path) -> None:
    """Each is copied once, and no copy is held open or left."""
    frame = pl.DataFrame({"n": range(30)})
    for number in range(30):
        frame[number : number + 1].write_parquet(tmp_path / "one.parquet")
        write_object(store.place(f"t/c={number % 2}/part-{number:02}.parquet"), tmp_path / "one.parquet")
    write_object(store.place("t/_SUCCESS"), b"")
    opened = open_table(store.place("t/"), ["n", "c"])
    assert opened.rows == 30
    assert sum(path.startswith("/proc/") is False for path in map(str, left_in(temporary))) == 30
    expected = [*range(0, 30, 2), *range(1, 30, 2)]
    assert opened.frame()["n"].to_list() == expected
    assert read_table(store.place("t/c=*/part-*.parquet"))["n"].to_list() == expected
    assert read_table(store.place("t/**/part-?1.parquet"))["n"].to_list() == [1, 11, 21]
    del opened
    assert left_in(temporary) == []
    for place in (store.place("t"), store.place("t/c=0")):
        with refusal(DataError, "not-a-file", where=place, shows=[f"{place}/"]):
            read_table(place)
    for place, code in ((store.place("gone.parquet"), "file-not-found"), (store.place("gone/"), "no-table-files")):
        with refusal(DataError, code, where=place):
            read_table(place)
