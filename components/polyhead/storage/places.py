"""Places that data comes from and goes to: local paths, and objects in the buckets of a store."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from polyhead.errors import DataError

SCHEMES = ("gs", "s3", "minio")
"""Google Cloud Storage, Amazon S3 and what speaks its protocol, and the S3 store of a Kubeflow Pipelines cluster."""

_REMOTE = tuple(f"{scheme}://" for scheme in SCHEMES)
_SETTINGS = re.compile(r"\?(?:.*&)?(?:endpoint|region|disableSSL|s3ForcePathStyle|hostname_immutable)=")


class RemotePlace(NamedTuple):
    """The parts of a remote place.

    Attributes:
        scheme: One of `SCHEMES`.
        bucket: Its bucket.
        key: The object's name there, or the prefix of several; it does not begin with a slash.
    """

    scheme: str
    bucket: str
    key: str


def is_remote(place: str | Path) -> bool:
    """Whether a place is an object in a bucket. A `Path` never is."""
    return str(place).startswith(_REMOTE)


def parts_of(place: str) -> RemotePlace:
    """The parts of a remote place.

    Raises:
        DataError: It names no bucket, or holds settings of the store.
    """
    scheme, _, rest = place.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise DataError("names no bucket", where=place, hint=f"write {scheme}://bucket/object")
    if _SETTINGS.search(place):
        raise DataError(
            "holds settings of the store after a question mark",
            where=place,
            hint="leave them out, and set AWS_ENDPOINT_URL_S3 and AWS_REGION in the environment",
        )
    return RemotePlace(scheme, bucket, key.strip("/"))


def check_scheme(place: str) -> None:
    """Refuse a place that nothing here can read or write.

    Raises:
        DataError: The place has another scheme than those of `SCHEMES`, or names no bucket.
    """
    scheme, separator, _ = place.partition("://")
    if separator and scheme not in SCHEMES:
        known = ", ".join(f"{known}://" for known in SCHEMES)
        raise DataError(f"cannot use {scheme}:// places", where=place, hint=f"give a local path, or one of: {known}")
    if separator:
        parts_of(place)


def folder_of(place: str) -> str:
    """The folder that a table's place lies in."""
    if is_remote(place):
        scheme, _, rest = place.partition("://")
        return f"{scheme}://{PurePosixPath(rest).parent}"
    return str(Path(place).absolute().parent)


def join(root: str, path: str) -> str:
    """A path under a root; an absolute path or a place of its own stays as it is."""
    if is_remote(path) or os.path.isabs(path):
        return path
    if is_remote(root):
        return f"{root.rstrip('/')}/{path}" if path not in ("", ".") else root
    return os.path.normpath(os.path.join(root, path))


def beside(place: str, name: str) -> str:
    """A name in the folder that a place lies in."""
    if is_remote(place):
        return f"{place.rstrip('/').rpartition('/')[0]}/{name}"
    return str(Path(place).parent / name)


def relative_to(place: str, folder: Path) -> str:
    """A local path as seen from a folder, if it lies below it; otherwise absolute. A remote place stays as it is."""
    if is_remote(place):
        return place
    absolute = Path(place).absolute()
    with contextlib.suppress(ValueError):
        return absolute.relative_to(folder.absolute()).as_posix()
    return str(absolute)
