"""Polyhead: from a table to a trained, evaluated, servable multi-input, multi-head Keras model."""

__version__ = "0.1.0"
