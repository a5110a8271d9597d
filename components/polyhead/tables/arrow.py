"""Arrow IPC files, and what is written anew as one: Arrow streams, and ORC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from polyhead.errors import DataError
from polyhead.tables.source import Source

if TYPE_CHECKING:
    import pyarrow as pa

_FILE, _FIRST_FEATHER = b"ARROW1", b"FEA1"


def as_arrow_file(source: Source) -> None:
    """Write a source anew as an Arrow file, batch by batch, unless it is one.

    Args:
        source: An Arrow file or stream, or an ORC file.

    Raises:
        DataError: It is none of these, or a file of the first version of Feather.
        OSError: It is no ORC file, or damaged.
        pl.exceptions.ComputeError: It is a damaged stream.
    """
    with source.stream() as stream:
        mark = stream.read(len(_FILE))
    if source.kind == "orc":
        _write_orc(source)
    elif mark.startswith(_FIRST_FEATHER):
        raise DataError(
            "invalid-table",
            "is a file of the first version of Feather",
            where=source.place,
            hint="write it again with a current pandas or pyarrow, or as Parquet",
        )
    elif mark != _FILE:
        _write_stream(source)


def _write_orc(source: Source) -> None:
    from pyarrow import orc

    file = orc.ORCFile(source.handle())
    _write(source, file.schema, (file.read_stripe(number) for number in range(file.nstripes)))


def _write_stream(source: Source) -> None:
    import pyarrow as pa

    with source.stream() as stream:
        try:
            reader = pa.ipc.open_stream(stream)
        except pa.ArrowInvalid:
            raise DataError(
                "invalid-table", "is neither an Arrow file nor an Arrow stream", where=source.place
            ) from None
        try:
            _write(source, reader.schema, reader)
        except pa.ArrowInvalid as error:
            raise pl.exceptions.ComputeError(str(error)) from None


def _write(source: Source, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write an Arrow file of record batches; a file has one dictionary a column, so none is kept as such."""
    import pyarrow as pa

    words = [at for at, field in enumerate(schema) if pa.types.is_dictionary(field.type)]
    for at in words:
        schema = schema.set(at, schema.field(at).with_type(schema.field(at).type.value_type))
    with source.anew() as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            columns: list[Any] = batch.columns
            for at in words:
                columns[at] = columns[at].dictionary_decode()
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def names_in(source: Source) -> list[str]:
    """The columns of an Arrow file, by their names; one may be there twice.

    Raises:
        pl.exceptions.ComputeError: It is no Arrow file.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(source.handle()) as file:
            names: list[str] = pa.ipc.open_file(file).schema.names
    except pa.ArrowInvalid as error:
        raise pl.exceptions.ComputeError(str(error)) from None
    return names


def read_columns(source: Source, names: Sequence[str]) -> pa.Table:
    """Some columns of an Arrow file, none of which is there twice."""
    import pyarrow as pa

    with pa.memory_map(source.handle()) as file:
        return pa.ipc.open_file(file).read_all().select(names)
