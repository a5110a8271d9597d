"""Several pictures in a cell."""
