"""How statistics are gathered: accumulators whose result no grouping or order of the rows changes."""
