"""Pictures that a table holds itself, as bytes: taken out of it into one file, each different one once."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl
import xxhash

from polyhead.kinds.coercion import text_of
from polyhead.pictures.dicom import is_dicom, without_tags
from polyhead.pictures.embedded import embedded_place
from polyhead.tables.columns import named

_BYTES, _PATH = "bytes", "path"
"""The fields of a picture as Hugging Face's datasets have it."""


class PictureColumns:
    """Columns of pictures of one table, whose bytes become places like those of files.

    A cell of bytes is a path where it is UTF-8 text without a zero byte, which no picture file is, and a picture
    otherwise. A record `{bytes, path}` is the picture in `bytes`, and where there is none its `path`. Cells may be
    lists of these. Of a DICOM file only what its picture needs is written.

    Args:
        schema: The table's columns and types.
        columns: Those of image features.
        path: The file to write, which is not there where no cell holds a picture. None for a null in the place of
            each.

    Attributes:
        schema: Of what `placed` gives: the table's, with text, or lists of text, in these columns.
    """

    def __init__(self, schema: Mapping[str, pl.DataType], columns: Collection[str], path: Path | None) -> None:
        self._columns = [name for name in dict.fromkeys(columns) if _may_hold_pictures(schema[name])]
        self._path = path
        self._places: dict[bytes, str] = {}
        self._size = 0
        self.schema = {**schema, **{name: _placed_type(schema[name]) for name in self._columns}}

    def __bool__(self) -> bool:
        """Whether there is such a column."""
        return bool(self._columns)

    def placed(self, part: pl.DataFrame) -> pl.DataFrame:
        """Some rows of the table with text in the columns of pictures.

        A picture keeps its place, however often and in whichever part it comes.

        Args:
            part: The rows.
        """
        return part.with_columns(self._placed(part.select(named(name)).to_series()) for name in self._columns)

    def _placed(self, cells: pl.Series) -> pl.Series:
        if isinstance(cells.dtype, (pl.List, pl.Array)):
            lists = cells.cast(pl.List(cells.dtype.inner))
            flat = iter(self._placed(lists.explode(empty_as_null=False, keep_nulls=False)))
            sizes = lists.list.len()
            found = [None if size is None else list(itertools.islice(flat, size)) for size in sizes]
            return pl.Series(cells.name, found, dtype=pl.List(pl.String))
        if isinstance(cells.dtype, pl.Struct):
            pictures, texts = cells.struct.field(_BYTES), cells.struct.field(_PATH)
        else:
            texts = cells.to_frame("cell").select(text_of(pl.col("cell"), cells.dtype)).to_series()
            texts = texts.set(texts.str.contains("\0", literal=True).fill_null(False), None)
            pictures = cells.set(texts.is_not_null(), None)
        places = [
            text if picture is None else self._place(picture) for picture, text in zip(pictures, texts, strict=True)
        ]
        return pl.Series(cells.name, places, dtype=pl.String)

    def _place(self, picture: bytes) -> str | None:
        if self._path is None:
            return None
        name = xxhash.xxh3_128_digest(picture)
        if name not in self._places:
            kept = without_tags(picture) if is_dicom(picture) else picture
            with self._path.open("ab", buffering=0) as file:
                file.write(kept)
            self._places[name] = embedded_place(self._size, len(kept))
            self._size += len(kept)
        return self._places[name]


def _placed_type(dtype: pl.DataType) -> pl.DataType:
    return pl.List(pl.String()) if isinstance(dtype, (pl.List, pl.Array)) else pl.String()


def _may_hold_pictures(dtype: pl.DataType) -> bool:
    if isinstance(dtype, (pl.List, pl.Array)):
        assert isinstance(dtype.inner, pl.DataType)
        return _may_hold_pictures(dtype.inner)
    if isinstance(dtype, pl.Struct):
        fields = {field.name: field.dtype for field in dtype.fields}
        return fields.keys() == {_BYTES, _PATH} and fields[_BYTES] == pl.Binary
    return dtype == pl.Binary
