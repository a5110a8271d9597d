"""Targets of which several quantiles are predicted: a logit for each level."""
