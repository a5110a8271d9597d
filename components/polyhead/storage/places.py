"""Places that data comes from and goes to: local paths, and objects in the buckets of a store."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath

from polyhead.errors import DataError
from polyhead.storage.stores.names import parts_of
from polyhead.storage.stores.table import STORES

SCHEMES = tuple(STORES)
"""The schemes of remote places."""

_REMOTE = tuple(f"{scheme}://" for scheme in SCHEMES)


def is_remote(place: str | Path) -> bool:
    """Whether a place is an object in a bucket. A `Path` never is."""
    return str(place).startswith(_REMOTE)


def check_scheme(place: str) -> None:
    """Refuse a place that nothing here can read or write.

    Raises:
        DataError: The place has another scheme than those of `SCHEMES`, or names no bucket.
    """
    scheme, separator, _ = place.partition("://")
    if separator and scheme not in SCHEMES:
        known = ", ".join(f"{known}://" for known in SCHEMES)
        raise DataError(
            "unknown-scheme",
            f"cannot use {scheme}:// places",
            where=place,
            hint=f"give a local path, or one of: {known}",
        )
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
