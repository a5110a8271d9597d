"""Figures of the data plane, each a ratio against a named peer in the same interleaved run."""
