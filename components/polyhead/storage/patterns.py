"""The files of a folder, or those whose names fit a pattern."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from polyhead.storage.objects import list_objects, stat
from polyhead.storage.places import is_remote, split_pattern

_ANY = "**"


class Files(NamedTuple):
    """Files below a folder.

    Attributes:
        folder: Where all of them lie.
        names: Their paths relative to it, with `/` between names, sorted by their bytes.
    """

    folder: str
    names: list[str]

    def place(self, name: str) -> str:
        """The place of one of them."""
        return f"{self.folder.rstrip('/')}/{name}"


def files_of(place: str) -> Files | None:
    """The files that a place stands for, where it is not the name of one file.

    In a pattern `*` and `?` stand for characters of one name, `[…]` for one of several, and `**` for any number of
    folders; a folder that fits stands for the files below it. What is there under exactly this name is meant before any
    pattern. Names that begin with a dot, or with an
    underscore unless they are those of a partition (`_year=2024`), are left out with all that is below them, unless the
    pattern names them with that character.

    Args:
        place: A folder, local or remote, the latter with a slash at its end; a pattern; or a file.

    Returns:
        All files below a folder at any depth, or those that fit; None for any other place, whether or not it is there.

    Raises:
        OSError: A local folder cannot be listed.
        DeniedError: A remote one may not be.
        StorageError: The store does not tell.
    """
    folder, pattern = split_pattern(place)
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if is_remote(place):
        if not pattern and not place.endswith("/"):
            return None
        if pattern and not place.endswith("/") and stat(place) is not None:
            return None
    elif os.path.isdir(place):
        folder, parts = place, []
    elif not pattern or os.path.lexists(place):
        return None
    found = _remote_names(folder.rstrip("/"), parts) if is_remote(place) else _local_names(folder, (), parts)
    return Files(folder, sorted(set(found), key=str.encode))


def _remote_names(folder: str, parts: Sequence[str]) -> Iterator[str]:
    for found in list_objects(folder):
        name = found.place.removeprefix(f"{folder}/")
        if _fits(name.split("/"), parts, whole=True):
            yield name


def _local_names(
    folder: str, names: tuple[str, ...], parts: Sequence[str], above: frozenset[str] = frozenset()
) -> Iterator[str]:
    """The names below a folder that fit; a link to a folder that it is in itself is not followed."""
    here = os.path.join(folder, *names)
    real = os.path.realpath(here)
    if real in above:
        return
    with os.scandir(here) as entries:
        for entry in entries:
            inner = (*names, entry.name)
            if entry.is_dir():
                if _fits(inner, parts, whole=False):
                    yield from _local_names(folder, inner, parts, above | {real})
            elif _fits(inner, parts, whole=True):
                yield "/".join(inner)


def _fits(names: Sequence[str], parts: Sequence[str], *, whole: bool) -> bool:
    """Whether the names of a path fit the parts of a pattern, or unless `whole` the first of them."""
    if not names:
        return not whole or not parts
    if not parts:
        return not any(map(_is_hidden, names))
    name, part = names[0], parts[0]
    if part == _ANY:
        return _fits(names, parts[1:], whole=whole) or (not _is_hidden(name) and _fits(names[1:], parts, whole=whole))
    if _is_hidden(name) and part[0] != name[0]:
        return False
    return fnmatchcase(name, part) and _fits(names[1:], parts[1:], whole=whole)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)
