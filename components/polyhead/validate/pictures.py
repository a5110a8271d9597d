"""One look at every different picture of a table, and what it tells as columns of the clean table."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TypeVar

import numpy as np
import polars as pl
import xxhash

from polyhead.contracts.validation import PICTURE_FIELDS
from polyhead.storage.parallel import ordered_map
from polyhead.storage.pictures import PictureError, PictureFacts, PictureFolder, examine_picture

PICTURE_TYPE = pl.Struct({name: getattr(pl, dtype) for name, dtype in PICTURE_FIELDS.items()})
"""The type of a picture's facts in the clean table."""

Batch = TypeVar("Batch")

_RECORD = struct.Struct("<q i i B B B ? 16s Q")
_FIELDS = np.dtype(
    [
        ("size", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("format", "u1"),
        ("mode", "u1"),
        ("orientation", "u1"),
        ("decoded", "?"),
        ("content_hash", "V16"),
        ("perceptual_hash", "<u8"),
    ]
)


@dataclass(frozen=True)
class _Look:
    """What looking at one path gave."""

    path: str
    found: PictureFacts | PictureError


class Pictures:
    """Looks at pictures in threads and remembers what they told, about 250 bytes each, by the hash of their path.

    Args:
        folder: Where paths start.
        max_pixels: Largest height times width that is accepted.
        decode: Whether to decode whole pictures; otherwise their headers are read, and all bytes hashed.
        workers: Threads.

    Attributes:
        files: Different paths looked at.
        bytes: What was read, in total.
    """

    def __init__(self, folder: PictureFolder, *, max_pixels: int, decode: bool, workers: int) -> None:
        self.files = 0
        self.bytes = 0
        self._folder = folder
        self._max_pixels = max_pixels
        self._decode = decode
        self._workers = workers
        self._facts: dict[bytes, bytes] = {}
        self._faults: dict[bytes, PictureError] = {}
        self._words: list[str] = []
        self._asked: set[bytes] = set()

    def looked_at(self, batches: Iterable[tuple[Batch, Sequence[pl.Series]]]) -> Iterator[Batch | None]:
        """Look at the pictures of batches of rows, reading each path once in this object's life.

        Args:
            batches: A batch, and its columns of paths, null where missing. Read little ahead.

        Yields:
            None after every picture that was looked at, and each batch once all its pictures were.
        """
        for result in ordered_map(self._look, self._items(batches), workers=self._workers):
            if isinstance(result, _Look):
                self._remember(result)
                yield None
            else:
                yield result

    def _items(self, batches: Iterable[tuple[Batch, Sequence[pl.Series]]]) -> Iterator[str | tuple[Batch]]:
        for batch, columns in batches:
            for column in columns:
                for path in column.drop_nulls().unique(maintain_order=True):
                    name = _name(path)
                    if name not in self._facts and name not in self._faults and name not in self._asked:
                        self._asked.add(name)
                        yield path
            yield (batch,)

    def _look(self, item: str | tuple[Batch]) -> _Look | Batch:
        if isinstance(item, tuple):
            return item[0]
        try:
            content = self._folder.read(item)
            return _Look(item, examine_picture(content, max_pixels=self._max_pixels, decode=self._decode))
        except PictureError as error:
            return _Look(item, error)

    def _remember(self, look: _Look) -> None:
        name, found = _name(look.path), look.found
        self._asked.discard(name)
        self.files += 1
        if isinstance(found, PictureError):
            self._faults[name] = found
            return
        self.bytes += found.size
        size, width, height, kind, mode, orientation, content, perceptual = astuple(found)
        self._facts[name] = _RECORD.pack(
            size,
            width,
            height,
            self._code(kind),
            self._code(mode),
            orientation,
            perceptual is not None,
            bytes.fromhex(content),
            perceptual or 0,
        )

    def _code(self, word: str) -> int:
        if word not in self._words:
            self._words.append(word)
        return self._words.index(word)

    def faults(self, paths: pl.Series) -> Iterator[tuple[int, PictureError]]:
        """The places of pictures that cannot be used, and why.

        Args:
            paths: Paths that were looked at, null where missing.
        """
        if self._faults:
            for place, path in enumerate(paths):
                error = None if path is None else self._faults.get(_name(path))
                if error is not None:
                    yield place, error

    def facts(self, paths: pl.Series) -> pl.Series:
        """What was found out about pictures, of type `PICTURE_TYPE`; null where the path is.

        Args:
            paths: Paths that were looked at and are no faults.
        """
        known = paths.drop_nulls()
        records = np.frombuffer(b"".join(self._facts[_name(path)] for path in known), dtype=_FIELDS)
        words = pl.Series(self._words, dtype=pl.String)
        hashes = pl.Series([record.tobytes() for record in records["content_hash"]], dtype=pl.Binary)
        decoded = pl.Series(np.ascontiguousarray(records["decoded"]))
        columns = {name: pl.Series(np.ascontiguousarray(records[name])) for name in ("size", "width", "height")}
        columns |= {name: words.gather(records[name].astype(np.uint32)) for name in ("format", "mode")}
        columns["orientation"] = pl.Series(np.ascontiguousarray(records["orientation"]))
        columns["content_hash"] = hashes.bin.encode("hex")
        columns["perceptual_hash"] = pl.Series(np.ascontiguousarray(records["perceptual_hash"])).set(~decoded, None)
        structs = pl.DataFrame(columns).to_struct().cast(PICTURE_TYPE)
        places = pl.Series(np.cumsum(paths.is_not_null().to_numpy()) - 1, dtype=pl.Int64)
        return structs.gather(places.set(paths.is_null(), None)) if len(known) else _nothing(len(paths))


def _nothing(rows: int) -> pl.Series:
    return pl.Series([None] * rows, dtype=PICTURE_TYPE)


def _name(path: str) -> bytes:
    return xxhash.xxh3_128_digest(path.encode())
