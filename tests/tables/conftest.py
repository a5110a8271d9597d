"""`store`, an object store of each kind, and `temporary`, a TMPDIR of its own; see `tests/buckets.py`."""

from buckets import gs_gate, gs_store, quick, s3_store, store, temporary  # noqa: F401
