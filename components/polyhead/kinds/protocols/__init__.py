"""What the facets of a kind must give."""
