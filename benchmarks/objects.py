"""Many small objects out of a bucket, 30 ms away: against Google's client, one by one, and obstore alone.

`python -m benchmarks.objects SIDE COUNT FAILURES` reads COUNT objects one way, of which the share FAILURES fails at
first, from a store that it starts for itself: `python -m benchmarks.objects serve FAILURES` prints its port.

PyPI's emulator answers about 50 requests a second, too few to measure a reader by, so the store here is our own: it
speaks the two downloads that the clients use, and nothing else. Each object's bytes follow from its name, and every
side checks all of them.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import hashlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import google_crc32c

from benchmarks import scaled
from benchmarks.harness import Asked, Measure, own_process
from benchmarks.side import available_cpus, report

OBJECTS, SAMPLE = 10_000, 300
SIZE = 20_000
LATENCY = 0.03

_REST = bytes(range(256)) * (SIZE // 256 + 1)
_DATED = "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"


def content(name: str) -> bytes:
    """The bytes of an object: its name, then the same for all."""
    own = name.encode()
    return own + _REST[: SIZE - len(own)]


def _case(title: str, side: str, failures: float, asked: float | None, few: bool, _: Path) -> dict[str, Any]:
    count, sample = scaled(OBJECTS), scaled(SAMPLE if few else OBJECTS)
    measures: dict[Measure, Asked] = {"seconds": asked, "cpu_seconds": None}
    failing = f", {failures:.0%} of the requests fail" if failures else ""
    return {
        "name": f"objects of 20 kB at {LATENCY * 1000:.0f} ms{failing}",
        "unit": "objects",
        "count": count,
        "peer": title,
        "peer_count": sample,
        "ours": own_process("benchmarks.objects", "ours", str(count), str(failures)),
        "theirs": own_process("benchmarks.objects", side, str(sample), str(failures)),
        "asked": measures,
        "note": SIDES[side].__doc__,
    }


def _ours(names: list[str]) -> Iterable[bytes]:
    """Polyhead's folder of pictures, as validate, shard and predict read it."""
    from polyhead.pictures.folder import PictureFolder

    folder = PictureFolder("gs://data")
    return folder.map(folder.read, names, lambda name: [name], workers=available_cpus())


def _one_by_one(names: list[str]) -> Iterable[bytes]:
    """`download_as_bytes` of google-cloud-storage, one object after another, with its own retries.

    A round reads only 300 objects; an object costs it the same however many there are.
    """
    from google.cloud import storage

    bucket = storage.Client().bucket("data")
    return (bucket.blob(name).download_as_bytes() for name in names)


def _obstore(names: list[str]) -> Iterable[bytes]:
    """64 threads of obstore, as many as Polyhead has, with nothing around it.

    No order of reading, no bound on what is held, no checksums.
    """
    from concurrent.futures import ThreadPoolExecutor

    import obstore
    from obstore.store import GCSStore

    url = os.environ["STORAGE_EMULATOR_HOST"]
    store = GCSStore("data", base_url=url, skip_signature=True, client_options={"allow_http": True})
    return ThreadPoolExecutor(64).map(lambda name: bytes(obstore.get(store, name).bytes()), names)


SIDES = {"ours": _ours, "one_by_one": _one_by_one, "obstore": _obstore}

CASES = {
    "one_by_one": partial(_case, "download_as_bytes, one after another", "one_by_one", 0.0, 5.0, True),
    "failures": partial(_case, "download_as_bytes, one after another", "one_by_one", 0.05, 5.0, True),
    "obstore": partial(_case, "obstore alone", "obstore", 0.0, None, False),
}


class _Store(asyncio.Protocol):
    """One connection to the store: every request is answered after the latency, in turn."""

    failures = 0.0
    draw = random.Random(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            place = head.split(b" ", 2)[1].decode().partition("?")[0]
            begun = re.search(rb"\r\nrange: bytes=(\d+)-", head, re.IGNORECASE)
            asyncio.get_running_loop().call_later(LATENCY, self._answer, place, int(begun[1]) if begun else 0)

    def _answer(self, place: str, start: int) -> None:
        if self._transport.is_closing():
            return
        fails = self.draw.random() < self.failures
        kind = self.draw.choice(("429 Too Many Requests", "503 Service Unavailable", "drop", "cut")) if fails else ""
        if kind == "drop":
            self._transport.close()
            return
        if kind[:1].isdigit():
            self._transport.write(f"HTTP/1.1 {kind}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        name = unquote(place.rpartition("/o/" if "/o/" in place else "/data/")[2])
        body = content(name)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        crc32c = base64.b64encode(google_crc32c.Checksum(body).digest()).decode()
        told = [f'ETag: "{etag}"', f"x-goog-hash: crc32c={crc32c}", "x-goog-generation: 1", _DATED]
        if start:
            told.append(f"Content-Range: bytes {start}-{SIZE - 1}/{SIZE}")
        status, rest = "206 Partial Content" if start else "200 OK", body[start:]
        head = "\r\n".join([f"HTTP/1.1 {status}", *told, f"Content-Length: {len(rest)}", "", ""])
        self._transport.write(head.encode() + (rest[: len(rest) // 2] if kind == "cut" else rest))
        if kind == "cut":
            self._transport.close()


async def _serve(failures: float) -> None:
    _Store.failures = failures
    server = await asyncio.get_running_loop().create_server(_Store, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _started(failures: float) -> None:
    """Start a store that ends with this process, and point the clients at it."""
    command = [sys.executable, "-m", "benchmarks.objects", "serve", str(failures)]
    store = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    atexit.register(store.kill)
    assert store.stdout is not None
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{json.loads(store.stdout.readline())}"


def _work(side: Callable[[list[str]], Iterable[bytes]], count: int) -> Callable[[], int]:
    """Read objects, each different; how many came whole and in order."""
    names = [f"photos/{number:06d}.jpg" for number in range(count)]
    list(side(["photos/first.jpg"]))  # imports and clients are there before the work

    def work() -> int:
        return sum(found == content(name) for name, found in itertools.zip_longest(names, side(names)))

    return work


def main() -> None:
    """Serve, or read one way and report."""
    if sys.argv[1] == "serve":
        asyncio.run(_serve(float(sys.argv[2])))
        return
    side, count, failures = sys.argv[1:]
    _started(float(failures))
    report(_work(SIDES[side], int(count)))


if __name__ == "__main__":
    main()
