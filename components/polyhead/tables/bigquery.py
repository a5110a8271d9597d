"""Tables in BigQuery, copied once by its Storage Read API: Arrow in, Parquet out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from polyhead.errors import DataError, Problem
from polyhead.progress import progress
from polyhead.storage.places import BIGQUERY
from polyhead.storage.stores.attempts import Failure, Tries
from polyhead.storage.stores.google import default_credentials
from polyhead.tables.columns import choose_columns
from polyhead.tables.writing import ROW_GROUP

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"
"""The environment's name for the host and port of an emulator of the Storage Read API."""

_GROUP_BYTES = 2**26
_SCOPE = "https://www.googleapis.com/auth/bigquery.readonly"
_ROLES = "grant these credentials BigQuery Data Viewer on the table and BigQuery Read Session User on the project"
_SAVED = "save what a view, an external table or a query gives: CREATE TABLE dataset.table AS SELECT …"


class TableName(NamedTuple):
    """The name of a table in BigQuery.

    Attributes:
        project: Its project, which may begin with a domain: `example.com:project`.
        dataset: Its dataset.
        table: Its own name.
    """

    project: str
    dataset: str
    table: str

    @classmethod
    def of(cls, place: str) -> TableName:
        """By a place such as `bq://project.dataset.table`.

        Raises:
            DataError: It is none.
        """
        parts = place.removeprefix(BIGQUERY).rsplit(".", 2)
        if len(parts) < len(cls._fields) or not all(parts) or "/" in place.removeprefix(BIGQUERY):
            hint = f"write {BIGQUERY}project.dataset.table"
            raise DataError("invalid-format", "does not name a table in BigQuery", where=place, hint=hint)
        return cls(*parts)


def copy_table(place: str, columns: Sequence[str] | None, optional: Sequence[str], file: IO[bytes]) -> None:
    """Write the rows of a table in BigQuery as Parquet; the columns that are wanted alone are read.

    `NUMERIC` stays a decimal number; `BIGNUMERIC`, whose 76 digits polars does not hold, becomes a 64-bit
    floating-point number. `GEOGRAPHY` and `JSON` come as text. BigQuery has no order of rows: two copies may differ in
    it.

    Args:
        place: `bq://project.dataset.table`.
        columns: Columns wanted. Default: all.
        optional: More columns wanted, of those that there are.
        file: Written from its current position.

    Raises:
        DataError: There is no such table; the package is missing that reads it; it is a view; it lacks columns, or has
            some of a type that no Parquet file holds.
        DeniedError: It may not be read.
        StorageError: There are no credentials, or BigQuery does not give it.
    """
    import pyarrow.parquet as pq

    name = TableName.of(place)
    with _named_failures(place) as tries:
        reading = _Reading(place, name, tries)
        chosen = choose_columns(place, reading.opened().schema.names, columns, optional)
        session = reading.opened(chosen)
        schema = _held(place, session.schema, chosen)
        with (
            pq.ParquetWriter(file, schema) as writer,
            progress("read BigQuery", total=session.rows, unit="rows") as advance,
        ):
            for group in _groups(reading.batches(session)):
                writer.write_table(_cast(group.select(chosen), schema), row_group_size=ROW_GROUP)
                advance(group.num_rows)


class _Session(NamedTuple):
    """A table at one moment, all of its columns or some.

    Attributes:
        schema: Of these columns, in the table's order.
        rows: How many rows, about.
        streams: The names of what they come from: one, or none where there are no rows.
    """

    schema: pa.Schema
    rows: int
    streams: list[str]


class _Reading:
    """Requests about a table.

    Args:
        place: Its place.
        name: Its name.
        tries: Counts the attempts at them.

    Raises:
        ImportError: The package is missing.
        StorageError: There are no credentials.
    """

    def __init__(self, place: str, name: TableName, tries: Tries) -> None:
        self._client, payer = _client(place)
        self._parent = f"projects/{payer or name.project}"
        self._table = f"projects/{name.project}/datasets/{name.dataset}/tables/{name.table}"
        self._tries = tries

    def opened(self, columns: Sequence[str] = ()) -> _Session:
        """Open it, with all columns or some; no row is read and nothing is paid yet."""
        import pyarrow as pa
        from google.cloud.bigquery_storage_v1 import types

        wanted = types.ReadSession(
            table=self._table,
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(selected_fields=list(columns)),
        )
        given = self._client.create_read_session(
            parent=self._parent, read_session=wanted, max_stream_count=1, retry=self._tries.policy()
        )
        schema = pa.ipc.read_schema(pa.py_buffer(given.arrow_schema.serialized_schema))
        return _Session(schema, int(given.estimated_row_count), [stream.name for stream in given.streams])

    def batches(self, session: _Session) -> Iterator[pa.RecordBatch]:
        """Its rows, a message at a time. Where a connection breaks, the library goes on with the row that is next."""
        import pyarrow as pa

        for stream in session.streams:
            for message in self._client.read_rows(stream, retry=self._tries.policy()):
                content = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
                yield pa.ipc.read_record_batch(content, session.schema)


def _client(place: str) -> tuple[BigQueryReadClient, str | None]:
    """What asks BigQuery, and the project that pays for it where the credentials name one."""
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

    emulator = os.environ.get(EMULATOR)
    if emulator:
        import grpc
        from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=grpc.insecure_channel(emulator))), None
    credentials, project = default_credentials(place, [_SCOPE])
    return BigQueryReadClient(credentials=credentials), project


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches together, as many as make a row group."""
    import pyarrow as pa

    group: list[pa.RecordBatch] = []
    rows = held = 0
    for batch in batches:
        group.append(batch)
        rows, held = rows + batch.num_rows, held + batch.nbytes
        if rows >= ROW_GROUP or held >= _GROUP_BYTES:
            yield pa.Table.from_batches(group)
            group, rows, held = [], 0, 0
    if group:
        yield pa.Table.from_batches(group)


def _held(place: str, schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """The types that columns have in the copy.

    Raises:
        DataError: No Parquet file holds one; all of them at once.
    """
    import pyarrow as pa

    fields, problems = [], []
    for column in columns:
        kind = _short(schema.field(column).type, pa.float64())
        if pa.types.is_interval(kind):
            hint = "leave it out, or save it as a number: EXTRACT(HOUR FROM …)"
            what = f"column '{column}' is an INTERVAL, which no table here holds"
            problems.append(Problem("invalid-column-type", what, where=place, hint=hint))
        fields.append(pa.field(column, kind))
    if problems:
        raise DataError(problems)
    return pa.schema(fields)


def _short(kind: pa.DataType, other: pa.DataType) -> pa.DataType:
    """A type, in which those of decimal numbers of more than 38 digits are another, at any depth."""
    import pyarrow as pa

    if pa.types.is_decimal256(kind):
        return other
    if pa.types.is_list(kind):
        return pa.list_(_short(kind.value_type, other))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _short(field.type, other)) for field in kind])
    return kind


def _cast(group: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows in the types of a schema. Numbers go through text: Arrow's own way to the nearest one misses it."""
    import pyarrow as pa

    columns = []
    for column, field in zip(group.columns, schema, strict=True):
        columns.append(column.cast(_short(column.type, pa.string())).cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


@contextlib.contextmanager
def _named_failures(place: str) -> Iterator[Tries]:
    """Turn what goes wrong in the block into an error that names the table, and what to do."""
    tries = Tries(place, _hint)
    try:
        yield tries
    except ImportError:
        what, hint = "a table in BigQuery, which needs a package", "pip install 'polyhead[bigquery]'"
        raise DataError("missing-package", what, where=place, hint=hint) from None
    except Exception as error:
        from google.api_core.exceptions import InvalidArgument

        if isinstance(error, InvalidArgument):
            raise DataError("invalid-table", "is no table that BigQuery stores", where=place, hint=_SAVED) from None
        explained = tries.explained(error)
        if isinstance(explained, FileNotFoundError):
            raise DataError("file-not-found", "no such table", where=place) from None
        raise explained from None


def _hint(failure: Failure) -> str:
    if failure.status == 403:
        return _ROLES
    return "run: gcloud auth application-default login" if failure.credentials else ""
