"""encode: shards → the same rows, with what frozen networks make of their pictures in their place."""
