"""Targets with one of several classes that are ordered: a logit for each step from one class to the next."""
