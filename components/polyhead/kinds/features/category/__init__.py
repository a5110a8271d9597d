"""Categories: each value is one of a fitted vocabulary."""
