"""What kinds look at to say whether a column is theirs."""
