"""Targets with any number of labels at once: one logit per label."""
