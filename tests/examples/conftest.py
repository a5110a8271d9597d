"""Shards to read, and TensorFlow as the oracle."""

from shardrows import prepared  # noqa: F401
