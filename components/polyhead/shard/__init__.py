"""shard: clean table → TFRecord shards, one example a row, and their manifest."""
