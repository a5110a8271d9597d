"""preprocess: clean table → the split, and every number fitted on the train rows."""
