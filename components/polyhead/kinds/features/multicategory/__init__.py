"""Multicategories: each cell has any number of values of a fitted vocabulary."""
