"""Pictures that a small pretrained network sees."""

from networks import seen, small_network  # noqa: F401
