"""Pictures: each value is the path of a file."""
