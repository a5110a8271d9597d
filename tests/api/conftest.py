"""The model of `flats`, and buckets."""

from buckets import gs_gate, gs_store, quick, s3_store, store, temporary  # noqa: F401
from flats import fitted  # noqa: F401
