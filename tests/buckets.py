"""`store`: an object store on 127.0.0.1 of each kind, empty, with the names of its places and what goes wrong in it.

    def test_something(store):
        write_object(store.place("a/b"), b"x")
        store.gate.faults = Faults(share=0.05)

`gs_store`, `s3_store`: one kind alone. `temporary`: a TMPDIR of the test's own. A
folder's `conftest.py` imports what its tests use, with `gs_gate` and `quick`, which they use in turn.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from objectstores import FaultyGate, S3Bench, gs_emulator

from polyhead.contracts.shards import TIMINGS
from polyhead.storage import checksums
from polyhead.storage.objects import list_objects, read_bytes
from polyhead.storage.stores import attempts
from polyhead.storage.stores.google import GoogleStore
from polyhead.storage.stores.remote import RemoteStore
from polyhead.storage.stores.table import STORES

SECRETS = {"AWS_ACCESS_KEY_ID": "AKIAFORTESTS", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_SESSION_TOKEN": "t0ken"}


@dataclass
class Store:
    """A store that the environment points at."""

    root: str
    gate: Any

    def place(self, key: str) -> str:
        return f"{self.root}/{key}"

    def digests(self, key: str) -> dict[str, str]:
        """SHA-256 of every object below a prefix, by its name there, as `commandline.digests` gives those of files."""
        place = self.place(key)
        return {
            found.place.removeprefix(f"{place}/"): hashlib.sha256(read_bytes(found.place)).hexdigest()
            for found in list_objects(place)
            if not found.place.endswith(f"/{TIMINGS}")
        }

    def asked(self) -> list[str]:
        """The methods of all requests but those for the bucket itself, which Google's library makes for telemetry."""
        return [method for method, path, _ in self.gate.requests if not path.startswith("/storage/v1/b/data?")]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TMPDIR of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left_in(temporary: Path) -> list[Path]:
    """The files that are left in a temporary folder, TensorFlow's apart, which end with the process."""
    found = [path for path in temporary.rglob("*") if path.is_file()]
    return [path for path in found if not path.name.startswith("__autograph_generated_file")]


@pytest.fixture(scope="session")
def gs_gate() -> Iterator[FaultyGate]:
    with gs_emulator() as port, FaultyGate(port) as gate:
        yield gate


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No credentials or addresses but a test's own, and hardly any time between attempts."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "MINIO_", "STORAGE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.005)
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.02)
    _forget()
    yield
    _forget()


def _forget() -> None:
    for known in STORES.values():
        assert isinstance(known, RemoteStore)
        known.client.cache_clear()
        if isinstance(known, GoogleStore):
            known.own_client.cache_clear()
    checksums._not_md5.clear()


@pytest.fixture
def gs_store(quick: None, gs_gate: FaultyGate, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gs_gate.url)
    gs_gate.wipe()
    return Store("gs://data", gs_gate)


@pytest.fixture
def s3_store(quick: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with S3Bench() as bench:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", bench.url)
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        yield Store("s3://data", bench)


@pytest.fixture(params=["gs", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
