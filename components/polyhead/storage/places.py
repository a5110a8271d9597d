"""Places that data comes from: a local path or a `gs://` object."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from polyhead.errors import DataError

if TYPE_CHECKING:
    from google.cloud import storage

GS = "gs://"


def is_remote(place: str) -> bool:
    """Whether a place is an object in a bucket."""
    return place.startswith(GS)


def check_scheme(place: str) -> None:
    """Refuse a scheme that nothing here can read.

    Raises:
        DataError: The place has a scheme other than `gs://`.
    """
    scheme, separator, _ = place.partition("://")
    if separator and scheme != "gs":
        raise DataError(f"cannot read {scheme}:// places", where=place, hint="give a local path or gs://bucket/object")


def folder_of(place: str) -> str:
    """The folder that a table's place lies in."""
    if is_remote(place):
        return GS + str(PurePosixPath(place.removeprefix(GS)).parent)
    return str(Path(place).absolute().parent)


def join(root: str, path: str) -> str:
    """A path under a root; an absolute path or a place of its own stays as it is."""
    if is_remote(path) or os.path.isabs(path):
        return path
    if is_remote(root):
        return f"{root.rstrip('/')}/{path}" if path not in ("", ".") else root
    return os.path.normpath(os.path.join(root, path))


def relative_to(place: str, folder: Path) -> str:
    """A local path as seen from a folder, if it lies below it; otherwise absolute. A remote place stays as it is."""
    if is_remote(place):
        return place
    absolute = Path(place).absolute()
    with contextlib.suppress(ValueError):
        return absolute.relative_to(folder.absolute()).as_posix()
    return str(absolute)


def read_bytes(place: str) -> bytes:
    """The whole content of a place.

    Args:
        place: A local path, or `gs://bucket/object`; the latter by the platform's default credentials.

    Raises:
        FileNotFoundError: There is nothing.
        OSError: It cannot be read.
    """
    if not is_remote(place):
        return Path(place).read_bytes()
    from google.api_core import exceptions

    bucket, _, name = place.removeprefix(GS).partition("/")
    try:
        content: bytes = gs_client().bucket(bucket).blob(name).download_as_bytes()
    except exceptions.NotFound:
        raise FileNotFoundError(place) from None
    except exceptions.GoogleAPIError as error:
        raise OSError(f"{place}: {error}") from None
    return content


@functools.cache
def gs_client() -> storage.Client:
    """The client of this process, by the platform's default credentials.

    Raises:
        DataError: There are no credentials.
    """
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client()
    except DefaultCredentialsError:
        raise DataError(
            "no Google Cloud credentials",
            where=GS,
            hint="run: gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
        ) from None
