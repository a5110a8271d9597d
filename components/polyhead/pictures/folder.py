"""Picture files found below one root, and nowhere else: on a disk, or in a bucket and then read ahead."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from polyhead.contracts.artifact import Contract
from polyhead.contracts.validation import EMBEDDED_PICTURES
from polyhead.errors import DeniedError, StorageError, machine_fault
from polyhead.pictures.embedded import EmbeddedPictures
from polyhead.pictures.failures import PictureError
from polyhead.storage.ahead import ReadAhead
from polyhead.storage.artifact import checked_file
from polyhead.storage.objects import list_objects, read_bytes
from polyhead.storage.parallel import ordered_map
from polyhead.storage.places import is_remote, join

In = TypeVar("In")
Out = TypeVar("Out")

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:/?/|data:)", re.IGNORECASE)
_WINDOWS = re.compile(r"[A-Za-z]:|\\\\")
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".dcm")


def _web_address(path: str) -> PictureError:
    if path[:5].lower() == "data:":
        return PictureError("image_web_address", "is a picture encoded as text; save it as a file and write its path")
    if path[:5].lower() == "file:":
        return PictureError("image_web_address", "is a file: address; write the path alone, relative to image_root")
    return PictureError("image_web_address", "is a web address; download the picture and write the file's path")


def _why_missing(path: str) -> str:
    """What the path alone tells; empty where it looks like any other."""
    if _WINDOWS.match(path):
        return "is a path of a Windows machine; write paths relative to image_root, with / between folders"
    if "\\" in path:
        return f"has backslashes; write / between folders: {path.replace(chr(92), '/')}"
    if path != path.strip():
        return "no such file: the path begins or ends with a space"
    return ""


class PictureFolder:
    """Where the image paths of a table start.

    Args:
        root: A local folder or a remote prefix.
        embedded: The pictures that the table holds itself. Default: none.
    """

    def __init__(self, root: str, embedded: EmbeddedPictures | None = None) -> None:
        self._root = root
        self._embedded = embedded
        self._real = "" if is_remote(root) else os.path.realpath(root)
        self._inside: set[str] = set()
        self._ahead: ReadAhead | None = None

    @classmethod
    def of(cls, root: str, contract: Contract, directory: str | Path) -> Self:
        """Where the pictures are that an artifact's rows name.

        Args:
            root: A local folder or a remote prefix.
            contract: The artifact's contract.
            directory: Where it lies.

        Raises:
            ArtifactError: Its file of embedded pictures was changed or lost.
        """
        if EMBEDDED_PICTURES not in contract.files:
            return cls(root)
        return cls(root, EmbeddedPictures(checked_file(directory, contract, EMBEDDED_PICTURES)))

    def map(
        self,
        function: Callable[[In], Out],
        items: Iterable[In],
        paths: Callable[[In], Iterable[str]],
        *,
        workers: int,
    ) -> Iterator[Out]:
        """`ordered_map`, while the remote pictures of the items that come next are being read.

        Args:
            function: Called with one item; it may `read` the paths of that item.
            items: Read only as fast as results are taken, and as little ahead as that needs.
            paths: The paths that an item's call is going to read.
            workers: Threads that call `function`.

        Raises:
            Exception: Whatever `function` raised, at the item's turn.
        """
        if self._real or self._ahead is not None:
            yield from ordered_map(function, items, workers=workers)
            return

        def remote(item: In) -> Iterator[str]:
            return (path for path in paths(item) if self._held(path) is None)

        with ReadAhead(self._read_remote) as ahead:
            self._ahead = ahead
            try:
                yield from ahead.map(function, items, remote, workers=workers)
            finally:
                self._ahead = None

    def read(self, path: str) -> bytes:
        """The bytes of one picture file.

        Args:
            path: As the table has it, relative to the root; it may not lead out of it, by links either.

        Raises:
            PictureError: It is missing, outside the root, no regular file, or has a name that no file can have.
            MachineError: The machine cannot read it.
            StorageError: The store does not answer, or does not give it.
        """
        if self._embedded is not None and self._held(path) is not None:
            return self._embedded.read(path)
        if self._ahead is not None:
            return self._ahead.read(path)
        if not self._real or is_remote(path):
            return self._read_remote(path)
        try:
            return self._read_local(path)
        except PictureError as error:
            other = self._in_another_form(path) if error.reason == "image_missing" else None
            if other is None:
                raise
            return self._read_local(other)

    def _held(self, path: str) -> int | None:
        """The bytes of a picture that the table holds itself; None of others."""
        return None if self._embedded is None else self._embedded.length(path)

    def _in_another_form(self, path: str) -> str | None:
        """The same path in the Unicode normal forms that its folders and its file have, each its own."""
        if path.isascii():
            return None
        there = [""]
        for part in path.split("/"):
            forms = dict.fromkeys([part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))])
            places = [f"{place}{form}" for place in there for form in forms]
            there = [f"{place}/" for place in places if os.path.lexists(join(self._real, place or "/"))]
        return there[0].rstrip("/") if there else None

    def sizes(self, paths: Sequence[str]) -> Iterator[int]:
        """The bytes of picture files, for planning; 0 where that is not known.

        Args:
            paths: As the table has them.

        Raises:
            MachineError: The machine cannot look.
            StorageError: The store does not answer.
        """
        if not self._real:
            listed = self._listed_sizes([join(self._root, path) for path in paths])
            yield from (held or size for held, size in zip(map(self._held, paths), listed, strict=True))
            return
        for path in paths:
            try:
                held = self._held(path)
                if held is not None:
                    yield held
                    continue
                yield 0 if is_remote(path) else os.stat(join(self._real, path)).st_size
            except (OSError, ValueError) as error:
                fault = machine_fault(error, path)
                if fault is not None:
                    raise fault from None
                yield 0

    def _listed_sizes(self, places: Sequence[str]) -> Iterator[int]:
        sizes = dict.fromkeys(places, 0)
        with contextlib.suppress(DeniedError):  # objects may be read that may not be listed
            for found in list_objects(self._root):
                if found.place in sizes:
                    sizes[found.place] = found.size
        yield from map(sizes.__getitem__, places)

    def _read_remote(self, path: str, admit: Callable[[int], None] | None = None) -> bytes:
        place = join(self._root, path)
        inside = not is_remote(path) or path.startswith(self._root.rstrip("/") + "/")
        if _ADDRESS.match(path) and not is_remote(path):
            raise _web_address(path)
        if not inside or not is_remote(place) or ".." in place.split("/"):
            raise PictureError("image_outside_root", f"leads out of {self._root}; write paths relative to image_root")
        try:
            return read_bytes(place, admit)
        except DeniedError as error:
            hint = f"{error.problems[0].hint}; some stores say this of a missing object if listing is not allowed"
            raise DeniedError([replace(error.problems[0], where=place, hint=hint)]) from None
        except FileNotFoundError as error:
            if error.filename is not None:  # a local file that the client needs, such as a certificate
                raise StorageError(
                    "client-file-missing", f"needs {error.filename}, which is missing", where=place
                ) from None
            raise PictureError("image_missing", _why_missing(path) or "no such object below image_root") from None
        except OSError as error:
            raise (
                machine_fault(error, place) or PictureError("image_unreadable", error.strerror or str(error))
            ) from None

    def _read_local(self, path: str) -> bytes:
        place = join(self._real, path)
        try:
            folder = os.path.dirname(place)
            if folder not in self._inside or stat.S_ISLNK(os.lstat(place).st_mode):
                place = self._resolved(place)
                self._inside.add(os.path.dirname(place))
            file = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block
            try:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode):
                    what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
                    raise PictureError("image_not_a_file", f"is {what}; name a file")
                return _whole(file, status.st_size)
            finally:
                os.close(file)
        except (OSError, ValueError) as error:
            raise (machine_fault(error, path) or self._refusal(path, error)) from None

    def _refusal(self, path: str, error: OSError | ValueError) -> PictureError:
        """What is wrong with a path that no file can be read from."""
        if _ADDRESS.match(path):
            return _web_address(path)
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return PictureError("image_missing", _why_missing(path) or self._what_is_there(path))
        words = {errno.ELOOP: "is a link that leads to itself", errno.ENXIO: "is a socket or a device; name a file"}
        code = error.errno if isinstance(error, OSError) else None
        return PictureError("image_unreadable", words.get(code or 0, "is not a valid file name"))

    def _what_is_there(self, path: str) -> str:
        """What there is instead of a missing file."""
        stem = os.path.splitext(path)[0]
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(join(self._real, folder)):
            return f"no such file: there is no folder {folder} below image_root"
        names = (stem + ending for lower in _ENDINGS for ending in (lower, lower.upper()))
        there = next((name for name in names if os.path.isfile(join(self._real, name))), "")
        return f"no such file, but there is {there}" if there else "no such file below image_root"

    def _resolved(self, place: str) -> str:
        real = os.path.realpath(place)
        if os.path.commonpath([real, self._real]) != self._real:
            raise PictureError(
                "image_outside_root", f"leads to {real}, outside {self._root}; write paths relative to image_root"
            )
        return real


def _whole(file: int, size: int) -> bytes:
    """All bytes of an open file, of about the given size."""
    content = os.read(file, size + 1)
    if len(content) == size:
        return content
    parts = [content]
    while parts[-1]:
        parts.append(os.read(file, 2**20))
    return b"".join(parts)
