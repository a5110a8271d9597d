"""Pictures that a table holds itself, as places in one file: `bytes:<first byte>+<length>`."""

from __future__ import annotations

import re
from pathlib import Path

from polyhead.pictures.failures import PictureError

_PLACE = re.compile(r"bytes:(\d{1,18})\+(\d{1,18})")


def embedded_place(start: int, length: int) -> str:
    """What the clean table has in the place of a picture's path.

    Args:
        start: Its first byte in the file.
        length: Its bytes.
    """
    return f"bytes:{start}+{length}"


class EmbeddedPictures:
    """The pictures of one file. Threads may share one.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def length(self, place: str) -> int | None:
        """The bytes of a picture; None where a place is not one in the file."""
        found = _PLACE.fullmatch(place)
        return int(found[2]) if found else None

    def read(self, place: str) -> bytes:
        """The bytes of a picture.

        Raises:
            PictureError: The file has none there.
            OSError: The file cannot be read.
        """
        found = _PLACE.fullmatch(place)
        start, length = (int(found[1]), int(found[2])) if found else (0, -1)
        try:
            with self._path.open("rb", buffering=0) as file:
                file.seek(start)
                content = file.read(length)
        except FileNotFoundError:
            content = b""
        if len(content) != length:
            raise PictureError("image_missing", "the table holds no such picture")
        return content
