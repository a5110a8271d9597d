"""Shards to read, and TensorFlow as the oracle."""

from tests.shardrows import prepared, tf  # noqa: F401
