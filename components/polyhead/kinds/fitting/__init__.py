"""What statistics are gathered with: parts that any grouping or order of the rows leaves the same."""
