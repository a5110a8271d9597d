"""Targets that are numbers: one output on a fitted scale."""
