"""The model of `flats`."""

from flats import fitted  # noqa: F401
