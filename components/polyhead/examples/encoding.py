"""`tf.train.Example` messages laid out by hand for many rows at once, without protobuf objects or TensorFlow.

Columns become the bytes of all rows together, so that no loop runs over rows. The wire format is in
`tensorflow/core/example/{example,feature}.proto`. A message's entries may come in any order; here it is that of the
columns, with pictures behind them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.examples.framing import FOOTER, HEADER, header, masked

Bytes = NDArray[np.uint8]
Lengths = NDArray[np.int64]
"""Of every row, or one number without an axis where all rows have the same."""

_FIRST, _SECOND, _THIRD = b"\x0a", b"\x12", b"\x1a"
"""Tags of length-delimited fields 1, 2 and 3."""

_SEVEN_BITS, _MORE = 0x7F, 0x80

_WORDS = (pl.String, pl.Binary)


@dataclass(frozen=True)
class Runs:
    """A run of bytes for each row.

    Attributes:
        data: All runs, end to end.
        lengths: Of each, int64 (rows,).
    """

    data: Bytes
    lengths: Lengths

    def split(self) -> list[bytes]:
        """Each row's bytes."""
        content, ends = self.data.tobytes(), np.cumsum(self.lengths).tolist()
        return [content[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []


Piece = bytes | Bytes | Runs
"""The same bytes in every row; as many bytes in every row, uint8 (rows, bytes); or runs of any length."""


@dataclass(frozen=True)
class Pieces:
    """What follows one another in every row, before it is put together.

    Attributes:
        rows: How many there are.
        pieces: In order.
    """

    rows: int
    pieces: tuple[Piece, ...]

    @property
    def lengths(self) -> Lengths:
        """Bytes of each row."""
        return np.asarray(sum((_lengths(piece) for piece in self.pieces), np.int64(0)))

    def delimited(self, tag: bytes) -> Pieces:
        """The same as a field: its tag, its length, its content."""
        return Pieces(self.rows, (tag, _varint(self.lengths), *self.pieces))

    def joined(self) -> Runs:
        """Put together."""
        lengths = np.broadcast_to(self.lengths, self.rows)
        merged = _merged(self.pieces, self.rows)
        tables = [piece.ravel() for piece in merged if isinstance(piece, np.ndarray)]
        if len(tables) == len(merged):
            return Runs(np.concatenate([np.empty(0, np.uint8), *tables]), lengths)
        import pyarrow as pa
        import pyarrow.compute as pc

        between = pa.scalar(b"", pa.large_binary())
        _, _, data = pc.binary_join_element_wise(*(_as_arrow(piece) for piece in merged), between).buffers()
        return Runs(np.frombuffer(data, np.uint8, int(lengths.sum())), lengths)


def _as_arrow(piece: Bytes | Runs) -> Any:
    """A table's rows, or runs, as an Arrow array of binary values."""
    import pyarrow as pa

    if isinstance(piece, Runs):
        rows, ends, data = len(piece.lengths), np.cumsum(piece.lengths), piece.data
    else:
        rows, ends, data = len(piece), np.arange(1, len(piece) + 1) * piece.shape[1], np.ascontiguousarray(piece)
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _lengths(piece: Piece) -> Lengths:
    if isinstance(piece, Runs):
        return piece.lengths
    return np.asarray(len(piece) if isinstance(piece, bytes) else piece.shape[1], np.int64)


def _merged(pieces: Sequence[Piece], rows: int) -> list[Bytes | Runs]:
    """Neighbours of fixed length as one, and runs that are all as long as fixed ones."""
    merged: list[list[Bytes] | Runs] = []
    for piece in pieces:
        fixed: Piece = piece
        if isinstance(piece, bytes):
            fixed = np.broadcast_to(np.frombuffer(piece, np.uint8), (rows, len(piece)))
        elif isinstance(piece, Runs) and rows and (piece.lengths == piece.lengths[0]).all():
            fixed = piece.data.reshape(rows, -1)
        if isinstance(fixed, Runs):
            merged.append(fixed)
        elif merged and isinstance(merged[-1], list):
            merged[-1].append(fixed)  # type: ignore[arg-type]
        else:
            merged.append([fixed])  # type: ignore[list-item]
    return [np.concatenate(piece, 1) if isinstance(piece, list) else piece for piece in merged]


def _varint(values: Lengths) -> Piece:
    """Protobuf's variable-length form of numbers below 2^35."""
    if values.ndim == 0:
        return _digits(values[None]).data.tobytes()
    if not values.size or int(values.max()) <= _SEVEN_BITS:
        return values.astype(np.uint8)[:, None]
    return _digits(values)


def _digits(values: Lengths) -> Runs:
    shifted = values[:, None] >> np.arange(0, 35, 7)
    count = np.maximum((shifted > 0).sum(1), 1)
    places = np.arange(5)
    digits = (shifted & _SEVEN_BITS | np.where(places < count[:, None] - 1, _MORE, 0)).astype(np.uint8)
    return Runs(digits[places < count[:, None]], count)


def encode_entries(columns: Mapping[str, Sequence[pl.Series]], rows: int) -> Pieces:
    """The entries of every row's example.

    Args:
        columns: By the entry's name: float64 columns, whose little-endian bytes become one value, null as NaN; string
            or binary columns, each a value of a bytes list, null as empty; one column of lists of strings, the values
            of a bytes list, null as none; or one boolean column, an int64 list of 0 or 1.
        rows: How long the columns are.
    """
    pieces: list[Piece] = []
    for name, members in columns.items():
        kind, values = _values(members, rows)
        value = values.delimited(kind).delimited(_SECOND)
        named = Pieces(rows, (name.encode(),)).delimited(_FIRST)
        pieces += Pieces(rows, (*named.pieces, *value.pieces)).delimited(_FIRST).pieces
    return Pieces(rows, tuple(pieces))


def _values(members: Sequence[pl.Series], rows: int) -> tuple[bytes, Pieces]:
    """The list's tag and its content."""
    first = members[0]
    if first.dtype == pl.Boolean:
        return _THIRD, Pieces(rows, (first.to_numpy().astype(np.uint8)[:, None],)).delimited(_FIRST)
    if first.dtype == pl.Float64:
        numbers = np.stack([member.to_numpy() for member in members], 1).astype("<f8", copy=False)
        return _FIRST, Pieces(rows, (numbers.view(np.uint8),)).delimited(_FIRST)
    if first.dtype in _WORDS and len(members) == 1:
        return _FIRST, Pieces(rows, (_strings(first),)).delimited(_FIRST)
    if first.dtype in _WORDS:
        counts = np.full(rows, len(members))
        lists = pl.DataFrame([member.alias(str(at)) for at, member in enumerate(members)]).select(
            pl.concat_list(pl.all().fill_null(pl.lit("", first.dtype)))
        )
        words = lists.to_series().explode()
    else:
        counts = first.list.len().fill_null(0).to_numpy().astype(np.int64)
        words = first.explode(empty_as_null=False, keep_nulls=False)
    each = Pieces(len(words), (_strings(words),)).delimited(_FIRST).joined()
    ends = np.cumsum(np.concatenate([[0], each.lengths]))[np.cumsum(np.concatenate([[0], counts]))]
    return _FIRST, Pieces(rows, (Runs(each.data, np.diff(ends)),))


def _strings(words: pl.Series) -> Runs:
    """The bytes of words, in UTF-8; null is empty."""
    array = (words.fill_null(pl.lit("", words.dtype)) if words.null_count() else words).rechunk().to_arrow()
    _, offsets, content = array.buffers()
    edges = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(content, np.uint8) if content is not None else np.empty(0, np.uint8)
    return Runs(data[edges[0] : edges[-1]], np.diff(edges))


def with_pictures(entries: bytes, pictures: Mapping[str, bytes]) -> list[bytes]:
    """One row's message, in pieces, so that pictures need not be copied to be joined.

    Args:
        entries: Of everything else.
        pictures: By the entry's name.
    """
    parts = [entries]
    for name, picture in pictures.items():
        parts += (_head(name, len(picture)), picture)
    return [_FIRST + _number(sum(map(len, parts))), *parts]


@functools.lru_cache(maxsize=2**14)
def _head(name: str, length: int) -> bytes:
    """What precedes a single value of so many bytes: the map's entry, its key, the feature and its list."""
    key = name.encode()
    named = _FIRST + _number(len(key)) + key
    value = _FIRST + _number(length)
    values = _FIRST + _number(len(value) + length) + value
    feature = _SECOND + _number(len(values) + length) + values
    return _FIRST + _number(len(named) + len(feature) + length) + named + feature


def _number(value: int) -> bytes:
    return _digits(np.array([value])).data.tobytes()


def examples_of(entries: Pieces) -> Pieces:
    """Whole messages of their entries."""
    return entries.delimited(_FIRST)


def frames_of(examples: Pieces) -> Runs:
    """Messages as TFRecord files hold them: 16 bytes more each."""
    lengths = np.broadcast_to(examples.lengths, examples.rows)
    different, which = np.unique(lengths, return_inverse=True)
    heads = b"".join(header(int(length)) for length in different)
    head = np.frombuffer(heads, np.uint8).reshape(-1, HEADER)[which]
    joined = examples.joined()
    content, ends = joined.data.tobytes(), np.cumsum(lengths)
    edges = zip((ends - lengths).tolist(), ends.tolist(), strict=True)
    sums = np.fromiter((google_crc32c.value(content[start:end]) for start, end in edges), "<u4", examples.rows)
    footer = masked(sums).view(np.uint8).reshape(-1, FOOTER)
    return Pieces(examples.rows, (head, joined, footer)).joined()
