"""Vectors of numbers, such as embeddings that were computed elsewhere."""
