"""What rows of a table share that should not be shared: the same row, the same picture, on both sides of a split."""
