"""A folder per kind of feature and target, with all that depends on the kind and nothing else."""
