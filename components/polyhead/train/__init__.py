"""train: shards → ModelBundle."""
