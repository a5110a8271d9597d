"""The network: one encoder per kind of features, a combiner, one head per target.

`keras.layers` and `keras.ops` only.
"""
