"""One look at every different picture of a table, and what it tells as columns of the clean table."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import TypeVar

import numpy as np
import polars as pl
import xxhash

from polyhead.contracts.validation import PICTURE_FIELDS
from polyhead.pictures.facts import PictureFacts, examine_picture
from polyhead.pictures.failures import PictureError, work_on
from polyhead.pictures.folder import PictureFolder

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
class Look:
    """What looking at one path gave."""

    path: str
    found: PictureFacts | PictureError


class Pictures:
    """Looks at pictures in threads and remembers what they are, about 250 bytes each, by the hash of their path.

    Args:
        folder: Where paths start.
        max_pixels: Largest height times width that is accepted.
        decode: Whether to decode whole pictures; otherwise their headers are read, and all bytes hashed.
        workers: Threads.
        looks: What other workers found out, in the order in which the paths will be asked for. A path that is not the
            next one there is looked at.

    Attributes:
        files: Different paths looked at.
        bytes: What was read, in total.
    """

    def __init__(
        self,
        folder: PictureFolder,
        *,
        max_pixels: int,
        decode: bool,
        workers: int,
        looks: Iterator[Look] | None = None,
    ) -> None:
        self.files = 0
        self.bytes = 0
        self._folder = folder
        self._max_pixels = max_pixels
        self._decode = decode
        self._workers = workers
        self._looks = looks or iter(())
        self._next = next(self._looks, None)
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
        for result in self._folder.map(self._handle, self._items(batches), _wanted, workers=self._workers):
            if isinstance(result, Look):
                self._remember(result)
                yield None
            else:
                yield result

    def looks(self, paths: Iterable[str]) -> Iterator[Look]:
        """Look at different paths, in their order."""
        yield from self._folder.map(self._look, paths, _wanted, workers=self._workers)

    def _items(self, batches: Iterable[tuple[Batch, Sequence[pl.Series]]]) -> Iterator[str | Look | tuple[Batch]]:
        for batch, columns in batches:
            for name, path in new_paths(columns, self._is_known):
                self._asked.add(name)
                if self._next is not None and self._next.path == path:
                    yield self._next
                    self._next = next(self._looks, None)
                else:
                    yield path
            yield (batch,)

    def _is_known(self, name: bytes) -> bool:
        return name in self._facts or name in self._faults or name in self._asked

    def _handle(self, item: str | Look | tuple[Batch]) -> Look | Batch:
        if isinstance(item, str):
            return self._look(item)
        return item if isinstance(item, Look) else item[0]

    def _look(self, path: str) -> Look:
        try:
            with work_on(path):
                content = self._folder.read(path)
                return Look(path, examine_picture(content, max_pixels=self._max_pixels, decode=self._decode))
        except PictureError as error:
            return Look(path, error)

    def _remember(self, look: Look) -> None:
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
            paths: Paths that were looked at and are not faults.
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


def new_paths(columns: Sequence[pl.Series], known: Callable[[bytes], bool]) -> Iterator[tuple[bytes, str]]:
    """The paths of one batch of rows that were in none before, in the order in which they are looked at.

    Args:
        columns: Columns of paths, null where missing.
        known: Whether a path was there before, by its hash. It is asked again for every path.

    Yields:
        The hash of a path, 128 bits, and the path.
    """
    for column in columns:
        for path in column.drop_nulls().unique(maintain_order=True):
            name = _name(path)
            if not known(name):
                yield name, path


def looks_table(looks: Sequence[Look]) -> pl.DataFrame:
    """What looking at paths gave, as `pictures.parquet` holds it."""
    found = [look.found for look in looks]
    errors = [one if isinstance(one, PictureError) else None for one in found]
    return pl.DataFrame(
        {
            "path": pl.Series([look.path for look in looks], dtype=pl.String),
            "picture": pl.Series(
                [asdict(one) if isinstance(one, PictureFacts) else None for one in found], dtype=PICTURE_TYPE
            ),
            "reason": pl.Series([error and error.reason for error in errors], dtype=pl.String),
            "detail": pl.Series([error and error.detail for error in errors], dtype=pl.String),
        }
    )


def looks_of(table: pl.DataFrame) -> Iterator[Look]:
    """What `looks_table` was made of."""
    for path, picture, reason, detail in table.iter_rows():
        yield Look(path, PictureError(reason, detail) if picture is None else PictureFacts(**picture))


def _wanted(item: object) -> Sequence[str]:
    """The pictures to read for an item of work."""
    return [item] if isinstance(item, str) else []


def _nothing(rows: int) -> pl.Series:
    return pl.Series([None] * rows, dtype=PICTURE_TYPE)


def _name(path: str) -> bytes:
    return xxhash.xxh3_128_digest(path.encode())
