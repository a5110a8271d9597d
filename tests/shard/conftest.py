"""Rows to shard, and stores."""

from buckets import gs_gate, gs_store, quick, s3_store, store, temporary  # noqa: F401
from shardrows import expected, fresh, prepare_rows, prepared, reordered, vanished  # noqa: F401
