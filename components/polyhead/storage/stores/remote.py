"""What the stores of buckets share: reading through obstore, which costs a fraction of the processor time of others.

Google Cloud Storage is listed and written by Google's own library, everything else goes through obstore.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import mimetypes
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar, TypeVar

from polyhead.errors import ConflictError, StorageError
from polyhead.storage.checksums import Checking, DamagedError, Digest
from polyhead.storage.stores import attempts
from polyhead.storage.stores.attempts import Failure, Tries, asked
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.stores.names import parts_of

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ObjectMeta
    from obstore.store import ClientConfig, GCSStore, RetryConfig, S3Store

WRITER = "polyhead-writer"
"""Metadata: a random word of the call that wrote an object, by which it knows its own work after a lost answer."""

Out = TypeVar("Out")

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class RemoteStore(ABC):
    """The buckets of one scheme. Threads share one.

    Attributes:
        piece: Bytes of a large object that are asked for at once, and sent at once.
        client: The fast client of a bucket, one for all threads. With `steadfast` it makes requests again by itself,
            for calls that are several requests.
    """

    piece: ClassVar[int] = 16 * 2**20

    def __init__(self) -> None:
        self.client = functools.cache(self._client)

    @abstractmethod
    def _client(self, bucket: str, *, steadfast: bool = False) -> GCSStore | S3Store:
        """A new fast client.

        Raises:
            StorageError: There are no credentials.
        """

    @abstractmethod
    def _hint(self, failure: Failure) -> str:
        """What to do about a failure; empty where nothing helps."""

    @abstractmethod
    def _look(self, place: str) -> ObjectStat:
        """What is known of an object that is there."""

    @abstractmethod
    def list(self, place: str) -> Iterator[ObjectStat]:
        """As `Store.list`."""

    @abstractmethod
    def _of_version(self, version: str) -> GetOptions:
        """What to ask for so that no other version comes."""

    @abstractmethod
    def write(self, place: str, content: bytes | Path, *, absent: bool, replacing: str | None) -> str:
        """As `Store.write`."""

    @abstractmethod
    def _remove(self, place: str, version: str) -> None:
        """Remove an object, of that version where the store knows such a condition."""

    def stat(self, place: str) -> ObjectStat | None:
        """As `Store.stat`."""
        try:
            return self._look(place)
        except FileNotFoundError:
            return None

    def read(self, place: str, admit: Callable[[int], None] | None) -> bytes:
        """As `Store.read`."""
        import obstore
        from obstore.exceptions import BaseError

        scheme, bucket, key = parts_of(place)
        store, key = self.client(bucket), _known(key)
        checking = Checking(f"{scheme}://{bucket}", partial(self._size_of, place))

        def opened() -> GetResult:
            if admit is not None:
                admit(0)
            return obstore.get(store, key)

        def taken(result: GetResult) -> bytes:
            found = meta_stat(place, result.meta)
            content = bytes(result.bytes())
            digest = Digest(found.checksum)
            digest.update(content)
            checking.check(len(content), found.size, digest.value(), found.checksum)
            return content

        if admit is not None:
            result = self._asked(place, opened)
            admit(result.meta["size"])
            with contextlib.suppress(BaseError, DamagedError):  # then it is asked for anew, with all its time
                return taken(result)
        return self._asked(place, lambda: taken(opened()))

    def fetch(self, thing: ObjectStat, file: IO[bytes]) -> None:
        """As `Store.fetch`."""
        scheme, bucket, _ = parts_of(thing.place)
        checking = Checking(f"{scheme}://{bucket}", partial(self._size_of, thing.place))
        start = file.tell()

        def fetch() -> None:
            file.seek(start)
            file.truncate()
            digest = Digest(thing.checksum)
            for first in range(0, thing.size, self.piece):
                piece = self._piece(thing, first, min(first + self.piece, thing.size))
                digest.update(piece)
                file.write(piece)
            checking.check(file.tell() - start, thing.size, digest.value(), thing.checksum)

        self._asked(thing.place, fetch)

    def delete(self, place: str, version: str) -> None:
        """As `Store.delete`."""
        try:
            self._remove(place, version)
        except FileNotFoundError:
            return
        except ConflictError:
            if self.stat(place) is not None:
                raise

    def _asked(self, place: str, request: Callable[[], Out]) -> Out:
        """What a request gives, made again while it fails in passing."""
        return asked(place, request, self._hint)

    def _tries(self, place: str) -> Tries:
        """Counts attempts that a library makes by itself."""
        return Tries(place, self._hint)

    def _piece(self, thing: ObjectStat, start: int, end: int) -> bytes:
        import obstore

        _, bucket, key = parts_of(thing.place)
        options: GetOptions = {"range": (start, end), **self._of_version(thing.version)}
        store = self.client(bucket)

        def read() -> bytes:
            content = bytes(obstore.get(store, _known(key), options=options).bytes())
            if len(content) != end - start:
                raise DamagedError
            return content

        try:
            return self._asked(thing.place, read)
        except FileNotFoundError:  # its generation is gone
            raise ConflictError(
                "changed-meanwhile", "was replaced or removed while it was read", where=thing.place
            ) from None

    def _size_of(self, place: str) -> int | None:
        """Bytes of an object as its store reports them without reading it; None if it does not."""
        try:
            found = self.stat(place)
        except StorageError:
            return None
        return None if found is None else found.size


def client_options() -> ClientConfig:
    """How long a fast client waits."""
    return {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "300s"}


def retry_options(*, steadfast: bool) -> RetryConfig:
    """How often a fast client makes a request again by itself."""
    return {"max_retries": 10 if steadfast else 0, "retry_timeout": timedelta(seconds=attempts.DEADLINE)}


def meta_stat(place: str, meta: ObjectMeta) -> ObjectStat:
    """What obstore tells of an object."""
    md5 = _MD5.fullmatch(meta["e_tag"] or "")
    return ObjectStat(place, meta["size"], etag(meta["e_tag"]), f"md5:{md5[1]}" if md5 else "")


def etag(given: str | None) -> str:
    """An ETag in quotes, as preconditions want it, whether or not a listing left them out."""
    return f'"{(given or "").strip(chr(34))}"'


def content_type(key: str) -> str:
    """What an object is by its name."""
    return mimetypes.guess_type(key)[0] or "application/octet-stream"


def _known(key: str) -> str:
    """A key that obstore can ask for.

    Raises:
        OSError: It cannot.
    """
    if any(part in ("", ".", "..") for part in key.split("/")) or re.search(r"[\x00-\x1f\x7f]", key):
        what = "its name has an empty part, '.', '..' or a control character, which cannot be asked for"
        raise OSError(errno.EINVAL, what)
    return key
