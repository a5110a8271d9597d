"""Targets that count: one logit, the logarithm of the mean."""
