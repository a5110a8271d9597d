"""Yes or no, in whatever words."""
