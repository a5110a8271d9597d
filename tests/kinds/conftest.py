"""A small pretrained network."""

from networks import small_network  # noqa: F401
