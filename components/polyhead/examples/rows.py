"""Rows of the clean table as examples: all at once, and row by row where there are pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.validation import KEY, MASKED, ROW, picture_column
from polyhead.examples.encoding import Pieces, encode_entries, with_pictures
from polyhead.examples.stored import PictureEncoder, PictureName, picture_name
from polyhead.examples.timing import Stopwatch
from polyhead.kinds.entries import KEY_ENTRY
from polyhead.kinds.examples import entries_of
from polyhead.kinds.features.image.config import PictureFeature, pictured
from polyhead.kinds.union import Target
from polyhead.pictures.facts import content_hash
from polyhead.pictures.failures import PictureError, work_on
from polyhead.pictures.folder import PictureFolder
from polyhead.tables.rejected import Cell

ENTRIES = "__entries__"
"""The column of a row's entries, without pictures."""

In = TypeVar("In")
Out = TypeVar("Out")


class RowError(Exception):
    """A row's picture that cannot be used.

    Attributes:
        name: The feature.
        path: The picture's path, as the table has it.
        cause: Why.
    """

    def __init__(self, name: str, path: str, cause: PictureError) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.path = path
        self.cause = cause

    def cell(self, row: Mapping[str, Any], config: Config, *, masked: bool = False) -> Cell:
        """The picture as a line of the rejected cells.

        Args:
            row: Its row, by `__row__` and `__key__`.
            config: Knows the feature's column.
            masked: Whether the row is kept.
        """
        reason = f"{MASKED if masked else ''}{self.cause.reason}"
        return row[ROW], row[KEY], config.column_of(self.name), reason, self.path, self.cause.detail


@dataclass(frozen=True)
class EncodedRow:
    """A row as an example.

    Attributes:
        example: The serialised message, in pieces.
        pictures: What it holds of each picture whose file was validated, by the picture's name.
        decoded: Picture files that were read and decoded.
        kept: Pictures that were copied from earlier shards.
        bytes_read: Of picture files.
        masked: Pictures that cannot be used and count as missing.
    """

    example: list[bytes]
    pictures: dict[PictureName, bytes]
    decoded: int
    kept: int
    bytes_read: int
    masked: Sequence[RowError] = ()


class RowEncoder:
    """Rows of the clean table to serialised examples. Threads may share one.

    Args:
        preprocessing: The features and targets, and how their pictures are decoded.
        folder: Where image paths start.
        max_pixels: Largest picture that is decoded.
        targets: Whether examples have targets too.
        kept: Gives what earlier shards hold of a picture, which is copied; None where they do not have it. Default: no
            picture is looked for.
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        folder: PictureFolder,
        *,
        max_pixels: int,
        targets: bool,
        kept: Callable[[PictureName], bytes | None] | None = None,
    ) -> None:
        self._preprocessing = preprocessing
        self._targets: Mapping[str, Target] = preprocessing.targets if targets else {}
        self._folder = folder
        self._kept = kept
        self._features: dict[str, PictureFeature] = {}
        self._encoders: dict[str, PictureEncoder] = {}
        for name, (feature, of) in pictured(preprocessing.features, preprocessing.feature_statistics).items():
            self._features[name] = feature
            self._encoders[name] = PictureEncoder(feature, of.decode, max_pixels=max_pixels)
        self._own_columns = {ROW, KEY, *self._encoders, *map(picture_column, self._encoders)}

    @property
    def pictures(self) -> list[str]:
        """The image features."""
        return list(self._encoders)

    def entries(self, rows: pl.DataFrame) -> Pieces:
        """What examples hold, without pictures; without image features that is all.

        Args:
            rows: `__key__` and canonical values by feature and target name. Where a feature has no column, its values
                are missing.
        """
        held = entries_of(rows, self._preprocessing.features, self._targets)
        return encode_entries({KEY_ENTRY: [rows[KEY]], **held}, rows.height)

    def rows(self, rows: pl.DataFrame, *, entries: bool = True) -> Iterator[dict[str, Any]]:
        """Rows as `__call__` wants them, or without their entries, which is enough for `map`."""
        own = rows.select(name for name in rows.columns if name in self._own_columns)
        if entries:
            own = own.with_columns(pl.Series(ENTRIES, self.entries(rows).joined().split(), dtype=pl.Binary))
        return own.iter_rows(named=True)

    def __call__(self, row: Mapping[str, Any], clock: Stopwatch) -> EncodedRow | RowError:
        """One row that may have pictures.

        Args:
            row: Its entries, in `ENTRIES`, and the paths of its pictures by feature name, None where missing; also
                what validation saw of a file, in `picture_column(name)`, if it is known.
            clock: Measures the stages.

        Returns:
            The example, or why there is none.

        Raises:
            MachineError: The machine, and not the picture, is to blame.
            StorageError: A store does not answer, or does not give a picture.
        """
        pictures: dict[str, bytes] = {}
        names: dict[PictureName, bytes] = {}
        masked: list[RowError] = []
        decoded = kept = bytes_read = 0
        for name, path, facts, entry in self._cells(row):
            encoder = self._encoders[name]
            named, stored = self._held(encoder, facts)
            if stored is None:
                clock.start()
                try:
                    with work_on(path):
                        content = self._folder.read(path)
                        if facts is not None and content_hash(content) != facts["content_hash"]:
                            raise PictureError("image_changed", "is no longer the file that was validated")
                        clock.lap("read")
                        stored = encoder(content, clock)
                except PictureError as error:
                    fault = RowError(name, path, error)
                    if not self._features[name].masks(error.reason):
                        return fault
                    masked.append(fault)
                    continue
                decoded, bytes_read = decoded + 1, bytes_read + len(content)
            else:
                kept += 1
            if named is not None:
                names[named] = stored
            pictures[entry] = stored
        return EncodedRow(with_pictures(row[ENTRIES], pictures), names, decoded, kept, bytes_read, masked)

    def map(
        self,
        function: Callable[[In], Out],
        items: Iterable[In],
        rows: Callable[[In], Iterable[Mapping[str, Any]]],
        *,
        workers: int,
    ) -> Iterator[Out]:
        """`ordered_map`, while the remote pictures of the rows that come next are being read.

        Args:
            function: Called with one item; it may encode the rows of that item.
            items: Read only as fast as results are taken, and as little ahead as that needs.
            rows: The rows of an item.
            workers: Threads that call `function`.

        Raises:
            Exception: Whatever `function` raised, at the item's turn.
        """

        def paths(item: In) -> Iterator[str]:
            return (path for row in rows(item) for path in self._to_read(row))

        return self._folder.map(function, items, paths, workers=workers)

    def _to_read(self, row: Mapping[str, Any]) -> Iterator[str]:
        """The pictures of a row that no earlier shard holds."""
        for name, path, facts, _ in self._cells(row):
            if self._held(self._encoders[name], facts)[1] is None:
                yield path

    def _cells(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any] | None, str]]:
        """Every picture of a row: its feature, its path, what validation saw of it, and the entry that holds it."""
        for name, feature in self._features.items():
            cell, facts = row.get(name), row.get(picture_column(name))
            if cell is None:
                continue
            paths, seen = (cell, facts) if feature.SEVERAL else ([cell], [facts])
            entries = feature.picture_entries(name)[: len(paths)]
            for path, of_path, entry in zip(paths, seen or [None] * len(paths), entries, strict=True):
                yield name, path, of_path, entry

    def _held(
        self, encoder: PictureEncoder, facts: Mapping[str, Any] | None
    ) -> tuple[PictureName | None, bytes | None]:
        """The name of a picture whose file was validated, and what earlier shards hold of it."""
        if facts is None:
            return None, None
        named = picture_name(encoder.recipe, facts["content_hash"])
        return named, None if self._kept is None else self._kept(named)
