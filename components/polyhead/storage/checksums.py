"""Whether the bytes that arrive are those that a store says it has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

_not_md5: set[str] = set()
"""Buckets whose ETags look like MD5 and are not, as with some kinds of encryption."""


class DamagedError(Exception):
    """The bytes that arrived are not those that the store says it has."""


class Digest:
    """A checksum of bytes that come in pieces.

    Args:
        expected: The one that it will be compared with, `crc32c:…` or `md5:…`; empty where there is none.
    """

    def __init__(self, expected: str) -> None:
        self._kind, _, _ = expected.partition(":")
        self._hash: Any = None
        if self._kind == "crc32c":
            import google_crc32c

            self._hash = google_crc32c.Checksum()
        elif self._kind == "md5":
            self._hash = hashlib.md5(usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._hash is not None:
            self._hash.update(piece)

    def value(self) -> str:
        """The checksum so far, spelled as the expected one is."""
        return "" if self._hash is None else f"{self._kind}:{self._hash.digest().hex()}"


class Checking:
    """Compares what arrives of one object, attempt by attempt.

    An ETag that looks like an MD5 need not be one: where a second attempt brings the same bytes, and as many as the
    store tells whoever only looks, it is none, and the ETags of that bucket are compared no more.

    Args:
        bucket: Where the object is.
        size: Asks the store for its size again; None if that is not available.
    """

    def __init__(self, bucket: str, size: Callable[[], int | None]) -> None:
        self._bucket = bucket
        self._size = size
        self._seen: set[str] = set()

    def check(self, size: int, expected_size: int, digest: str, expected: str) -> None:
        """Refuse damaged bytes.

        Args:
            size: Bytes that arrived.
            expected_size: Bytes that the store says it has.
            digest: Of what arrived, by `Digest`.
            expected: The store's checksum; empty where it gives none.

        Raises:
            DamagedError: The size or the digest is another.
        """
        if size != expected_size:
            raise DamagedError
        if digest == expected or (expected.startswith("md5:") and self._bucket in _not_md5):
            return
        if expected.startswith("md5:") and digest in self._seen and self._size() == size:
            _not_md5.add(self._bucket)
            return
        self._seen.add(digest)
        raise DamagedError
