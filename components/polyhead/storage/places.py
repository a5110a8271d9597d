"""Places that data comes from and goes to: local paths, objects in the buckets of a store, and tables in BigQuery."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path, PurePosixPath

from polyhead.errors import DataError
from polyhead.storage.stores.names import parts_of
from polyhead.storage.stores.table import STORES

SCHEMES = tuple(STORES)
"""The schemes of remote places."""

BIGQUERY = "bq://"
"""How the place of a table in BigQuery begins."""

_REMOTE = (*(f"{scheme}://" for scheme in SCHEMES), BIGQUERY)
_WILDCARD = re.compile(r"[*?[]")


def is_remote(place: str | Path) -> bool:
    """Whether a place is an object in a bucket, or a table in BigQuery. A `Path` never is."""
    return str(place).startswith(_REMOTE)


def is_bigquery(place: str | Path) -> bool:
    """Whether a place is a table in BigQuery: `bq://project.dataset.table`."""
    return str(place).startswith(BIGQUERY)


def check_scheme(place: str) -> None:
    """Refuse a place where no file or folder can be.

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


def split_pattern(place: str) -> tuple[str, str]:
    """Cut a pattern before the first name in it that has a wildcard: `*`, `?`, `[…]`.

    Args:
        place: A local path, or a remote place; a bucket's name has no wildcards.

    Returns:
        The folder that the pattern starts in, `.` for the working directory, and the pattern relative to it. A place
        without a wildcard is returned as it is, with an empty pattern.
    """
    start = len("/".join(place.split("/", 3)[:3])) if is_remote(place) else 0
    found = _WILDCARD.search(place, start)
    if found is None:
        return place, ""
    end = place.rfind("/", 0, found.start()) + 1
    return place[:end].rstrip("/") or place[:1] * bool(end) or ".", place[end:]


def anchor_of(place: str) -> str:
    """What must be there for a table's place to be read: itself, or of a pattern the folder that it starts in."""
    folder, pattern = split_pattern(place)
    return folder if pattern and (is_remote(place) or not Path(place).exists()) else place


def folder_of(place: str) -> str:
    """The folder that a table's place lies in: that of a file, a folder itself, or the folder a pattern starts in.

    A remote place that ends in a slash is a folder. A table in BigQuery lies in none: it is the working directory.
    """
    if is_bigquery(place):
        return str(Path.cwd())
    folder = anchor_of(place)
    if is_remote(place):
        scheme, _, rest = folder.partition("://")
        whole = folder != place or place.endswith("/")
        return f"{scheme}://{PurePosixPath(rest) if whole else PurePosixPath(rest).parent}"
    path = Path(folder).absolute()
    return str(path if path.is_dir() or folder != place else path.parent)


def name_of(place: str) -> str:
    """What to call a table in a title: the name of its file without the suffix, of its folder, or its own."""
    if is_bigquery(place):
        return place.rpartition(".")[2]
    return PurePosixPath(anchor_of(place)).stem or place


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
