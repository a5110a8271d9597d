"""BigQuery's Storage Read API on 127.0.0.1, over Arrow tables of the test's own.

with Warehouse({"projects/p/datasets/d/tables/t": table}) as warehouse:
    monkeypatch.setenv(EMULATOR, warehouse.address)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

ROWS = 7
"""Rows of a message."""


class Warehouse:
    """A server of some tables.

    Args:
        tables: By their resource names.
        failing: The status of every request for a table, by its resource name.
        dropped: Whether the stream of rows breaks off once, after its second message.

    Attributes:
        address: Host and port.
        opened: The columns of every session that was opened; empty where all were.
        read: How many rows were sent.
    """

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        failing: Mapping[str, grpc.StatusCode] | None = None,
        dropped: bool = False,
    ) -> None:
        self.opened: list[list[str]] = []
        self.read = 0
        self._tables = tables
        self._failing = failing or {}
        self._dropped = dropped
        self._sessions: list[pa.Table] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers([self._handlers()])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def _handlers(self) -> Any:
        def method(make: Any, answers: Any, asked: Any, answer: Any) -> Any:
            return make(answers, request_deserializer=asked.deserialize, response_serializer=answer.serialize)

        return grpc.method_handlers_generic_handler(
            "google.cloud.bigquery.storage.v1.BigQueryRead",
            {
                "CreateReadSession": method(
                    grpc.unary_unary_rpc_method_handler,
                    self._create,
                    types.CreateReadSessionRequest,
                    types.ReadSession,
                ),
                "ReadRows": method(
                    grpc.unary_stream_rpc_method_handler, self._rows, types.ReadRowsRequest, types.ReadRowsResponse
                ),
            },
        )

    def _create(self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext) -> types.ReadSession:
        name, wanted = request.read_session.table, list(request.read_session.read_options.selected_fields)
        if name in self._failing:
            context.abort(self._failing[name], f"Secret answer about {name}")
        if name not in self._tables:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Table {name}")
        table = self._tables[name]
        if wanted:
            table = table.select([column for column in table.column_names if column in wanted])
        self.opened.append(wanted)
        self._sessions.append(table)
        stream = types.ReadStream(name=f"{request.parent}/locations/eu/sessions/s/streams/{len(self._sessions) - 1}")
        return types.ReadSession(
            arrow_schema=types.ArrowSchema(serialized_schema=table.schema.serialize().to_pybytes()),
            streams=[stream] if table.num_rows else [],
            estimated_row_count=table.num_rows,
        )

    def _rows(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[types.ReadRowsResponse]:
        table = self._sessions[int(request.read_stream.rpartition("/")[2])]
        batches = table.slice(request.offset).combine_chunks().to_batches(max_chunksize=ROWS)
        for number, batch in enumerate(batches):
            if self._dropped and number == 2:
                self._dropped = False
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            self.read += batch.num_rows
            yield types.ReadRowsResponse(
                arrow_record_batch=types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes()),
                row_count=batch.num_rows,
            )
