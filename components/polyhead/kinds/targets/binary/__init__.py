"""Targets with two labels: one logit, and the probability of the positive label."""
