"""predict: bundle + table → predictions, by the same transforms as training."""
