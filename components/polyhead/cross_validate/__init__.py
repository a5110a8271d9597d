"""cross-validate: clean table → predictions of every row by models that were not trained on it, and their scores."""
