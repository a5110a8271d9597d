"""Rows to shard, and stores."""

from tests.buckets import gs_gate, gs_store, quick, s3_store, store, temporary  # noqa: F401
from tests.shardrows import expected, fresh, prepare_rows, prepared, reordered, tf, vanished  # noqa: F401
