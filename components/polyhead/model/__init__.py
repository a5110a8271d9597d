"""The network: one encoder per feature, a combiner, one head per target. `keras.layers` and `keras.ops` only."""
