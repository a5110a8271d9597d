"""What each facet of a kind must give."""
