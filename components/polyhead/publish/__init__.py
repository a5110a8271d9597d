"""publish: bundle + evaluation → a version at a destination, and the pointer to it."""
