"""A folder per kind of target; what several of them need lies beside the folders."""
