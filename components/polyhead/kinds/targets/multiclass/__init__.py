"""Targets with one of several classes: one logit per class."""
