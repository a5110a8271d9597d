"""Objects in a store, and files on a disk, by the same few calls: look, list, read, write on a condition, copy folders.

Every call makes its requests again while a store fails in passing, checks what arrived against the store's checksum,
and ends with an error that names the place (`polyhead.storage.stores`). Google Cloud Storage is listed and written by
Google's own library, everything else goes through obstore.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import mimetypes
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from polyhead.contracts.artifact import FileDigest
from polyhead.errors import ConflictError, StorageError
from polyhead.storage.artifact import new_folder, write_whole
from polyhead.storage.checksums import Checking, DamagedError, Digest
from polyhead.storage.parallel import ordered_map
from polyhead.storage.places import is_remote, parts_of
from polyhead.storage.stores import Tries, asked, gs_client, store_of

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ObjectMeta, PutMode
    from obstore.store import GCSStore, S3Store

_PIECE = 16 * 2**20
"""Bytes of a large object that are asked for at once, and sent at once."""

_LARGE = 64 * 2**20
"""Bytes of a file from which an S3 store gets it in parts, which knows no precondition."""

_WRITERS, _READERS = 8, 16
_CONTESTS = 20
"""How often a writer that has claimed a place goes on against others; each of them can disturb it a few times."""

Out = TypeVar("Out")

_WRITER = "polyhead-writer"
"""Metadata: a random word of the call that wrote an object, by which it knows its own work after a lost answer."""

_CLAIM = b'{"being_written_by": "'
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


@dataclass(frozen=True)
class ObjectStat:
    """What a store knows of an object.

    Attributes:
        place: Where it is.
        size: Bytes.
        version: Changes whenever its content does: the generation in Google Cloud Storage, the ETag in an S3 store.
        checksum: `crc32c:` or `md5:` and the digest in hexadecimal; empty where the store gives none.
    """

    place: str
    size: int
    version: str
    checksum: str = ""


def stat(place: str) -> ObjectStat | None:
    """What is known of an object or a local file; None where there is none.

    Raises:
        DeniedError: It may not be looked at.
        StorageError: The store does not tell.
    """
    if not is_remote(place):
        return _local_stat(Path(place))
    scheme, bucket, key = parts_of(place)
    try:
        if scheme == "gs":
            blob = gs_client().bucket(bucket).blob(key)
            asked(place, lambda: blob.reload(retry=None))
            return _blob_stat(blob)
        import obstore

        return _meta_stat(place, asked(place, lambda: obstore.head(store_of(scheme, bucket), key)))
    except FileNotFoundError:
        return None


def list_objects(place: str) -> Iterator[ObjectStat]:
    """The objects under a prefix, or the files under a local folder, with those in folders below, by name.

    Args:
        place: The prefix, a whole name of a folder: `gs://bucket/a` does not have what is under `gs://bucket/ab`.

    Raises:
        DeniedError: It may not be listed.
        StorageError: The store does not tell.
    """
    if not is_remote(place):
        for path in sorted(Path(place).rglob("*"), key=lambda path: path.as_posix().encode()):
            found = _local_stat(path)
            if found is not None:
                yield found
        return
    scheme, bucket, key = parts_of(place)
    prefix = f"{key}/" if key else ""
    if scheme == "gs":
        yield from _list_gs(place, bucket, prefix)
        return
    store = store_of(scheme, bucket)
    waiting: ObjectMeta | None = None
    while metas := asked(place, partial(_page, store, prefix, waiting["path"] if waiting else None)):
        for meta in metas:
            if waiting is not None and not _marks_folder(waiting, meta, key):
                yield _meta_stat(f"{scheme}://{bucket}/{waiting['path']}", waiting)
            waiting = meta
    if waiting is not None and not _marks_folder(waiting, None, key):
        yield _meta_stat(f"{scheme}://{bucket}/{waiting['path']}", waiting)


def _page(store: GCSStore | S3Store, prefix: str, after: str | None) -> Sequence[ObjectMeta]:
    """Objects that follow a name; a listing that breaks is begun again there."""
    import obstore

    metas = next(iter(obstore.list(store, prefix or None, offset=after, chunk_size=1000)), [])
    return metas[1:] if metas and metas[0]["path"] == after else metas  # a folder's mark sorts behind its own path


def _marks_folder(meta: ObjectMeta, following: ObjectMeta | None, prefix: str) -> bool:
    """Whether an object is what consoles leave to show a folder: its name ends in a slash, which obstore hides."""
    below = following is not None and following["path"].startswith(meta["path"] + "/")
    return meta["size"] == 0 and (below or meta["path"] == prefix)


def _list_gs(place: str, bucket: str, prefix: str) -> Iterator[ObjectStat]:
    tries = Tries(place)
    fields = "items(name,size,generation,crc32c),nextPageToken"
    blobs = iter(gs_client().list_blobs(bucket, prefix=prefix, fields=fields, retry=tries.policy()))
    while True:
        try:
            blob = next(blobs, None)
        except Exception as error:
            raise tries.explained(error) from None
        if blob is None:
            return
        if not blob.name.endswith("/"):  # what consoles leave to show a folder
            yield _blob_stat(blob)


def read_bytes(place: str, admit: Callable[[int], None] | None = None) -> bytes:
    """The whole content of an object or a local file.

    Args:
        place: Where it is.
        admit: Called before every attempt at a remote object with 0, and with its size before its bytes are taken. It
            may wait, for as long as it likes, and what it raises ends the reading.

    Raises:
        FileNotFoundError: There is none.
        DeniedError: It may not be read.
        OSError: A local file cannot be read, or an object's name cannot be asked for.
        StorageError: The store does not give it, or gives it damaged.
    """
    if not is_remote(place):
        return Path(place).read_bytes()
    import obstore
    from obstore.exceptions import BaseError

    scheme, bucket, key = parts_of(place)
    store, key = store_of(scheme, bucket), _known(key)
    checking = Checking(f"{scheme}://{bucket}", partial(_size_of, place))

    def opened() -> GetResult:
        if admit is not None:
            admit(0)
        return obstore.get(store, key)

    def taken(result: GetResult) -> bytes:
        found = _meta_stat(place, result.meta)
        content = bytes(result.bytes())
        digest = Digest(found.checksum)
        digest.update(content)
        checking.check(len(content), found.size, digest.value(), found.checksum)
        return content

    if admit is not None:
        result = asked(place, opened)
        admit(result.meta["size"])
        with contextlib.suppress(BaseError, DamagedError):  # then it is asked for anew, with all its time
            return taken(result)
    return asked(place, lambda: taken(opened()))


def holds(place: str, digest: FileDigest, same: Path | None = None) -> bool:
    """Whether an object or local file is what a contract says.

    Where a store tells a checksum and it fits, nothing is read from it. One that does not fit says nothing: an S3
    store's need not be one of the content.

    Args:
        place: Where it is.
        digest: What it must be.
        same: A local file that is that, if there is one.

    Raises:
        DeniedError: It may not be read.
        StorageError: The store does not give it.
    """
    found = stat(place)
    if found is None or found.size != digest.bytes:
        return False
    if found.checksum and same is not None:
        checksum = Digest(found.checksum)
        with same.open("rb") as file:
            while piece := file.read(_PIECE):
                checksum.update(piece)
        if checksum.value() == found.checksum:
            return True
    with tempfile.TemporaryFile() as copy:
        try:
            _fetch(found, copy)
        except (FileNotFoundError, ConflictError):
            return False
        copy.seek(0)
        return hashlib.file_digest(copy, "sha256").hexdigest() == digest.sha256


def write_object(place: str, content: bytes | Path, *, absent: bool = False, replacing: str | None = None) -> str:
    """Write one object or local file, which appears whole or not at all.

    Args:
        place: Where.
        content: Its bytes, or the local file that has them. A large file is sent in pieces, and a broken connection
            goes on with the piece it broke in.
        absent: Write only if nothing is there.
        replacing: Write only if what is there is still of this version. Local files are kept from other Polyhead
            processes on this machine meanwhile.

    Returns:
        The new version.

    Raises:
        ConflictError: The condition does not hold.
        DeniedError: It may not be written.
        StorageError: The store does not take it.
        ArtifactError: The local file cannot be written.
    """
    if not is_remote(place):
        return _write_local(Path(place), content, absent, replacing)
    writing = _Writing(place, content, absent, replacing)
    return writing.to_gs() if parts_of(place).scheme == "gs" else writing.to_s3()


def delete_object(place: str, version: str) -> None:
    """Remove an object or local file; one that is not there is fine.

    Args:
        place: Which.
        version: The version to remove. One that was written since is kept, but not by S3 stores.

    Raises:
        ConflictError: It was written since.
        DeniedError: It may not be removed.
        StorageError: The store does not do it.
    """
    if not is_remote(place):
        _delete_local(Path(place), version)
        return
    scheme, bucket, key = parts_of(place)
    try:
        if scheme == "gs":
            blob = gs_client().bucket(bucket).blob(key)
            asked(place, lambda: blob.delete(if_generation_match=int(version), retry=None))
        else:
            import obstore

            asked(place, lambda: obstore.delete(store_of(scheme, bucket), key))
    except FileNotFoundError:
        return
    except ConflictError:
        if stat(place) is not None:
            raise


def upload_folder(directory: Path, place: str, *, last: str) -> str:
    """Put all files of a folder at a place, so that its reader finds them whole or not at all.

    The file `last` is what a reader looks for first, an artifact's contract. While the others are sent, a claim stands
    in its place, and it is put there when they are complete; what else was there before is removed. Every file is
    written on the condition that nobody else wrote it meanwhile. Of several writers at the same time the last one to
    claim the place wins: what the others still write it writes over, and they stop with a `ConflictError` as soon as
    they meet its work. So no place ever has `last` of one and files of the other, though a file that `last` does not
    name can be left of a writer that lost. An S3 store takes files above 64 MiB without that condition. A local place
    is replaced by a rename.

    Args:
        directory: The folder. Folders without files are left out, and what lies in the folder itself under a name that
            begins with a dot.
        place: Where its files shall be.
        last: The name of the file that is written last, without folders.

    Returns:
        The version of `last`.

    Raises:
        ConflictError: Another process claimed the place later.
        DeniedError: It may not be written.
        StorageError: The store does not take it.
        FileNotFoundError: There is no file `last`.
    """
    files = {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}
    files = {name: path for name, path in files.items() if not name.startswith(".")}
    if last not in files:
        raise FileNotFoundError(directory / last)
    if not is_remote(place):
        return _copy_folder(directory, Path(place).absolute(), last)
    return _Upload(place.rstrip("/"), files, last).run()


class _Upload:
    """A folder on its way to a place that others may write to as well.

    Args:
        root: The place.
        files: By name.
        last: The name of the one that is written last.
    """

    def __init__(self, root: str, files: Mapping[str, Path], last: str) -> None:
        self._root = root
        self._files = files
        self._last = f"{root}/{last}"
        self._contract = files[last]
        self._names = [name for name in files if name != last]
        self._written: dict[str, str] = {}
        self._claimed = ""

    def run(self) -> str:
        """Write all of it; the version of the last file."""
        self._claimed = self._claim()
        there = self._listed()
        pending, strange = self._names, self._strange(there)
        for _ in range(_CONTESTS):
            for _ in ordered_map(partial(self._send, there), pending, workers=_WRITERS):
                pass
            for _ in ordered_map(partial(self._remove, there), strange, workers=_WRITERS):
                pass
            there = self._listed()  # a writer that lost may have written or removed something since
            pending = [name for name in self._names if self._version(there, name) != self._written[name]]
            strange = self._strange(there)
            if not pending and not strange:
                return write_object(self._last, self._contract, replacing=self._claimed)
        raise ConflictError(f"was changed by others {_CONTESTS} times in a row", where=self._root)

    def _claim(self) -> str:
        """Take the place from whoever has it; the claim's version."""
        claim = _CLAIM + uuid.uuid4().hex.encode() + b'"}\n'
        for _ in range(_CONTESTS):
            with contextlib.suppress(ConflictError):
                return write_object(self._last, claim, **_unless_changed(stat(self._last)))
        raise ConflictError(f"was claimed by others {_CONTESTS} times in a row", where=self._root)

    def _require_claim(self) -> None:
        found = stat(self._last)
        if found is None or found.version != self._claimed:
            raise ConflictError("was claimed by another process meanwhile", where=self._root)

    def _listed(self) -> dict[str, ObjectStat]:
        there = {found.place.removeprefix(f"{self._root}/"): found for found in list_objects(self._root)}
        self._require_claim()
        return there

    def _strange(self, there: Mapping[str, ObjectStat]) -> list[str]:
        return [name for name in there if name not in self._files]

    @staticmethod
    def _version(there: Mapping[str, ObjectStat], name: str) -> str | None:
        return there[name].version if name in there else None

    def _send(self, there: Mapping[str, ObjectStat], name: str) -> None:
        place = f"{self._root}/{name}"
        self._written[name] = self._insist(
            there, name, lambda found: write_object(place, self._files[name], **_unless_changed(found))
        )

    def _remove(self, there: Mapping[str, ObjectStat], name: str) -> None:
        self._insist(there, name, lambda found: delete_object(found.place, found.version) if found else None)

    def _insist(self, there: Mapping[str, ObjectStat], name: str, act: Callable[[ObjectStat | None], Out]) -> Out:
        """Act on what is at a place, again as long as others change it and the claim stands."""
        found = there.get(name)
        for _ in range(_CONTESTS):
            try:
                return act(found)
            except ConflictError:
                found = stat(f"{self._root}/{name}")
                self._require_claim()  # after the look: what was seen is nothing of a writer that claimed later
        raise ConflictError(f"was changed by others {_CONTESTS} times in a row", where=f"{self._root}/{name}")


def is_claim(content: bytes) -> bool:
    """Whether an object stands for a folder that is being written, or whose writer died."""
    return content.startswith(_CLAIM)


def download_folder(place: str, directory: Path, files: Sequence[str] = ("*",)) -> list[ObjectStat]:
    """Copy objects under a prefix, or files of a folder, into a local folder that appears whole.

    Args:
        place: The prefix or folder.
        directory: The folder to make; a former one is replaced.
        files: Patterns of the names to copy, where `*` stands for any characters, slashes too. Default: all.

    Returns:
        What was copied, by name.

    Raises:
        FileNotFoundError: Nothing of that is there.
        ConflictError: An object changed meanwhile.
        DeniedError: An object may not be read.
        StorageError: The store does not give one, or gives it damaged, or its name cannot be a file's.
    """
    root = place.rstrip("/") + "/"

    def named(thing: ObjectStat) -> str:
        return thing.place.removeprefix(root)

    found = [thing for thing in list_objects(place) if any(fnmatchcase(named(thing), pattern) for pattern in files)]
    if not found:
        raise FileNotFoundError(place)
    directory = directory.absolute()

    def fetch(thing: ObjectStat, aside: Path) -> None:
        name = named(thing)
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise StorageError("has a name that no file can have", where=thing.place)
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            _fetch(thing, file)

    with new_folder(directory) as aside:
        for _ in ordered_map(partial(fetch, aside=aside), found, workers=_READERS):
            pass
    return found


def download_file(place: str, file: IO[bytes]) -> ObjectStat:
    """Copy one object into an open file, a piece at a time: all pieces are of one version of it.

    Args:
        place: A remote place.
        file: Written from where it stands.

    Raises:
        FileNotFoundError: There is none.
        ConflictError: It changed meanwhile.
        DeniedError: It may not be read.
        StorageError: The store does not give it, or gives it damaged.
    """
    found = stat(place)
    if found is None:
        raise FileNotFoundError(place)
    _fetch(found, file)
    return found


def _fetch(thing: ObjectStat, file: IO[bytes]) -> None:
    """Copy one version of an object into a file, and check it; the file's own end is where it begins."""
    if not is_remote(thing.place):
        with Path(thing.place).open("rb") as source:
            shutil.copyfileobj(source, file)
        return
    scheme, bucket, _ = parts_of(thing.place)
    checking = Checking(f"{scheme}://{bucket}", partial(_size_of, thing.place))
    start = file.tell()

    def fetch() -> None:
        file.seek(start)
        file.truncate()
        digest = Digest(thing.checksum)
        for first in range(0, thing.size, _PIECE):
            piece = _piece(thing, first, min(first + _PIECE, thing.size))
            digest.update(piece)
            file.write(piece)
        checking.check(file.tell() - start, thing.size, digest.value(), thing.checksum)

    asked(thing.place, fetch)


def _piece(thing: ObjectStat, start: int, end: int) -> bytes:
    import obstore

    scheme, bucket, key = parts_of(thing.place)
    options: GetOptions = {"range": (start, end)}
    if scheme == "gs":
        options["version"] = thing.version
    else:
        options["if_match"] = thing.version
    store = store_of(scheme, bucket)

    def read() -> bytes:
        content = bytes(obstore.get(store, _known(key), options=options).bytes())
        if len(content) != end - start:
            raise DamagedError
        return content

    try:
        return asked(thing.place, read)
    except FileNotFoundError:  # its generation is gone
        raise ConflictError("was replaced or removed while it was read", where=thing.place) from None


def _size_of(place: str) -> int | None:
    """Bytes of an object as its store tells them to whoever only looks; None where it does not."""
    try:
        found = stat(place)
    except StorageError:
        return None
    return None if found is None else found.size


def _known(key: str) -> str:
    """A key that obstore can ask for.

    Raises:
        OSError: It cannot.
    """
    if any(part in ("", ".", "..") for part in key.split("/")) or re.search(r"[\x00-\x1f\x7f]", key):
        what = "its name has an empty part, '.', '..' or a control character, which cannot be asked for"
        raise OSError(errno.EINVAL, what)
    return key


class _Writing:
    """One object on its way into a store."""

    def __init__(self, place: str, content: bytes | Path, absent: bool, replacing: str | None) -> None:
        self._place = place
        self._content = content
        self._absent = absent
        self._replacing = replacing
        self._token = uuid.uuid4().hex
        self._scheme, self._bucket, self._key = parts_of(place)

    def to_gs(self) -> str:
        """Send it to Google Cloud Storage; its generation."""
        condition = 0 if self._absent else None if self._replacing is None else int(self._replacing)
        tries = Tries(self._place)
        for _ in range(3):
            blob = gs_client().bucket(self._bucket).blob(self._key, chunk_size=_PIECE)
            blob.metadata = {_WRITER: self._token}
            options = {
                "content_type": self._content_type(),
                "if_generation_match": condition,
                "checksum": "crc32c",
                "retry": tries.policy(),
            }
            try:
                if isinstance(self._content, Path):
                    blob.upload_from_filename(str(self._content), **options)
                else:
                    blob.upload_from_string(self._content, **options)
                return str(blob.generation)
            except Exception as error:
                failed = tries.explained(error)
            lost = isinstance(failed, FileNotFoundError)  # an upload that the store has ended or forgotten
            if tries.count > 1 and (lost or isinstance(failed, ConflictError)) and (written := self._own_work()):
                return written
            if not lost:
                raise failed from None
        raise StorageError(f"there is no bucket '{self._bucket}', or it loses uploads", where=self._place)

    def to_s3(self) -> str:
        """Send it to an S3 store; its ETag."""
        import obstore

        mode: PutMode = "overwrite"
        if self._absent:
            mode = "create"
        elif self._replacing is not None:
            mode = {"e_tag": self._replacing}
        large = isinstance(self._content, Path) and self._content.stat().st_size > _LARGE
        if large and mode != "overwrite":
            found = stat(self._place)
            if found is not None if self._absent else found is None or found.version != self._replacing:
                raise ConflictError("was written or removed by another process meanwhile", where=self._place)
        store = store_of(self._scheme, self._bucket, steadfast=large)
        failed = False

        def put() -> str:
            nonlocal failed
            try:
                done = obstore.put(
                    store,
                    self._key,
                    self._content,
                    attributes={_WRITER: self._token, "Content-Type": self._content_type()},
                    mode="overwrite" if large else mode,
                    use_multipart=large,
                    chunk_size=_PIECE,
                )
            except Exception:
                failed = True
                raise
            return _etag(done["e_tag"])

        try:
            return asked(self._place, put)
        except (ConflictError, FileNotFoundError):
            written = self._own_work() if failed else ""
            if written:
                return written
            raise ConflictError("was written or removed by another process meanwhile", where=self._place) from None

    def _own_work(self) -> str:
        """The version of what stands there, if an attempt of ours put it there without our hearing of it."""
        try:
            if self._scheme == "gs":
                blob = gs_client().bucket(self._bucket).blob(self._key)
                asked(self._place, lambda: blob.reload(retry=None))
                return str(blob.generation) if (blob.metadata or {}).get(_WRITER) == self._token else ""
            import obstore

            store = store_of(self._scheme, self._bucket)
            found = asked(self._place, lambda: obstore.get(store, self._key, options={"head": True}))
            return _etag(found.meta["e_tag"]) if found.attributes.get(_WRITER) == self._token else ""
        except FileNotFoundError:
            return ""

    def _content_type(self) -> str:
        return mimetypes.guess_type(self._key)[0] or "application/octet-stream"


def _unless_changed(found: ObjectStat | None) -> Mapping[str, Any]:
    """The condition that an object is still what it was."""
    return {"absent": True} if found is None else {"replacing": found.version}


def _blob_stat(blob: Any) -> ObjectStat:
    checksum = f"crc32c:{base64.b64decode(blob.crc32c).hex()}" if blob.crc32c else ""
    return ObjectStat(f"gs://{blob.bucket.name}/{blob.name}", int(blob.size), str(blob.generation), checksum)


def _meta_stat(place: str, meta: ObjectMeta) -> ObjectStat:
    md5 = _MD5.fullmatch(meta["e_tag"] or "")
    return ObjectStat(place, meta["size"], _etag(meta["e_tag"]), f"md5:{md5[1]}" if md5 else "")


def _etag(given: str | None) -> str:
    """An ETag in quotes, as preconditions want it, whether or not a listing left them out."""
    return f'"{(given or "").strip(chr(34))}"'


def _local_stat(path: Path) -> ObjectStat | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not path.is_file():
        return None
    return ObjectStat(str(path), status.st_size, f"{status.st_mtime_ns:x}-{status.st_ino:x}")


def _write_local(path: Path, content: bytes | Path, absent: bool, replacing: str | None) -> str:
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_here(path.parent):
        found = _local_stat(path)
        if (absent and found is not None) or (replacing is not None and (not found or found.version != replacing)):
            raise ConflictError("was written or removed by another process meanwhile", where=str(path))
        write_whole(path, content)
        written = _local_stat(path)
    assert written is not None
    return written.version


def _delete_local(path: Path, version: str) -> None:
    if not path.parent.is_dir():
        return
    with _only_here(path.parent):
        found = _local_stat(path)
        if found is not None and found.version != version:
            raise ConflictError("was written by another process meanwhile", where=str(path))
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _only_here(folder: Path) -> Iterator[None]:
    """Keep other processes of ours from writing into a folder; it ends with this one."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _copy_folder(directory: Path, out: Path, last: str) -> str:
    with new_folder(out) as aside:
        shutil.copytree(directory, aside, dirs_exist_ok=True, ignore=_helping(directory))
    written = _local_stat(out / last)
    assert written is not None
    return written.version


def _helping(directory: Path) -> Callable[[str, list[str]], list[str]]:
    """For `copytree`: the names in a folder itself that begin with a dot."""
    return lambda folder, names: [name for name in names if name.startswith(".") and Path(folder) == directory]
