"""Tables and pictures in a bucket, read by google-cloud-storage from a server that speaks its download call."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from polyhead.errors import DataError
from polyhead.storage import places
from polyhead.storage.pictures import PictureError, PictureFolder, decode_picture
from polyhead.storage.tables import read_table

OBJECTS: dict[str, bytes] = {}


class Bucket(BaseHTTPRequestHandler):
    """Answers media downloads of objects in OBJECTS, 404 for others."""

    def do_GET(self) -> None:
        """Serve /download/storage/v1/b/<bucket>/o/<object>."""
        asked = re.fullmatch("/download/storage/v1/b/([^/]+)/o/([^/]+)", urlsplit(self.path).path)
        content = OBJECTS.get(f"{asked[1]}/{unquote(asked[2])}") if asked else None
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The objects of a bucket server on a free local port that the client library is pointed at."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    places.gs_client.cache_clear()
    OBJECTS.clear()
    yield OBJECTS
    places.gs_client.cache_clear()
    server.shutdown()
    server.server_close()


def png(color: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), color).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_table_in_a_bucket_reads_like_a_file(bucket: dict[str, bytes]) -> None:
    """CSV cells stay text from a bucket too."""
    bucket["data/tables/a b.csv"] = b"id,zip\n1,007\n2,\n"
    assert read_table("gs://data/tables/a b.csv").to_dicts() == [{"id": "1", "zip": "007"}, {"id": "2", "zip": None}]


def test_a_missing_table_in_a_bucket_is_named(bucket: dict[str, bytes]) -> None:
    """The message names the place and what is wrong."""
    with pytest.raises(DataError) as error:
        read_table("gs://data/none.csv")
    assert [(p.what, p.where) for p in error.value.problems] == [("no such table", "gs://data/none.csv")]


def test_pictures_in_a_bucket_are_found_under_the_root(bucket: dict[str, bytes]) -> None:
    """Paths are relative to the root's prefix."""
    bucket["data/photos/red.png"] = png((255, 0, 0))
    picture = decode_picture(PictureFolder("gs://data/photos").read("red.png"), max_pixels=100)
    assert picture.shape == (3, 4, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.png", "image_missing"),
        ("../secret.png", "image_outside_root"),
        ("gs://other/red.png", "image_outside_root"),
    ],
)
def test_pictures_that_are_not_in_the_root_have_their_reason(bucket: dict[str, bytes], path: str, reason: str) -> None:
    """A missing object and a path out of the root are told apart."""
    bucket["data/secret.png"] = png((0, 0, 0))
    with pytest.raises(PictureError) as error:
        decode_picture(PictureFolder("gs://data/photos").read(path), max_pixels=100)
    assert error.value.reason == reason
