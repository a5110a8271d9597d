"""What every store can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol


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


class Store(Protocol):
    """Where bytes are kept under names: a disk, or the buckets of one scheme.

    Every call names a place in full. It makes its requests again while the store fails in passing, checks what arrived
    against the store's checksum, and ends with an error that names the place.
    """

    def stat(self, place: str) -> ObjectStat | None:
        """What is known of an object; None where there is none.

        Raises:
            DeniedError: It may not be looked at.
            StorageError: The store does not tell.
        """

    def list(self, place: str) -> Iterator[ObjectStat]:
        """The objects under a prefix that is a whole name of a folder, with those in folders below, by name.

        Raises:
            DeniedError: It may not be listed.
            StorageError: The store does not tell.
        """

    def read(self, place: str, admit: Callable[[int], None] | None) -> bytes:
        """The whole content of an object.

        Args:
            place: Where it is.
            admit: As for `polyhead.storage.objects.read_bytes`.

        Raises:
            FileNotFoundError: There is none.
            DeniedError: It may not be read.
            OSError: A file cannot be read, or an object's name cannot be asked for.
            StorageError: The store does not give it, or gives it damaged.
        """

    def fetch(self, thing: ObjectStat, file: IO[bytes]) -> None:
        """Copy one version of an object into a file, a piece at a time, and check it.

        Args:
            thing: The object at that version.
            file: Written from its own end on.

        Raises:
            ConflictError: It was replaced or removed.
            DeniedError: It may not be read.
            StorageError: The store does not give it, or gives it damaged.
        """

    def write(self, place: str, content: bytes | Path, *, absent: bool, replacing: str | None) -> str:
        """Write one object, which appears whole or not at all; its new version.

        Args:
            place: Where.
            content: Its bytes, or the local file that has them.
            absent: Write only if nothing is there.
            replacing: Write only if what is there is still of this version.

        Raises:
            ConflictError: The condition does not hold.
            DeniedError: It may not be written.
            StorageError: The store does not take it.
            ArtifactError: The local file cannot be written.
        """

    def delete(self, place: str, version: str) -> None:
        """Remove an object of a version; one that is not there is fine.

        Raises:
            ConflictError: It was written since.
            DeniedError: It may not be removed.
            StorageError: The store does not do it.
        """
