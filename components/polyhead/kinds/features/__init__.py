"""A folder per kind of feature; what several of them need lies beside the folders."""
