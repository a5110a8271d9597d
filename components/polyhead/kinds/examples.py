"""What an example holds of the columns of each kind: one entry for all of them, where they are small.

`polyhead.contracts.shards` says how the entries look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from polyhead.contracts.validation import weight_column
from polyhead.kinds.base import weights_of
from polyhead.kinds.coercion import NUMBERS, VECTOR
from polyhead.kinds.entries import WEIGHT_ENTRY, entry_name
from polyhead.kinds.union import Feature, Target

Entries = dict[str, list[pl.Series]]
"""Columns by the entry that holds them, as `polyhead.examples.encoding.encode_entries` takes them."""


def _together(group: str, kind: str, columns: Sequence[pl.Series]) -> Entries:
    """One entry: numbers one behind the other, or a word or text each."""
    return {entry_name(group, kind): list(columns)}


def _vectors(group: str, kind: str, columns: Sequence[pl.Series]) -> Entries:
    """One entry: the bytes of each column's numbers."""
    return {entry_name(group, kind): [_bytes_of(column) for column in columns]}


def _bytes_of(vectors: pl.Series) -> pl.Series:
    """Lists of numbers as their little-endian bytes, a null in a list as NaN; null stays null."""
    import pyarrow as pa

    flat = vectors.explode(empty_as_null=False, keep_nulls=False).to_numpy()
    numbers = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
    lengths = vectors.list.len().fill_null(0).to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]) * numbers.itemsize
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(numbers))]
    held = pl.Series(vectors.name, pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(vectors), buffers))
    return held.to_frame().select(pl.when(vectors.is_not_null()).then(pl.first())).to_series()


def _sets(group: str, kind: str, columns: Sequence[pl.Series]) -> Entries:
    """For each column its words, and whether the set is known."""
    entries: Entries = {}
    for column in columns:
        name = entry_name(group, kind, column.name)
        entries[name] = [column]
        entries[f"{name}/known"] = [column.is_not_null()]
    return entries


def _pictures(group: str, kind: str, columns: Sequence[pl.Series]) -> Entries:  # noqa: ARG001
    """Nothing: a column has paths, and the example gets the pictures, row by row."""
    return {}


class Held(NamedTuple):
    """How examples hold a kind.

    Attributes:
        dtype: Of its columns in the clean table.
        entries: Makes their entries, from the group, the kind and the columns.
    """

    dtype: pl.DataType | type[pl.DataType]
    entries: Callable[[str, str, Sequence[pl.Series]], Entries]


FEATURES_HELD: dict[str, Held] = {
    "image": Held(pl.String, _pictures),
    "images": Held(pl.List(pl.String), _pictures),
    "numeric": Held(pl.Float64, _together),
    "category": Held(pl.String, _together),
    "text": Held(pl.String, _together),
    "datetime": Held(pl.Float64, _together),
    "vector": Held(VECTOR, _vectors),
    "multicategory": Held(pl.List(pl.String), _sets),
    "boolean": Held(pl.String, _together),
}
TARGETS_HELD: dict[str, Held] = {
    "binary": Held(pl.String, _together),
    "multiclass": Held(pl.String, _together),
    "multilabel": Held(pl.List(pl.String), _sets),
    "regression": Held(pl.Float64, _together),
    "ordinal": Held(pl.String, _together),
    "count": Held(pl.Float64, _together),
    "quantile": Held(pl.Float64, _together),
    "regressions": Held(NUMBERS, _vectors),
}


def names_by_kind(members: Mapping[str, Feature] | Mapping[str, Target]) -> dict[str, list[str]]:
    """Names by kind, kinds and names in the order in which they come."""
    names: dict[str, list[str]] = {}
    for name, member in members.items():
        names.setdefault(member.kind, []).append(name)
    return names


def entries_of(frame: pl.DataFrame, features: Mapping[str, Feature], targets: Mapping[str, Target]) -> Entries:
    """The columns of a clean table by the entries that hold them, without pictures.

    Args:
        frame: Canonical values by feature and target name, and the row weights of the targets.
        features: All of the layout; values of a column that the frame lacks are missing.
        targets: All of the layout.
    """
    entries: Entries = {}
    there = set(frame.columns)
    groups: list[tuple[str, dict[str, Held], Mapping[str, Feature] | Mapping[str, Target]]] = [
        ("feature", FEATURES_HELD, features),
        ("target", TARGETS_HELD, targets),
    ]
    for group, registry, members in groups:
        for kind, names in names_by_kind(members).items():
            held = registry[kind]
            empty = pl.Series("", [None] * frame.height, held.dtype)
            columns = [frame[name] if name in there else empty.alias(name) for name in names]
            entries |= held.entries(group, kind, columns)
    if weights := weights_of(targets):
        entries[WEIGHT_ENTRY] = [frame[weight_column(column)] for column in weights]
    return entries
