"""compare: evaluations → their scores on the same rows, paired, and what differs in what they were made from."""
