"""Whole folders to and from places: what a reader finds is of one writer."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from polyhead.errors import ConflictError, StorageError
from polyhead.storage.folders import new_folder
from polyhead.storage.objects import delete_object, list_objects, stat, write_object
from polyhead.storage.parallel import ordered_map
from polyhead.storage.places import is_remote
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.stores.table import store_of

Out = TypeVar("Out")

_WRITERS, _READERS = 8, 16
_CONTESTS = 20
"""How often a writer that has claimed a place persists against others; each of them can disturb it a few times."""

_CLAIM = b'{"being_written_by": "'


def upload_folder(directory: Path, place: str, *, last: str) -> str:
    """Put all files of a folder at a place, so that its reader finds them whole or not at all.

    The file `last` is what a reader looks for first, an artifact's contract. While the others are sent, a claim is
    in its place, and it is put there when they are complete; what else was there before is removed. Every file is
    written on the condition that nobody else wrote it meanwhile. Of several writers at the same time the last one to
    claim the place wins: what the others still write it writes over, and they stop with a `ConflictError` as soon as
    they meet its work. So no place ever has `last` of one and files of the other, though a file that `last` does not
    name can be left of a writer that lost. An S3 store takes files above 64 MiB without that condition. A local place
    is replaced by a rename.

    Args:
        directory: The folder. Folders without files are left out, and what lies in the folder itself under a name that
            begins with a dot.
        place: Where to put its files.
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
        raise ConflictError("contested", f"was changed by other processes {_CONTESTS} times in a row", where=self._root)

    def _claim(self) -> str:
        """Take the place from its current owner; the claim's version."""
        claim = _CLAIM + uuid.uuid4().hex.encode() + b'"}\n'
        for _ in range(_CONTESTS):
            with contextlib.suppress(ConflictError):
                return write_object(self._last, claim, **_unless_changed(stat(self._last)))
        raise ConflictError("contested", f"was claimed by other processes {_CONTESTS} times in a row", where=self._root)

    def _require_claim(self) -> None:
        found = stat(self._last)
        if found is None or found.version != self._claimed:
            raise ConflictError("changed-meanwhile", "was claimed by another process meanwhile", where=self._root)

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
        """Act on what is at a place, again as long as others change it and the claim holds."""
        found = there.get(name)
        for _ in range(_CONTESTS):
            try:
                return act(found)
            except ConflictError:
                found = stat(f"{self._root}/{name}")
                self._require_claim()  # after the look: what was seen is nothing of a writer that claimed later
        raise ConflictError(
            "contested", f"was changed by other processes {_CONTESTS} times in a row", where=f"{self._root}/{name}"
        )


def is_claim(content: bytes) -> bool:
    """Whether an object marks a folder that is being written, or whose writer died."""
    return content.startswith(_CLAIM)


def download_folder(place: str, directory: Path, files: Sequence[str] = ("*",)) -> list[ObjectStat]:
    """Copy objects under a prefix, or files of a folder, into a local folder that appears whole.

    Args:
        place: The prefix or folder.
        directory: The folder to make; an existing one is replaced.
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
            raise StorageError("invalid-object-name", "has a name that is not a valid file name", where=thing.place)
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            store_of(thing.place).fetch(thing, file)

    with new_folder(directory) as aside:
        for _ in ordered_map(partial(fetch, aside=aside), found, workers=_READERS):
            pass
    return found


def _unless_changed(found: ObjectStat | None) -> Mapping[str, Any]:
    """The condition that an object is still what it was."""
    return {"absent": True} if found is None else {"replacing": found.version}


def _copy_folder(directory: Path, out: Path, last: str) -> str:
    with new_folder(out) as aside:
        shutil.copytree(directory, aside, dirs_exist_ok=True, ignore=_helping(directory))
    written = stat(str(out / last))
    assert written is not None
    return written.version


def _helping(directory: Path) -> Callable[[str, list[str]], list[str]]:
    """For `copytree`: the names in a folder itself that begin with a dot."""
    return lambda folder, names: [name for name in names if name.startswith(".") and Path(folder) == directory]
