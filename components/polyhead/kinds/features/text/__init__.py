"""Free text, as the TF-IDF weights of its terms."""
