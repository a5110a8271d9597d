"""Objects in a bucket: looked at, listed, read, written on a condition, and whole folders, in stores that fail."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from buckets import SECRETS, Store
from objectstores import KINDS, Faults, S3Bench
from refusals import refusal

from polyhead.contracts.settings import PublishSection
from polyhead.errors import ConflictError, DataError, StorageError
from polyhead.storage.objects import delete_object, list_objects, read_bytes, stat, write_object
from polyhead.storage.places import check_scheme
from polyhead.storage.stores import attempts
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.stores.remote import RemoteStore
from polyhead.storage.stores.s3 import AmazonStore, MinioStore
from polyhead.storage.stores.table import STORES, store_of
from polyhead.storage.transfer import download_folder, is_claim, upload_folder

NAMES = ("plain.txt", "with space/ünïcode.jpg", "a?b=1&c#d%20e+f.bin", "deep/er/still.json")


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def files_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def contents(store: Store, key: str) -> dict[str, bytes]:
    """What lies under a prefix, read without any faults."""
    store.gate.faults = Faults()
    root = store.place(key)
    return {found.place.removeprefix(root + "/"): read_bytes(found.place) for found in list_objects(root)}


@pytest.mark.parametrize("name", NAMES)
def test_an_object_is_read_as_it_was_written(store: Store, name: str) -> None:
    """Whatever its name, and its stat tells size and version."""
    place = store.place(name)
    version = write_object(place, b"some bytes")
    found = stat(place)
    assert found is not None
    assert (found.place, found.size, found.version) == (place, 10, version)
    assert read_bytes(place) == b"some bytes"
    assert list(list_objects(store.root)) == [found]


def test_what_is_not_there_is_told(store: Store) -> None:
    """None where one looks, an error where one reads, nothing where one lists, and removing it is fine."""
    place = store.place("none")
    assert stat(place) is None
    with pytest.raises(FileNotFoundError, match=re.escape(place)):
        read_bytes(place)
    assert list(list_objects(place)) == []
    delete_object(place, "1")


def test_a_listing_has_every_object_of_its_folder_once_and_no_other(store: Store) -> None:
    """Over several pages, by name, without the marks that consoles leave for empty folders."""
    for number in range(25):
        write_object(store.place(f"a/{number:02d}.txt"), str(number).encode())
    write_object(store.place("ab.txt"), b"x")
    write_object(store.place("ab/c.txt"), b"x")
    if store.root == "s3://data":
        store.gate.put("a/", b"")
        store.gate.put("a/b/", b"")
        store.gate.put("a/b/c.txt", b"c")
        assert [found.place for found in list_objects(store.place("a/b"))] == [store.place("a/b/c.txt")]
        del store.gate.objects["a/b/"], store.gate.objects["a/b/c.txt"]
    listed = list(list_objects(store.place("a")))
    assert [found.place for found in listed] == [store.place(f"a/{number:02d}.txt") for number in range(25)]
    assert [found.size for found in listed] == [len(str(number)) for number in range(25)]
    assert listed == [stat(found.place) for found in listed]


@pytest.mark.parametrize("where", ["store", "disk"])
def test_a_condition_on_a_write_is_kept(store: Store, tmp_path: Path, where: str) -> None:
    """Only if nothing is there, or only if it is still the version that was seen; the same calls for local files."""
    place = store.place("latest.json") if where == "store" else str(tmp_path / "x" / "latest.json")
    first = write_object(place, b"1", absent=True)
    with refusal(ConflictError, "changed-meanwhile"):
        write_object(place, b"2", absent=True)
    second = write_object(place, b"3", replacing=first)
    with pytest.raises(ConflictError) as caught:
        write_object(place, b"4", replacing=first)
    assert caught.value.problems[0].where == place
    assert read_bytes(place) == b"3"
    assert (found := stat(place)) is not None
    assert found.version == second != first
    write_object(place, b"5")
    assert read_bytes(place) == b"5"


def test_a_listing_ends_with_a_folders_mark(s3_store: Store) -> None:
    """Which has a slash behind its name that the client does not tell."""
    s3_store.gate.put("a/x", b"1")
    s3_store.gate.put("a/z/", b"")
    assert [found.place for found in list_objects(s3_store.root)] == ["s3://data/a/x", "s3://data/a/z"]


def test_a_condition_on_what_is_gone_does_not_hold(store: Store) -> None:
    """Replacing a version of an object that was removed writes nothing."""
    version = write_object(store.place("x"), b"1")
    delete_object(store.place("x"), version)
    with pytest.raises(ConflictError):
        write_object(store.place("x"), b"2", replacing=version)
    assert stat(store.place("x")) is None


@pytest.mark.parametrize("where", ["gs", "disk"])
def test_only_the_version_that_was_seen_is_removed(gs_store: Store, tmp_path: Path, where: str) -> None:
    """What was written since stays; the same calls for local files, of which a missing folder has none."""
    root = gs_store.root if where == "gs" else str(tmp_path / "x")
    delete_object(f"{root}/a", "1")
    first = write_object(f"{root}/a", b"1")
    second = write_object(f"{root}/a", b"22")
    with pytest.raises(ConflictError):
        delete_object(f"{root}/a", first)
    assert read_bytes(f"{root}/a") == b"22"
    delete_object(f"{root}/a", second)
    assert stat(f"{root}/a") is None


@pytest.mark.parametrize("kind", ["lost", "drop", "503", "429"])
def test_a_writer_knows_its_own_work_after_a_failed_attempt(store: Store, kind: str) -> None:
    """Where the answer to a write on a condition is lost, the second attempt meets its own object: no conflict."""
    place = store.place("x")
    store.gate.faults = faults = Faults(always=kind)

    def once(method: str, draw: Callable[[str], str] = faults.draw) -> str:
        drawn = draw(method)
        faults.always = ""
        return drawn

    faults.draw = once  # type: ignore[method-assign]
    version = write_object(place, b"mine", absent=True)
    assert faults.made == {kind: 1}
    assert read_bytes(place) == b"mine"
    assert (found := stat(place)) is not None
    assert found.version == version


def test_a_large_file_is_sent_in_pieces_and_goes_on_where_it_broke(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dropped connection costs one piece, not the file."""
    monkeypatch.setattr(RemoteStore, "piece", 5 * 2**20)
    monkeypatch.setattr(AmazonStore, "large", 8 * 2**20)
    (tmp_path / "big").write_bytes(content := bytes(range(256)) * 2**12 * 22)  # 22 MiB
    sent: list[str] = []
    store.gate.faults = faults = Faults()

    def third_is_dropped(method: str) -> str:
        sent.append(method)
        return "drop" if method == "PUT" and sent.count("PUT") == 3 else ""

    faults.draw = third_is_dropped  # type: ignore[method-assign]
    write_object(store.place("big"), tmp_path / "big")
    pieces = [headers for method, _, headers in store.gate.requests if method == "PUT"]
    assert len(pieces) == 5 + 1
    assert max(int(headers.get("Content-Length") or headers["content-length"]) for headers in pieces) == 5 * 2**20
    store.gate.requests.clear()
    download_folder(store.root, tmp_path / "copy")
    assert (tmp_path / "copy" / "big").read_bytes() == content
    assert len([path for method, path, _ in store.gate.requests if method == "GET" and "/big" in path]) >= 5


def test_a_folder_goes_up_and_comes_down_whole(store: Store, tmp_path: Path) -> None:
    """Empty files too; what was there before and is no part of it is gone."""
    files = {f"some/{number}.bin": bytes([number]) * number * 100 for number in range(12)} | {"C.json": b"{}"}
    upload_folder(folder(tmp_path / "old", {"stale.bin": b"x", "C.json": b"old"}), store.place("out"), last="C.json")
    version = upload_folder(folder(tmp_path / "new", files), store.place("out"), last="C.json")
    assert contents(store, "out") == files
    assert (found := stat(store.place("out/C.json"))) is not None
    assert found.version == version
    copied = download_folder(store.place("out"), tmp_path / "copy")
    assert files_of(tmp_path / "copy") == files
    assert sorted(found.place for found in copied) == sorted(store.place(f"out/{name}") for name in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "new", "old"]


def test_local_places_take_the_same_calls(tmp_path: Path) -> None:
    """A folder is put in place by a rename, what was there is gone."""
    files = {"a/b.bin": b"1", "C.json": b"{}"}
    folder(tmp_path / "new", files)
    folder(tmp_path / "out", {"stale": b"x"})
    upload_folder(tmp_path / "new", str(tmp_path / "out"), last="C.json")
    assert files_of(tmp_path / "out") == files
    listed = list(list_objects(str(tmp_path / "out")))
    assert [found.place for found in listed] == [str(tmp_path / "out/C.json"), str(tmp_path / "out/a/b.bin")]
    assert listed[0] == stat(str(tmp_path / "out/C.json")) != stat(str(tmp_path / "new/C.json"))
    download_folder(str(tmp_path / "out"), tmp_path / "copy")
    assert files_of(tmp_path / "copy") == files
    assert stat(str(tmp_path / "none")) is None
    with pytest.raises(FileNotFoundError):
        upload_folder(tmp_path / "new", str(tmp_path / "out"), last="D.json")


def test_the_contract_is_written_last_and_a_claim_stands_there_before(store: Store, tmp_path: Path) -> None:
    """A reader finds the artifact whole or finds a claim, never a contract with files missing."""
    upload_folder(folder(tmp_path / "a", {"x": b"1", "y": b"2", "C.json": b"one"}), store.place("o"), last="C.json")
    store.gate.requests.clear()
    seen: list[bytes] = []
    answer = store.gate.answer

    def looking(method: str, path: str, headers: dict[str, str], body: bytes) -> object:
        given = answer(method, path, headers, body)
        if method in ("PUT", "POST") and "C.json" not in path:
            request = {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "x-amz-content-sha256": EMPTY}
            seen.append(answer("GET", "/data/o/C.json", request, b"").body)
        return given

    store.gate.answer = looking
    try:
        upload_folder(folder(tmp_path / "b", {"x": b"3", "y": b"4", "C.json": b"two"}), store.place("o"), last="C.json")
    finally:
        store.gate.answer = answer
    during = [content for content in seen if content != b"two"]
    assert len(during) >= 2
    assert all(is_claim(content) for content in during)
    assert contents(store, "o") == {"x": b"3", "y": b"4", "C.json": b"two"}


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("seed", range(6))
def test_two_writers_at_once_never_mix(store: Store, tmp_path: Path, seed: int) -> None:
    """At least one ends well or the place has no contract; a contract's files are all of its writer."""
    store.gate.faults = Faults(latency=0.002, seed=seed)
    names = [f"{number}.bin" for number in range(4 + seed)]
    problems: list[BaseException] = []

    def write(writer: str) -> None:
        source = folder(tmp_path / writer, {name: writer.encode() for name in [*names, "C.json"]})
        try:
            upload_folder(source, store.place("o"), last="C.json")
        except ConflictError as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in "ABC"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = contents(store, "o")
    if is_claim(found["C.json"]):
        assert len(problems) == 3
    else:
        assert len(problems) <= 2
        assert set(found) == {*names, "C.json"}
        assert set(found.values()) == {found["C.json"]}
    upload_folder(tmp_path / "A", store.place("o"), last="C.json")
    assert set(contents(store, "o").values()) == {b"A"}


@pytest.mark.parametrize("seed", range(3))
def test_with_failures_nothing_is_lost_and_nothing_doubled(store: Store, tmp_path: Path, seed: int) -> None:
    """5 % of the requests fail in every way that there is: what is written, listed and read is the same."""
    store.gate.faults = faults = Faults(share=0.05, seed=seed)
    files = {f"{number:03d}.bin": bytes([number]) * (1 + number) for number in range(80)} | {"C.json": b"{}"}
    source = folder(tmp_path / "source", files)
    upload_folder(source, store.place("o"), last="C.json")
    listed = list(list_objects(store.place("o")))
    assert [found.place for found in listed] == sorted(store.place(f"o/{name}") for name in files)
    assert {name: read_bytes(store.place(f"o/{name}")) for name in files} == files
    download_folder(store.place("o"), tmp_path / "copy")
    assert files_of(tmp_path / "copy") == files
    assert sum(faults.made.values()) >= 5
    assert contents(store, "o") == files


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_keeps_failing_ends_in_one_clear_error(
    store: Store, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the place, how often it was tried, and what was wrong the last time."""
    write_object(store.place("x"), b"some bytes")
    monkeypatch.setattr(attempts, "DEADLINE", 0.2)
    store.gate.requests.clear()
    store.gate.faults = Faults(always=kind)
    codes = {"429": "server-busy", "503": "server-busy", "short": "damaged-bytes"}
    with refusal(StorageError, codes.get(kind, "server-unreachable"), where=store.place("x")) as caught:
        read_bytes(store.place("x"))
    problem = caught.problem
    assert re.search(r" after \d+ attempts$", problem.what)
    reads = [path for method, path, _ in store.gate.requests if method == "GET" and path.startswith("/data/")]
    assert int(problem.what.split()[-2]) == len(reads) >= 2
    assert problem.where == store.place("x")


@pytest.mark.parametrize("call", ["read", "write", "list", "stat"])
def test_a_refusal_is_not_tried_again_and_repeats_nothing_secret(store: Store, call: str) -> None:
    """Even where the store's answer repeats the request's signature and token."""
    store.gate.faults = Faults(always="403")
    place = store.place("x")
    calls = {
        "read": lambda: read_bytes(place),
        "write": lambda: write_object(place, b"x"),
        "list": lambda: list(list_objects(place)),
        "stat": lambda: stat(place),
    }
    with pytest.raises(PermissionError) as caught:
        calls[call]()
    assert len(store.asked()) == 1
    told = repr(caught.value) + str(caught.value)
    assert place in told
    assert "403 Forbidden" in told
    assert not [value for value in [*SECRETS.values(), "Signature=", "StringToSign"] if value in told]
    assert caught.value.__suppress_context__


def test_a_missing_bucket_is_no_missing_object(store: Store) -> None:
    """The bucket is named."""
    with refusal(StorageError, "bucket-not-found", shows=["'nowhere'"]):
        read_bytes(store.place("x").replace("data", "nowhere"))


def test_an_etag_that_only_looks_like_md5_is_found_out(s3_store: Store, tmp_path: Path) -> None:
    """Some kinds of encryption give such: two attempts with the same bytes are believed, and no third is made."""
    s3_store.gate.opaque = True
    for name in "abc":
        s3_store.gate.put(name, name.encode() * 100)
    assert [read_bytes(s3_store.place(name)) for name in "abc"] == [name.encode() * 100 for name in "abc"]
    assert s3_store.asked() == ["GET", "GET", "HEAD", "GET", "GET"]
    download_folder(s3_store.root, tmp_path / "copy")
    assert files_of(tmp_path / "copy") == {name: name.encode() * 100 for name in "abc"}


def test_an_object_that_changes_while_it_is_copied_is_a_conflict(store: Store, tmp_path: Path) -> None:
    """No file ever has pieces of two versions."""
    write_object(store.place("x"), b"old")
    (found,) = list_objects(store.root)
    write_object(store.place("x"), b"new")
    with (tmp_path / "x").open("wb") as file, pytest.raises(ConflictError):
        store_of(found.place).fetch(found, file)
    assert (tmp_path / "x").read_bytes() == b""


@pytest.mark.parametrize("name", ["a//b", "a/../b", "a/./b", "a\nb"])
def test_a_name_that_cannot_be_asked_for_is_told(store: Store, name: str) -> None:
    """Before any request."""
    with pytest.raises(OSError, match="its name has an empty part"):
        read_bytes(store.place(name))
    assert store.gate.requests == []


def test_a_name_that_leads_out_of_a_folder_is_not_copied(s3_store: Store, tmp_path: Path) -> None:
    """Nothing is written outside the folder, and the folder does not appear."""
    s3_store.gate.put("a/../../evil", b"x")
    with pytest.raises((StorageError, OSError)):
        download_folder(s3_store.place("a"), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_minio_is_found_as_kubeflow_pipelines_finds_it(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's endpoint, else the service of the pod's namespace, else KFP's own."""
    assert AmazonStore().endpoint() == ""
    assert MinioStore().endpoint() == "http://minio-service.kubeflow:9000"
    monkeypatch.setenv("MINIO_SERVICE_SERVICE_HOST", "10.0.0.7")
    monkeypatch.setenv("MINIO_SERVICE_SERVICE_PORT", "9000")
    assert MinioStore().endpoint() == "http://10.0.0.7:9000"
    assert AmazonStore().endpoint() == ""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://a")
    assert {MinioStore().endpoint(), AmazonStore().endpoint()} == {"https://a"}
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://b")
    assert {MinioStore().endpoint(), AmazonStore().endpoint()} == {"https://b"}


def test_minio_reads_and_writes_like_s3(s3_store: Store) -> None:
    """The same store by its other name."""
    version = write_object("minio://data/a/b", b"x")
    assert stat("minio://data/a/b") == ObjectStat("minio://data/a/b", 1, version, stat("s3://data/a/b").checksum)  # type: ignore[union-attr]
    assert [found.place for found in list_objects("minio://data")] == ["minio://data/a/b"]


def test_s3_without_credentials_says_what_to_set(quick: None) -> None:
    """Nothing in the environment, and no instance that has a role."""
    with refusal(StorageError, "no-credentials") as caught:
        read_bytes("s3://data/x")
    assert "AWS_ACCESS_KEY_ID" in caught.problem.hint


def test_a_name_is_no_part_of_a_failure(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an object is called, what is wrong is what the store said."""
    monkeypatch.setattr(attempts, "DEADLINE", 0.1)
    s3_store.gate.faults = Faults(always="503")
    for name in ("credentials.json", "dns error", "timed out/token request"):
        with refusal(StorageError, "server-busy", shows=["503"]):
            read_bytes(s3_store.place(name))


def test_minio_without_credentials_says_where_they_are(quick: None) -> None:
    """Nobody is asked for an instance's role there."""
    with refusal(StorageError, "no-credentials") as caught:
        read_bytes("minio://data/x")
    assert "mlpipeline-minio-artifact" in caught.problem.hint


def test_an_endpoint_where_nothing_listens_is_named(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few attempts, with the variable that changes it."""
    with S3Bench() as bench:
        url = bench.url
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with refusal(StorageError, "server-unreachable", shows=["5 attempts", url, "AWS_ENDPOINT_URL_S3"]):
        read_bytes("minio://data/x")


def test_google_without_credentials_says_what_to_run(
    quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For reading and for writing."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def none(*_: object, **__: object) -> None:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr(google.auth, "default", none)
    for call in (lambda: read_bytes("gs://data/x"), lambda: write_object("gs://data/x", b"x")):
        with refusal(StorageError, "no-credentials") as caught:
            call()
        assert "gcloud auth application-default login" in caught.problem.hint


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("ftp://a/b", "unknown-scheme"),
        ("s3:///b", "no-bucket"),
        ("minio://a/b?endpoint=minio:9000&disableSSL=true", "store-settings-in-place"),
    ],
)
def test_places_that_cannot_be_are_refused(place: str, code: str) -> None:
    """With what to write instead."""
    with refusal(DataError, code) as caught:
        check_scheme(place)
    assert caught.problem.hint


@pytest.mark.parametrize("scheme", STORES)
def test_a_model_may_go_to_every_store(scheme: str) -> None:
    """The config takes a destination in any of them."""
    assert PublishSection(to=f"{scheme}://bucket/models").to == f"{scheme}://bucket/models"
