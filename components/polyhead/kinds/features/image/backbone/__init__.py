"""Pretrained networks that see the pictures: their files, and their part of the graph."""
