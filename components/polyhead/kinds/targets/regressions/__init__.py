"""Several numbers of a row, predicted by one head: an output for each."""
