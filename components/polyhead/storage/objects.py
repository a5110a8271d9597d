"""Objects in a store, and files on a disk, by the same few calls: look, list, read, write on a condition, remove.

Every call makes its requests again while a store fails in passing, checks what arrived against the store's checksum,
and ends with an error that names the place.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from polyhead.contracts.artifact import FileDigest
from polyhead.errors import ConflictError
from polyhead.storage.checksums import Digest
from polyhead.storage.folders import write_file
from polyhead.storage.places import is_remote
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.stores.table import store_of

_BLOCK = 16 * 2**20


def stat(place: str) -> ObjectStat | None:
    """What is known of an object or a local file; None where there is none.

    Raises:
        DeniedError: It may not be looked at.
        StorageError: The store does not tell.
    """
    return store_of(place).stat(place)


def list_objects(place: str) -> Iterator[ObjectStat]:
    """The objects under a prefix, or the files under a local folder, with those in folders below, by name.

    Args:
        place: The prefix, a whole name of a folder: `gs://bucket/a` does not have what is under `gs://bucket/ab`.

    Raises:
        DeniedError: It may not be listed.
        StorageError: The store does not tell.
    """
    return store_of(place).list(place)


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
    return store_of(place).read(place, admit)


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
            while piece := file.read(_BLOCK):
                checksum.update(piece)
        if checksum.value() == found.checksum:
            return True
    with tempfile.TemporaryFile() as copy:
        try:
            store_of(place).fetch(found, copy)
        except (FileNotFoundError, ConflictError):
            return False
        copy.seek(0)
        return hashlib.file_digest(copy, "sha256").hexdigest() == digest.sha256


def write_object(place: str, content: bytes | Path, *, absent: bool = False, replacing: str | None = None) -> str:
    """Write one object or local file, which appears whole or not at all.

    Args:
        place: Where.
        content: Its bytes, or the local file that has them. A large file is sent in pieces, and a broken connection
            resumes with the piece in which it broke.
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
    return store_of(place).write(place, content, absent=absent, replacing=replacing)


def write_whole(place: str | Path, content: bytes | Path) -> None:
    """Write a single file so that it appears whole, whatever is there.

    Args:
        place: Where: a file, or a remote object.
        content: Its bytes, or a file that has them.

    Raises:
        ArtifactError: The place cannot be written.
        StorageError: The store does not take it.
    """
    if is_remote(place):
        write_object(str(place), content)
    else:
        write_file(Path(place), content)


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
    store_of(place).delete(place, version)


def download_file(place: str, file: IO[bytes]) -> ObjectStat:
    """Copy one object into an open file, a piece at a time: all pieces are of one version of it.

    Args:
        place: A remote place.
        file: Read from its current position.

    Raises:
        FileNotFoundError: There is none.
        ConflictError: It changed meanwhile.
        DeniedError: It may not be read.
        StorageError: The store does not give it, or gives it damaged.
    """
    found = stat(place)
    if found is None:
        raise FileNotFoundError(place)
    store_of(place).fetch(found, file)
    return found
