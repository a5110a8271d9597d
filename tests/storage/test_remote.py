"""Tables and pictures in a bucket: read like files, whatever fails on the way."""

from __future__ import annotations

import gc
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pytest
from buckets import Store
from objectstores import Faults
from PIL import Image
from refusals import refusal

from polyhead.contracts.config import load_config
from polyhead.errors import DataError, StorageError
from polyhead.pictures.decode import decode_picture
from polyhead.pictures.failures import PictureError
from polyhead.pictures.folder import PictureFolder
from polyhead.preprocess import step as preprocess
from polyhead.shard import step as shard
from polyhead.storage.objects import write_object
from polyhead.storage.transfer import upload_folder
from polyhead.tables.reading import open_table, read_table
from polyhead.validate import step as validate

if TYPE_CHECKING:
    from conftest import Tiny


def png(color: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), color).save(buffer, "PNG")
    return buffer.getvalue()


FRAME = pd.DataFrame({"id": ["1", "2", "3"], "zip": ["007", None, "x,y"]})
TABLES = {
    "t.csv": FRAME.to_csv(index=False).encode(),
    "t.tsv": FRAME.to_csv(index=False, sep="\t").encode(),
    "t.parquet": FRAME.to_parquet(),
    "t.jsonl": FRAME.to_json(orient="records", lines=True).encode(),
    "bom.jsonl": b"\xef\xbb\xbf" + FRAME.to_json(orient="records", lines=True).encode(),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_in_a_bucket_reads_like_a_file(store: Store, tmp_path: Path, name: str) -> None:
    """Every format, cell for cell, whole and in parts."""
    (tmp_path / name).write_bytes(TABLES[name])
    write_object(store.place(f"tables/a b {name}"), TABLES[name])
    local, remote = open_table(str(tmp_path / name)), open_table(store.place(f"tables/a b {name}"))
    assert remote.schema == local.schema
    assert remote.frame().equals(local.frame())
    assert pl.concat(remote.batches(2)).equals(local.frame())


def test_a_table_is_copied_once_and_its_copy_goes_with_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is read; nothing stays in the temporary folder, and its bytes are never held whole."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_object(store.place("t.parquet"), TABLES["t.parquet"])
    store.gate.requests.clear()
    table = open_table(store.place("t.parquet"), ["zip"])
    assert table.frame()["zip"].to_list() == ["007", None, "x,y"]
    assert [batch.height for batch in table.batches(2)] == [2, 1]
    assert len(os.listdir(tmp_path)) == 1
    assert len(store.asked()) == 2  # looked at, and read
    del table
    gc.collect()
    assert os.listdir(tmp_path) == []


def test_a_table_that_is_replaced_meanwhile_is_read_as_it_was(store: Store) -> None:
    """All its parts are of the version that was opened."""
    write_object(store.place("t.csv"), b"a\n1\n2\n3\n")
    table = open_table(store.place("t.csv"))
    write_object(store.place("t.csv"), b"b\nx\n")
    assert pl.concat(table.batches(1))["a"].to_list() == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("none.csv", None, "file-not-found"),
        ("empty.csv", b"", "empty-file"),
        ("broken.parquet", b"PAR1 no", "invalid-table"),
        ("long.csv", b"a,b\n1,2\n1,2,3\n", "ragged-line"),
    ],
)
def test_what_is_wrong_with_a_remote_table_names_its_place(
    store: Store, name: str, content: bytes | None, code: str
) -> None:
    """Not the temporary file."""
    if content is not None:
        write_object(store.place(name), content)
    with refusal(DataError, code, where=store.place(name)) as error:
        read_table(store.place(name))
    assert tempfile.gettempdir() not in str(error.problem)


def test_pictures_in_a_bucket_are_found_under_the_root(store: Store) -> None:
    """Paths are relative to the root's prefix; a whole place under it is fine too."""
    write_object(store.place("photos/red.png"), png((255, 0, 0)))
    folder = PictureFolder(store.place("photos"))
    for path in ("red.png", store.place("photos/red.png")):
        picture = decode_picture(folder.read(path), max_pixels=100)
        assert picture.shape == (3, 4, 3)
        assert picture[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.png", "image_missing"),
        ("../secret.png", "image_outside_root"),
        ("gs://other/red.png", "image_outside_root"),
        ("s3://other/red.png", "image_outside_root"),
        ("/etc/passwd", "image_outside_root"),
        ("a//b.png", "image_unreadable"),
    ],
)
def test_pictures_that_are_not_in_the_root_have_their_reason(store: Store, path: str, reason: str) -> None:
    """A missing object, a path out of the root and a name that no object can have are told apart."""
    write_object(store.place("secret.png"), png((0, 0, 0)))
    folder = PictureFolder(store.place("photos"))
    with pytest.raises(PictureError) as error:
        folder.read(path)
    assert error.value.reason == reason
    (found,) = folder.map(lambda item: _reason(folder, item), [path], lambda item: [item], workers=2)
    assert found == reason


def _reason(folder: PictureFolder, path: str) -> str:
    try:
        folder.read(path)
    except PictureError as error:
        return error.reason
    return ""


def test_a_store_that_is_down_stops_the_run_instead_of_rejecting_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row is rejected for what is wrong with its picture, not for what is wrong with the world."""
    monkeypatch.setattr("polyhead.storage.stores.attempts.DEADLINE", 0.1)
    store.gate.faults = Faults(always="503")
    folder = PictureFolder(store.root)
    with refusal(StorageError, "server-busy", shows=["503"]):
        list(folder.map(folder.read, ["a.png"], lambda path: [path], workers=2))


def test_sizes_of_remote_pictures_come_from_one_listing(store: Store) -> None:
    """So that a plan is balanced by bytes; 0 for what is not there."""
    for name in ("b", "a"):
        write_object(store.place(f"photos/{name}.png"), name.encode() * (ord(name) - 90))
    store.gate.requests.clear()
    sizes = PictureFolder(store.place("photos")).sizes(["a.png", "none.png", "b.png", "a.png"])
    assert list(sizes) == [7, 0, 8, 7]
    assert len(store.asked()) <= 2


def test_a_run_on_a_bucket_makes_the_bytes_of_a_run_on_a_disk(
    store: Store, tiny: Callable[..., Tiny], tmp_path: Path
) -> None:
    """Clean table, statistics and shards are the same, although 5 % of the requests fail."""
    data = tiny(rows=60)
    upload_folder(data.folder, store.place("set"), last=data.config.name)
    store.gate.faults = faults = Faults(share=0.05, latency=0.002)
    made: dict[str, dict[str, bytes]] = {}
    for name, table in (("disk", str(data.table)), ("bucket", store.place(f"set/{data.table.name}"))):
        config, out = load_config(data.config), tmp_path / name
        validate.run(config=config, table=table, out=out / "V", workers=2)
        preprocess.run(config=config, data=out / "V", out=out / "P")
        shard.run(config=config, data=out / "V", preprocessing=out / "P", out=out / "S", workers=2)
        files = [*out.glob("V/*.parquet"), *out.glob("P/**/*.*"), *out.glob("S/*.tfrecord"), out / "S/pictures.arrow"]
        made[name] = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    assert made["bucket"] == made["disk"]
    assert len(made["disk"]) > 6
    assert sum(faults.made.values()) >= 3
